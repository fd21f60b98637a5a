// SPDX-License-Identifier: GPL-2.0-or-later
/* The command's root: what is mounted where, and how it becomes "/". */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "directories.h"
#include "disk.h"
#include "log.h"
#include "modules.h"
#include "mounts.h"
#include "text.h"

#define LOWER "/lower"
#define WRITES "/writes"
#define NEW_ROOT "/newroot"

/*
 * What 9p over virtio can carry in one message: a ring of 128 pages less
 * what the headers take.
 */
#define P9_COMMON "trans=virtio,version=9p2000.L,msize=512000"
#define MODULES_TAG "modules"

static char wrong[512];

static const char *fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *fail(const char *format, ...)
{
	int error = errno;
	size_t size;
	va_list args;

	va_start(args, format);
	vsnprintf(wrong, sizeof(wrong), format, args);
	va_end(args);
	size = strlen(wrong);
	snprintf(wrong + size, sizeof(wrong) - size, ": %s", strerror(error));
	return wrong;
}

void mounts_early(void)
{
	static const char *const paths[][2] = {
		{ "/dev", "devtmpfs" }, { "/sys", "sysfs" }, { "/proc", "proc" },
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		mkdir(paths[i][0], 0755);
		if (mount(paths[i][1], paths[i][0], paths[i][1], 0, NULL) < 0)
			fatal("cannot mount %s: %s", paths[i][0], strerror(errno));
	}
}

/* The merged root has the owner and mode of the upper one: copy the lower's. */
static void copy_mode(const char *from, const char *to)
{
	struct stat status;

	if (stat(from, &status) < 0 || chown(to, status.st_uid, status.st_gid) < 0)
		return;
	chmod(to, status.st_mode & 07777);
}

/* LOWER with a throw-away layer for writes on top becomes NEW_ROOT. */
static const char *mount_overlay(void)
{
	static const char options[] =
		"lowerdir=" LOWER ",upperdir=" WRITES "/upper,workdir=" WRITES "/work,"
		"index=off,xino=off,metacopy=off,redirect_dir=on";

	mkdir(WRITES, 0755);
	if (mount("writes", WRITES, "tmpfs", 0, "mode=755") < 0)
		return fail("cannot mount a tmpfs for writes");
	mkdir(WRITES "/upper", 0755);
	mkdir(WRITES "/work", 0755);
	copy_mode(LOWER, WRITES "/upper");
	if (mount("dynaccel", NEW_ROOT, "overlay", 0, options) < 0)
		return fail("cannot mount the overlay for writes");
	/* The overlay holds both by itself; nobody else shall see them. */
	umount2(LOWER, MNT_DETACH);
	umount2(WRITES, MNT_DETACH);
	return NULL;
}

static const char *mount_root(const char *root)
{
	const char *problem;
	bool read_only = true;

	mkdir(NEW_ROOT, 0755);
	mkdir(LOWER, 0755);
	if (!strncmp(root, "9p:", 3)) {
		if (mount(root + 3, LOWER, "9p", MS_RDONLY, P9_COMMON ",cache=loose") < 0)
			return fail("cannot mount the root directory (9p tag %s)", root + 3);
		return mount_overlay();
	}
	if (strcmp(root, "disk")) {
		errno = EINVAL;
		return fail("the root \"%s\" is of no known kind", root);
	}
	problem = disk_mount(LOWER, &read_only);
	if (problem)
		return problem;
	if (read_only)
		return mount_overlay();
	if (mount(LOWER, NEW_ROOT, NULL, MS_MOVE, NULL) < 0)
		return fail("cannot move the root into place");
	return NULL;
}

/*
 * Put the new root over the initramfs. Moving the mount (rather than chroot
 * alone) makes it the root of the mount name space: a process that the kernel
 * takes for chrooted may not make user name spaces, and so no containers.
 */
static const char *switch_root(void)
{
	static const char *const moved[] = { "/dev", "/sys", "/proc" };
	char to[64];

	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		snprintf(to, sizeof(to), NEW_ROOT "%s", moved[i]);
		mkdir(to, 0755);
		if (mount(moved[i], to, NULL, MS_MOVE, NULL) < 0)
			return fail("cannot move %s into the root", moved[i]);
	}
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		return fail("cannot switch to the root");
	return NULL;
}

struct system_mount {
	const char *type;
	const char *path;
	const char *options;
	unsigned long flags;
	bool optional; /* not every kernel has it; a system mounts it itself */
};

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct system_mount system_mounts[] = {
	{ "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC, false },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "mqueue", "/dev/mqueue", NULL, SAFE, true },
	{ "hugetlbfs", "/dev/hugepages", NULL, MS_NOSUID | MS_NODEV, true },
	{ "tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV, false },
	{ "cgroup2", "/sys/fs/cgroup", "nsdelegate", SAFE, true },
	{ "debugfs", "/sys/kernel/debug", NULL, SAFE, true },
	{ "tracefs", "/sys/kernel/tracing", NULL, SAFE, true },
};

/*
 * A system that boots in the root gets what an initramfs hands over. The rest it
 * mounts as it likes: the older ones want other control groups.
 */
static const char *mount_system(bool boots)
{
	for (size_t i = 0; i < sizeof(system_mounts) / sizeof(system_mounts[0]); i++) {
		const struct system_mount *what = &system_mounts[i];

		if (boots && what->optional)
			continue;
		mkdir(what->path, 0755);
		if (mount(what->type, what->path, what->type, what->flags, what->options) < 0 &&
		    !what->optional)
			return fail("cannot mount %s", what->path);
	}
	return NULL;
}

/* What udev does on other systems. */
static void finish_dev(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
		{ "/proc/kcore", "/dev/core" },
	};
	static const char *const open_to_all[] = { "/dev/fuse", "/dev/net/tun" };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			console("cannot make %s: %s", links[i][1], strerror(errno));
	for (size_t i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++)
		chmod(open_to_all[i], 0666);
	mkdir("/run/lock", 01777);
	chmod("/run/lock", 01777);
}

/*
 * A system empties /tmp when it boots. In a directory that may be another
 * machine's own root that could take longer than all the rest.
 */
static const char *cover_tmp(void)
{
	mkdir("/tmp", 01777);
	if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
		return fail("cannot mount /tmp");
	return NULL;
}

/*
 * The root's modprobe finds the kernel's modules where it looks for them.
 * Without any for this kernel each request would start it in vain, which takes
 * long in an emulated machine.
 */
static const char *provide_modules(const char *path)
{
	if (modules_used()) {
		if (make_directories(path) < 0)
			return fail("cannot make %s to mount the modules on", path);
		if (mount(MODULES_TAG, path, "9p", MS_RDONLY, P9_COMMON ",cache=loose") < 0)
			return fail("cannot mount the modules (9p tag %s)", MODULES_TAG);
	} else if (access(path, F_OK) < 0) {
		text_write("/proc/sys/kernel/modprobe", "\n");
	}
	return NULL;
}

static const char *mount_share(const char *share)
{
	const char *path = strchr(share, ':');
	char tag[64];

	if (!path || path[1] != '/' || (size_t)(path - share) >= sizeof(tag)) {
		errno = EINVAL;
		return fail("the share \"%s\" is not TAG:/path", share);
	}
	snprintf(tag, sizeof(tag), "%.*s", (int)(path - share), share);
	path++;
	if (make_directories(path) < 0)
		return fail("cannot make %s to mount a share on", path);
	if (mount(tag, path, "9p", 0, P9_COMMON ",cache=mmap") < 0)
		return fail("cannot mount the share %s (9p tag %s)", path, tag);
	return NULL;
}

const char *mounts_root(const struct job *job)
{
	const char *problem = mount_root(job->root);
	struct utsname name;
	char modules[128];

	uname(&name);
	snprintf(modules, sizeof(modules), "/lib/modules/%s", name.release);
	if (!problem)
		problem = switch_root();
	if (!problem)
		problem = provide_modules(modules);
	if (problem)
		return problem;
	problem = mount_system(job->init != NULL);
	if (problem)
		return problem;
	if (!job->init)
		modules_make_nodes(modules);
	finish_dev();
	if (job->init && !strncmp(job->root, "9p:", 3))
		return cover_tmp();
	return NULL;
}

const char *mounts_shares(const struct job *job)
{
	const char *problem = NULL;

	for (size_t i = 0; i < job->shares.count && !problem; i++)
		problem = mount_share(job->shares.list[i]);
	return problem;
}

void mounts_release(const struct job *job)
{
	sync();
	for (size_t i = job->shares.count; i-- > 0;) {
		const char *path = strchr(job->shares.list[i], ':');

		if (path)
			umount2(path + 1, MNT_DETACH);
	}
}

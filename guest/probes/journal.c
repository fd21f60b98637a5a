// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal ROUNDS SECONDS: a file is made on an ext4 whose journal commits every
 * so many seconds (the mount option "commit"), and jbd2 counts one transaction
 * more when it has done so. Prints {"missing": "mke2fs"} where there is none.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "loop.h"

#define SIZE (8 << 20)
#define LIMIT_SEC 60
#define MISSING 127

extern char **environ;

/* Returns whether there is a program that can. */
static int format(const char *path)
{
	char *argv[] = { "mke2fs", "-q",      "-F",	"-t",  "ext4",
			 "-O",	   "has_journal", "-E",
			 "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
			 (char *)path,	 NULL };
	int status;
	pid_t child;

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	errno = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
	if (errno == ENOENT)
		return 0;
	must(!errno && waitpid(child, &status, 0) == child, "mke2fs");
	if (WIFEXITED(status) && WEXITSTATUS(status) == MISSING)
		return 0;
	errno = EIO;
	must(!status, "mke2fs");
	return 1;
}

static long transactions(const char *device)
{
	char path[64], text[512];
	long count = -1;

	snprintf(path, sizeof(path), "/proc/fs/jbd2/%s-8/info", device);
	read_file(path, text, sizeof(text));
	must(sscanf(text, "%ld transactions", &count) == 1, "%s", path);
	return count;
}

int main(int argc, char **argv)
{
	const char *const where = "/tmp";
	char options[32], name[64], *device;
	int directory, ratio = ratio_now();
	struct disk disk;

	if (argc != 3)
		return 2;
	limit_real(ratio, LIMIT_SEC);
	disk = disk_open(SIZE);
	device = disk.path + strlen("/dev/");
	if (!format(disk.path)) {
		printf("{\"missing\": \"mke2fs\"}\n");
		return 0;
	}
	disk_close_writer(&disk);
	must(!unshare(CLONE_NEWNS) &&
	     !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
	     "a name space of its own");
	snprintf(options, sizeof(options), "commit=%s", argv[2]);
	must(!mount(disk.path, where, "ext4", 0, options), "mounting an ext4");
	directory = open(where, O_RDONLY | O_DIRECTORY);
	must(directory >= 0, "%s", where);

	for (int round = 0; round < atoi(argv[1]); round++) {
		struct moment start;
		long before;

		limit_real(ratio, LIMIT_SEC);
		must(!syncfs(directory), "syncfs");
		before = transactions(device);
		snprintf(name, sizeof(name), "%s/%d", where, round);
		run_into_tick(ratio);
		start = moment();
		must(!mkdir(name, 0700), "%s", name);
		while (transactions(device) == before)
			look_again(ratio);
		report("journal", atoll(argv[2]) * NSEC_PER_SEC, start, moment());
	}
	close(directory);
	must(!umount(where), "unmounting");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The processes of a job: by its control group, or else by descent. */
#include <dirent.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"
#include "members.h"
#include "moment.h"
#include "ratio.h"
#include "text.h"

#define PLACE "/sys/fs/cgroup"
#define DEPTH_MAX 32
#define FRESH_NS (5 * NS_PER_MS)

static char *base; /* NULL: no groups */

static char *join(const char *directory, const char *name)
{
	char *path = need_memory(NULL, strlen(directory) + strlen(name) + 2);

	sprintf(path, "%s/%s", directory, name);
	return path;
}

static char *find_mounted(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char *found = NULL;
	struct mntent *entry;

	while (mounts && !found && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "cgroup2"))
			found = text_copy(entry->mnt_dir);
	if (mounts)
		endmntent(mounts);
	return found;
}

void members_open(const char *wanted)
{
	char *mounted;

	if (wanted) {
		base = strcmp(wanted, "none") ? text_copy(wanted) : NULL;
		return;
	}
	mounted = find_mounted();
	if (!mounted && mount("cgroup2", PLACE, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			      NULL) == 0)
		mounted = text_copy(PLACE);
	if (!mounted)
		return;
	base = join(mounted, "dynaccel");
	free(mounted);
	mkdir(base, 0755);
}

void members_begin(struct members *members, const char *name)
{
	char *group;

	members->name = name;
	if (!base)
		return;
	group = join(base, name);
	mkdir(group, 0755);
	members->procs = join(group, "cgroup.procs");
	members->group = group;
	if (access(members->procs, W_OK) == 0)
		return;
	members_end(members);
}

void members_end(struct members *members)
{
	if (members->group)
		rmdir(members->group);
	free(members->group);
	free(members->procs);
	members->group = members->procs = NULL;
}

static void list_group(const char *group, struct pids *pids)
{
	char *path = join(group, "cgroup.procs");
	FILE *file = fopen(path, "re");
	struct stat status;
	struct dirent *entry;
	DIR *directory;
	int pid;

	while (file && fscanf(file, "%d", &pid) == 1)
		if (pid > 0) /* 0: it is in another name space */
			pids_add(pids, pid);
	if (file)
		fclose(file);
	free(path);
	if (stat(group, &status) < 0 || status.st_nlink <= 2)
		return; /* nobody has made groups of his own below */
	directory = opendir(group);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = join(group, entry->d_name);
		list_group(path, pids);
		free(path);
	}
	if (directory)
		closedir(directory);
}

static bool is_marked(pid_t pid, const char *name)
{
	char path[32], wanted[160], *text = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	snprintf(wanted, sizeof(wanted), MEMBERS_VARIABLE "=%s", name);
	file = fopen(path, "re");
	while (file && !found && getdelim(&text, &room, '\0', file) > 0)
		found = !strcmp(text, wanted);
	free(text);
	if (file)
		fclose(file);
	return found;
}

/* All processes at one moment: several samples that are due together look at it once. */
static struct {
	struct relation {
		pid_t pid, parent, session;
	} *list;
	size_t count;
	int64_t at_ns;
} table;

static void look_around(void)
{
	struct pids all = { 0 };

	pids_all(&all);
	table.list = need_memory(table.list, all.count * sizeof(*table.list));
	table.count = 0;
	for (size_t i = 0; i < all.count; i++) {
		struct relation *relation = &table.list[table.count];

		relation->pid = all.list[i];
		if (pid_relations(relation->pid, &relation->parent, &relation->session))
			table.count++;
	}
	table.at_ns = moment_boottime_ns();
	pids_free(&all);
}

static const struct relation *find_relation(pid_t pid)
{
	for (size_t i = 0; i < table.count; i++)
		if (table.list[i].pid == pid)
			return &table.list[i];
	return NULL;
}

/* Whether a process comes from the job: by the ancestor that is our own child. */
static bool descends(const struct members *members, const struct relation *relation)
{
	pid_t self = getpid();

	for (int depth = 0; depth < DEPTH_MAX && relation; depth++) {
		if (relation->parent == self)
			return relation->pid == members->main ||
			       (members->session && relation->session == members->session) ||
			       is_marked(relation->pid, members->name);
		relation = find_relation(relation->parent);
	}
	return false;
}

void members_list(const struct members *members, struct pids *pids)
{
	if (members->group) {
		list_group(members->group, pids);
		return;
	}
	if (!table.list || moment_boottime_ns() - table.at_ns > FRESH_NS * ratio_now())
		look_around();
	for (size_t i = 0; i < table.count; i++)
		if (descends(members, &table.list[i]))
			pids_add(pids, table.list[i].pid);
}

size_t members_signal(const struct members *members, int number)
{
	struct pids pids = { 0 };
	size_t count;

	if (!members->group)
		look_around();
	members_list(members, &pids);
	count = pids.count;
	for (size_t i = 0; i < count; i++)
		kill(pids.list[i], number);
	pids_free(&pids);
	return count;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control group (version 2) of a probe's own, gone when the probe is done. */
#ifndef DYNACCEL_GROUP_H
#define DYNACCEL_GROUP_H

#include <sys/stat.h>

#include "here.h"

#define GROUPS "/sys/fs/cgroup"

struct group {
	char path[64];
};

/* Returns 0, or -1 with errno set where there are no such groups. */
static inline int group_make(struct group *group)
{
	/* The root's children get the CPU controller; already so where systemd runs. */
	put(GROUPS, "cgroup.subtree_control", "+cpu");
	snprintf(group->path, sizeof(group->path), GROUPS "/dynaccel-%d", getpid());
	return mkdir(group->path, 0700);
}

/* Moves the calling process there. */
static inline int group_enter(const char *path)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return put(path, "cgroup.procs", pid);
}

static inline void group_remove(const struct group *group)
{
	group_enter(GROUPS);
	rmdir(group->path);
}

#endif /* DYNACCEL_GROUP_H */

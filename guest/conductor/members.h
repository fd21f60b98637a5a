/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of a job: by its control group, or else by descent. */
#ifndef MEMBERS_H
#define MEMBERS_H

#include <stdbool.h>

#include "pids.h"

/* The variable that tells a job's processes, which no group does. */
#define MEMBERS_VARIABLE "DYNACCEL_JOB"

/* What belongs to a job; all zero but the name at first. */
struct members {
	const char *name;
	char *group;   /* its directory; NULL: it has none */
	char *procs;   /* a file there, to enter it */
	pid_t main;    /* its process; 0: none runs */
	pid_t session; /* of its last run */
};

/* `base`: a directory of a cgroup2 file system, "none", or NULL to find one. */
void members_open(const char *base);

/* Make the job's group, if groups can be had. */
void members_begin(struct members *members, const char *name);
void members_end(struct members *members);

/* Add the processes that run now. */
void members_list(const struct members *members, struct pids *pids);

/* Send all of them a signal; returns how many there are. */
size_t members_signal(const struct members *members, int number);

#endif

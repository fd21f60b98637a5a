/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SPAWN_H
#define SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#include "users.h"

/* A program to start, in a session of its own. */
struct spawn {
	char *const *arguments;
	char *const *environment; /* NULL: ours */
	const char *directory;    /* NULL: stay */
	const struct user *user;  /* NULL: as we are */
	const char *group;        /* a cgroup.procs to enter; NULL: none */
	int out, err;             /* its standard output and error */
};

/*
 * Start it. `*result` becomes a pipe that tells how that went, for
 * spawn_result(). Returns the process id or -1 with errno.
 */
pid_t spawn(const struct spawn *what, int *result);

/*
 * Read the pipe: -1 when it is too early to tell, 0 when the program runs, 1 when
 * it cannot be started, with `message` filled in.
 */
int spawn_result(int result, char *message, size_t room);

/* A pipe whose reading end does not block. Returns 0 or -1 with errno. */
int spawn_pipe(int ends[2]);

#endif

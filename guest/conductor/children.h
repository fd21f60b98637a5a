/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals, and processes that are waited for. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* A process of ours that runs. */
struct child {
	pid_t pid; /* 0: it has ended */
	void (*ended)(struct child *child, int status);
	struct child *next;
};

/* Call `ended` with the status of waitpid() when the process has ended. */
void children_add(struct child *child, pid_t pid,
		  void (*ended)(struct child *child, int status));

/*
 * Become the parent of all orphans below, and hear of signals: `asked_to_end` is
 * called for SIGTERM, SIGINT and SIGHUP, `reaped` after children have ended.
 */
void children_open(void (*asked_to_end)(void), void (*reaped)(void));

/* In a new process: no signal is blocked or ignored, nothing of ours is inherited. */
void child_begin(void);

/* The same for one that stays our own program: it ends when we do, by SIGTERM. */
void child_begin_helper(const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "events.h"
#include "frame.h"
#include "lines.h"
#include "timers.h"

/* A process that is run for what it prints; all zero at first. */
struct ask {
	struct child child;
	struct watch out;
	struct buffer text; /* the first 64 KiB, a string in the end */
	struct timer limit;
	bool timed_out;
	void (*answered)(struct ask *ask, int status);
	void *owner;
	const char *subject;
};

/*
 * Run a program; what it writes to its standard error goes to a sink. `answered`
 * gets waitpid()'s status. Returns 0 or -1 with errno.
 */
int ask_program(struct ask *ask, char *const arguments[], struct sink *complaints,
		int64_t limit_real_ns, void (*answered)(struct ask *ask, int status));

/* Run a function of our own in a process, with what it writes to. */
int ask_function(struct ask *ask, void (*work)(struct ask *ask, int fd),
		 int64_t limit_real_ns, void (*answered)(struct ask *ask, int status));

bool ask_runs(const struct ask *ask);

/* End it without an answer. */
void ask_stop(struct ask *ask);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root that boots as the system that it is, with process 1 of its own. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include "job.h"

#define SYSTEM_FAILED_MAX 100

/* How a system came up. */
struct system_report {
	const char *problem; /* NULL: it is up */
	const char *state;   /* systemd's word; "unknown" when it is not systemd */
	const char *failed[SYSTEM_FAILED_MAX + 1]; /* names of units; ends with NULL */
};

/*
 * Start the job's system and call `came_up` once, when it is up or will not
 * come up any more. Returns NULL, or what went wrong.
 */
const char *system_start(const struct job *job,
			 void (*came_up)(const struct system_report *report));

/* In a child that becomes the command: leave what only the agent may have. */
void system_place_command(void);

/* Whether process 1 has begun to end the guest. */
bool system_ends(void);

#endif

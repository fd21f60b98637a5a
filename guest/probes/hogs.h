/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that keep each CPU from being idle. */
#ifndef DYNACCEL_HOGS_H
#define DYNACCEL_HOGS_H

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HOGS_MAX 64

struct hogs {
	pid_t pids[HOGS_MAX];
	int count;
};

/* A child that goes with its parent. */
static inline pid_t hogs_child(void)
{
	pid_t child = fork();

	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

/* One for each CPU that the calling process may run on. */
static inline void hogs_start(struct hogs *hogs)
{
	cpu_set_t online, one;

	hogs->count = 0;
	sched_getaffinity(0, sizeof(online), &online);
	for (int cpu = 0; cpu < CPU_SETSIZE && hogs->count < HOGS_MAX; cpu++) {
		pid_t child;

		if (!CPU_ISSET(cpu, &online))
			continue;
		child = hogs_child();
		if (child == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			for (;;)
				;
		}
		hogs->pids[hogs->count++] = child;
	}
}

static inline void hogs_end(struct hogs *hogs)
{
	while (hogs->count > 0)
		kill(hogs->pids[--hogs->count], SIGKILL);
}

#endif /* DYNACCEL_HOGS_H */

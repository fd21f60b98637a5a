// SPDX-License-Identifier: GPL-2.0-or-later
/* timeout(1): a timer and a wait for a child, in a program that others wrote. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "waits.h"

#define TIMEOUT "/usr/bin/timeout"
/* What timeout(1) ends with when the time was over. */
#define TIMED_OUT 124

/* Waits for timeout(1), which runs this probe, told to do nothing but stay. */
static int run_timeout(const char *seconds)
{
	char self[32];
	pid_t child;
	int status;

	snprintf(self, sizeof(self), "/proc/%d/exe", getpid());
	child = fork();

	if (child == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl(TIMEOUT, "timeout", seconds, self, STAY, NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void wait_timeout(struct job *job)
{
	char seconds[32];
	int status;

	errno = 0;
	if (slows_down())
		stop(job, SKIPPED, "what its start takes at a high ratio is long at a low one");
	need(job, access(TIMEOUT, X_OK) == 0);
	/* Brings what it needs into memory. */
	need(job, run_timeout("0.000001") == TIMED_OUT);
	begin(job);
	snprintf(seconds, sizeof(seconds), "%.3f", (double)job->ns / NSEC_PER_SEC);
	status = run_timeout(seconds);
	end(job);
	errno = 0;
	expect(job, status == TIMED_OUT);
}

const struct wait program_waits[] = {
	{ "timeout(1)", "program", CLOCK_REALTIME, false, NSEC_PER_MSEC, wait_timeout },
	{ 0 }
};

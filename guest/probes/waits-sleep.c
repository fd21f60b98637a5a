// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that do nothing but wait: kernel/time/hrtimer.c, posix-timers.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>

#include "waits.h"

static void wait_sleep(struct job *job)
{
	unsigned int left;

	begin(job);
	left = sleep(job->ns / NSEC_PER_SEC);
	end(job);
	expect(job, left == 0);
}

static void wait_usleep(struct job *job)
{
	int result;

	begin(job);
	result = usleep(job->ns / NSEC_PER_USEC);
	end(job);
	expect(job, result == 0);
}

static void wait_nanosleep(struct job *job)
{
	struct timespec time = begin_timespec(job);
	int result = nanosleep(&time, NULL);

	end(job);
	expect(job, result == 0);
}

static void wait_clock_nanosleep(struct job *job)
{
	const struct timespec time = begin_timespec(job);

	errno = clock_nanosleep(job->wait->clock,
				job->wait->absolute ? TIMER_ABSTIME : 0, &time, NULL);
	end(job);
	expect(job, errno == 0);
}

static void wait_sigtimedwait(struct job *job)
{
	struct timespec time;
	sigset_t set;
	int result;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	need(job, sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	time = begin_timespec(job);
	result = sigtimedwait(&set, NULL, &time);
	end(job);
	expect(job, result < 0 && errno == EAGAIN);
}

#define CLOCK_NANOSLEEP(label, id)						\
	{ "clock_nanosleep " label, "hrtimer", id, false, 0, wait_clock_nanosleep }, \
	{ "clock_nanosleep " label " absolute", "hrtimer", id, true, 0,		\
	  wait_clock_nanosleep }

const struct wait sleep_waits[] = {
	{ "sleep", "hrtimer", CLOCK_REALTIME, false, NSEC_PER_SEC, wait_sleep },
	{ "usleep", "hrtimer", CLOCK_MONOTONIC, false, NSEC_PER_USEC, wait_usleep },
	{ "nanosleep", "hrtimer", CLOCK_MONOTONIC, false, 0, wait_nanosleep },
	CLOCK_NANOSLEEP("REALTIME", CLOCK_REALTIME),
	CLOCK_NANOSLEEP("MONOTONIC", CLOCK_MONOTONIC),
	CLOCK_NANOSLEEP("BOOTTIME", CLOCK_BOOTTIME),
	CLOCK_NANOSLEEP("TAI", CLOCK_TAI),
	CLOCK_NANOSLEEP("REALTIME_ALARM", CLOCK_REALTIME_ALARM),
	CLOCK_NANOSLEEP("BOOTTIME_ALARM", CLOCK_BOOTTIME_ALARM),
	{ "sigtimedwait", "hrtimer", CLOCK_MONOTONIC, false, 0, wait_sigtimedwait },
	{ 0 }
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wait of the probe "waits": one call that returns when a time has come. Its
 * function sets up what the call needs, then notes the moments around it:
 *
 *	need(job, set_up());
 *	start = begin(job);
 *	until = start + job->ns;
 *	result = the_call(until);
 *	end(job);
 *	expect(job, result < 0 && errno == ETIMEDOUT);
 */
#ifndef DYNACCEL_WAITS_H
#define DYNACCEL_WAITS_H

#include <linux/time_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

#include "probe.h"

#define NSEC_PER_USEC 1000LL
#define NSEC_PER_MSEC 1000000LL

/* The argument by which the probe, run by another program, does but stay. */
#define STAY "stay"

struct job;

/**
 * struct wait - a call that waits for time
 * @name:	what it is called in the report
 * @mechanism:	what ends it, as read in the kernel's source: "hrtimer", "wheel"
 *		(timer wheel: counts jiffies, rounds up), "program" (an hrtimer
 *		of another program, whose start counts)
 * @clock:	the clock on which the wait is defined
 * @absolute:	whether it waits until a moment instead of for a time
 * @grain:	the unit in ns in which the call takes its time; 0 for ns
 * @run:	waits once
 */
struct wait {
	const char *name;
	const char *mechanism;
	clockid_t clock;
	bool absolute;
	int64_t grain;
	void (*run)(struct job *job);
};

enum outcome { RUNNING, DONE, SKIPPED, FAILED };

/**
 * struct job - a wait in its own process, in memory shared with the parent
 * @wait:		the call
 * @ns:			how long it shall wait, virtual; settled by begin()
 * @start:		when it shall begin, after the start of the plan
 * @stop:		when it shall end
 * @begin_ns:		by the clock of the wait, before the call
 * @begin_monotonic_ns: by CLOCK_MONOTONIC, next to @begin_counts
 * @end_monotonic_ns:	by CLOCK_MONOTONIC, next to @end_counts
 * @end_ns:		by the clock of the wait, after the call
 * @begin_counts:	counter() before the call
 * @end_counts:		counter() after the call
 * @early_ns:		how early a part of the wait ended, if one did
 * @tick_late_ns:	by how much the tick was overdue when the wait began; the
 *			timer wheel counts from the last tick
 * @steps:		how many waits in a row it took; the kernel rounds each
 * @outcome:		an enum outcome
 * @why:		it failed or was skipped
 */
struct job {
	const struct wait *wait;
	int64_t ns, start, stop;
	int64_t begin_ns, end_ns, begin_monotonic_ns, end_monotonic_ns;
	uint64_t begin_counts, end_counts;
	int64_t early_ns, tick_late_ns;
	int steps;
	int outcome;
	char why[120];
};

/*
 * Sleeps until all jobs are set up and this one's start has come. Returns what
 * the clock of the wait shows and settles how long the wait is, so that one
 * which begins late does not end late.
 */
int64_t begin(struct job *job);
/* Whether the ratio falls while the jobs wait. */
bool slows_down(void);
/* By how much the tick is overdue, virtual: on a host that is busy it can be. */
int64_t tick_late_ns(void);
/* Leaves errno alone. */
void end(struct job *job);
void stop(struct job *job, enum outcome outcome, const char *what)
	__attribute__((noreturn));
/*
 * Forks who is to send to the other end of a pair of sockets while this end waits.
 * It starts when it is sent what begin() returned, an int64_t, at @pair[0].
 */
pid_t fork_feeder(struct job *job, const int pair[2],
		  void (*feed)(struct job *job, int fd, int64_t start));
/* Whether the kernel does not know the call or does not allow it. */
bool refused(int error);

/* What a wait cannot do without; without it, it is skipped. */
#define need(job, condition)						\
	do {								\
		if (!(condition))					\
			stop(job, SKIPPED, #condition);			\
	} while (0)

/* What holds after a wait that ended as it should. */
#define expect(job, condition)						\
	do {								\
		if (!(condition))					\
			stop(job, refused(errno) ? SKIPPED : FAILED,	\
			     #condition);				\
	} while (0)

static inline struct timeval timeval_of(int64_t ns)
{
	return (struct timeval){ .tv_sec = ns / NSEC_PER_SEC,
				 .tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

/* What to give to a call that takes either kind of time; notes the beginning. */
static inline struct timespec begin_timespec(struct job *job)
{
	int64_t start = begin(job);

	return timespec_of(job->wait->absolute ? start + job->ns : job->ns);
}

/* What newer calls take, in programs of 32 bits, too. */
static inline struct __kernel_timespec kernel_timespec(struct timespec time)
{
	return (struct __kernel_timespec){ .tv_sec = time.tv_sec,
					   .tv_nsec = time.tv_nsec };
}

extern const struct wait sleep_waits[], timer_waits[], poll_waits[],
	lock_waits[], futex_waits[], queue_waits[], ring_waits[], program_waits[],
	wheel_waits[];

#endif /* DYNACCEL_WAITS_H */

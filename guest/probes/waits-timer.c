// SPDX-License-Identifier: GPL-2.0-or-later
/* Timers that are armed first and waited for then: fs/timerfd.c, kernel/time/posix-timers.c, itimer.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "waits.h"

#define PERIODS 10

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void wait_timerfd(struct job *job)
{
	int fd = timerfd_create(job->wait->clock, TFD_CLOEXEC);
	struct itimerspec setting = { 0 };
	uint64_t expirations = 0;
	ssize_t got;

	need(job, fd >= 0);
	setting.it_value = begin_timespec(job);
	need(job, timerfd_settime(fd, job->wait->absolute ? TFD_TIMER_ABSTIME : 0,
				  &setting, NULL) == 0);
	got = read(fd, &expirations, sizeof(expirations));
	end(job);
	expect(job, got == sizeof(expirations) && expirations == 1);
}

/*
 * A late reader gets several expirations at once. There may never be more of
 * them than periods have passed, nor fewer: none is early and none is lost.
 */
static void wait_timerfd_periodic(struct job *job)
{
	int fd = timerfd_create(job->wait->clock, TFD_CLOEXEC);
	int64_t period, start, armed, expirations = 0;
	struct itimerspec setting;

	need(job, fd >= 0);
	start = begin(job);
	period = job->ns / PERIODS;
	job->ns = period * PERIODS;
	setting.it_value = setting.it_interval = timespec_of(period);
	need(job, timerfd_settime(fd, 0, &setting, NULL) == 0);
	armed = now(job->wait->clock);
	while (expirations < PERIODS) {
		int64_t due = (now(job->wait->clock) - armed) / period, early;
		uint64_t got;

		expect(job, read(fd, &got, sizeof(got)) == sizeof(got));
		expirations += got;
		expect(job, expirations >= due);
		early = start + expirations * period - now(job->wait->clock);
		if (early > job->early_ns)
			job->early_ns = early;
	}
	end(job);
}

static void block(struct job *job, sigset_t *set, int number)
{
	sigemptyset(set);
	sigaddset(set, number);
	need(job, sigprocmask(SIG_BLOCK, set, NULL) == 0);
}

static void run_timer(struct job *job, struct sigevent *event)
{
	struct itimerspec setting = { 0 };
	sigset_t set;
	timer_t timer;
	int number;

	event->sigev_signo = SIGUSR1;
	block(job, &set, SIGUSR1);
	need(job, timer_create(job->wait->clock, event, &timer) == 0);
	setting.it_value = begin_timespec(job);
	need(job, timer_settime(timer, job->wait->absolute ? TIMER_ABSTIME : 0,
				&setting, NULL) == 0);
	number = sigwaitinfo(&set, NULL);
	end(job);
	expect(job, number == SIGUSR1);
}

static void wait_timer(struct job *job)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL };

	run_timer(job, &event);
}

static void wait_timer_thread(struct job *job)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID };

	event.sigev_notify_thread_id = syscall(SYS_gettid);
	run_timer(job, &event);
}

static void wait_setitimer(struct job *job)
{
	struct itimerval timer = { 0 };
	sigset_t set;
	int number;

	block(job, &set, SIGALRM);
	begin(job);
	timer.it_value = timeval_of(job->ns);
	need(job, setitimer(ITIMER_REAL, &timer, NULL) == 0);
	number = sigwaitinfo(&set, NULL);
	end(job);
	expect(job, number == SIGALRM);
}

static void wait_alarm(struct job *job)
{
	sigset_t set;
	int number;

	block(job, &set, SIGALRM);
	begin(job);
	alarm(job->ns / NSEC_PER_SEC);
	number = sigwaitinfo(&set, NULL);
	end(job);
	expect(job, number == SIGALRM);
}

#define BOTH(label, id, function)						\
	{ label, "hrtimer", id, false, 0, function },				\
	{ label " absolute", "hrtimer", id, true, 0, function }

const struct wait timer_waits[] = {
	BOTH("timerfd REALTIME", CLOCK_REALTIME, wait_timerfd),
	BOTH("timerfd MONOTONIC", CLOCK_MONOTONIC, wait_timerfd),
	BOTH("timerfd BOOTTIME", CLOCK_BOOTTIME, wait_timerfd),
	BOTH("timerfd REALTIME_ALARM", CLOCK_REALTIME_ALARM, wait_timerfd),
	{ "timerfd REALTIME periodic", "hrtimer", CLOCK_REALTIME, false, 0,
	  wait_timerfd_periodic },
	{ "timerfd MONOTONIC periodic", "hrtimer", CLOCK_MONOTONIC, false, 0,
	  wait_timerfd_periodic },
	{ "timerfd BOOTTIME periodic", "hrtimer", CLOCK_BOOTTIME, false, 0,
	  wait_timerfd_periodic },
	BOTH("timer_create REALTIME", CLOCK_REALTIME, wait_timer),
	BOTH("timer_create MONOTONIC", CLOCK_MONOTONIC, wait_timer),
	{ "timer_create BOOTTIME", "hrtimer", CLOCK_BOOTTIME, false, 0, wait_timer },
	{ "timer_create TAI", "hrtimer", CLOCK_TAI, false, 0, wait_timer },
	{ "timer_create BOOTTIME_ALARM", "hrtimer", CLOCK_BOOTTIME_ALARM, false, 0,
	  wait_timer },
	{ "timer_create thread", "hrtimer", CLOCK_MONOTONIC, false, 0,
	  wait_timer_thread },
	{ "setitimer", "hrtimer", CLOCK_MONOTONIC, false, NSEC_PER_USEC,
	  wait_setitimer },
	{ "alarm", "hrtimer", CLOCK_MONOTONIC, false, NSEC_PER_SEC, wait_alarm },
	{ 0 }
};

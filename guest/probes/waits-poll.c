// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that wait for file descriptors until a time-out: fs/select.c, fs/eventpoll.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "waits.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static void poll_descriptor(struct job *job, int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	int result;

	begin(job);
	result = poll(&polled, 1, job->ns / NSEC_PER_MSEC);
	end(job);
	expect(job, result == 0);
}

static void wait_poll(struct job *job)
{
	/* A negative descriptor is passed over. */
	poll_descriptor(job, -1);
}

static void wait_poll_pipe(struct job *job)
{
	int ends[2];

	need(job, pipe(ends) == 0);
	poll_descriptor(job, ends[0]);
}

static void wait_poll_inotify(struct job *job)
{
	int fd = inotify_init1(IN_CLOEXEC);

	need(job, fd >= 0);
	need(job, inotify_add_watch(fd, "/proc/self", IN_DELETE_SELF) >= 0);
	poll_descriptor(job, fd);
}

static void wait_ppoll(struct job *job)
{
	const struct timespec time = begin_timespec(job);
	int result = ppoll(NULL, 0, &time, NULL);

	end(job);
	expect(job, result == 0);
}

static void wait_select(struct job *job)
{
	struct timeval time;
	int result;

	begin(job);
	time = timeval_of(job->ns);
	result = select(0, NULL, NULL, NULL, &time);
	end(job);
	expect(job, result == 0);
}

static void wait_pselect(struct job *job)
{
	const struct timespec time = begin_timespec(job);
	int result = pselect(0, NULL, NULL, NULL, &time, NULL);

	end(job);
	expect(job, result == 0);
}

static void wait_epoll_wait(struct job *job)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), result;
	struct epoll_event event;

	need(job, fd >= 0);
	begin(job);
	result = epoll_wait(fd, &event, 1, job->ns / NSEC_PER_MSEC);
	end(job);
	expect(job, result == 0);
}

static void wait_epoll_pwait(struct job *job)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), result;
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	need(job, fd >= 0);
	begin(job);
	result = epoll_pwait(fd, &event, 1, job->ns / NSEC_PER_MSEC, &none);
	end(job);
	expect(job, result == 0);
}

static void wait_epoll_pwait2(struct job *job)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), result;
	struct epoll_event event;
	struct __kernel_timespec time;

	need(job, fd >= 0);
	time = kernel_timespec(begin_timespec(job));
	result = syscall(SYS_epoll_pwait2, fd, &event, 1, &time, NULL, 0);
	end(job);
	expect(job, result == 0);
}

#define FOR(label, grain, function) \
	{ label, "hrtimer", CLOCK_MONOTONIC, false, grain, function }

const struct wait poll_waits[] = {
	FOR("poll", NSEC_PER_MSEC, wait_poll),
	FOR("poll pipe", NSEC_PER_MSEC, wait_poll_pipe),
	FOR("poll inotify", NSEC_PER_MSEC, wait_poll_inotify),
	FOR("ppoll", 0, wait_ppoll),
	FOR("select", NSEC_PER_USEC, wait_select),
	FOR("pselect", 0, wait_pselect),
	FOR("epoll_wait", NSEC_PER_MSEC, wait_epoll_wait),
	FOR("epoll_pwait", NSEC_PER_MSEC, wait_epoll_pwait),
	FOR("epoll_pwait2", 0, wait_epoll_pwait2),
	{ 0 }
};

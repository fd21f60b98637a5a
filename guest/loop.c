// SPDX-License-Identifier: GPL-2.0-or-later
/* The event loop. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "log.h"
#include "loop.h"

static int epoll_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		fatal("epoll_create1: %s", strerror(errno));
	return fd;
}

void loop_add(struct watch *watch)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET,
		.data.ptr = watch,
	};

	if (epoll_ctl(epoll_fd(), EPOLL_CTL_ADD, watch->fd, &event) < 0)
		fatal("epoll_ctl: %s", strerror(errno));
}

void loop_remove(struct watch *watch)
{
	epoll_ctl(epoll_fd(), EPOLL_CTL_DEL, watch->fd, NULL);
}

void loop_turn(int wait)
{
	struct epoll_event event;
	int ready;

	/*
	 * One event at a time: a handler may remove any watch, and the next
	 * event of a list could be the one that it has just removed.
	 */
	ready = epoll_wait(epoll_fd(), &event, 1, wait ? -1 : 0);
	if (ready < 0 && errno != EINTR)
		fatal("epoll_wait: %s", strerror(errno));
	if (ready == 1) {
		struct watch *watch = event.data.ptr;

		watch->handle(watch);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The event loop. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "events.h"
#include "log.h"

static int queue(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		fatal("epoll_create1: %s", strerror(errno));
	return fd;
}

void events_add(struct watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.ptr = watch };

	if (epoll_ctl(queue(), EPOLL_CTL_ADD, watch->fd, &event) < 0)
		fatal("cannot wait for descriptor %d: %s", watch->fd, strerror(errno));
}

void events_remove(struct watch *watch)
{
	epoll_ctl(queue(), EPOLL_CTL_DEL, watch->fd, NULL);
}

void events_close(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	events_remove(watch);
	close(watch->fd);
	watch->fd = -1;
}

void events_turn(void)
{
	struct epoll_event event;
	int ready;

	/*
	 * One at a time: a handler may free any watch, and the next event of a list
	 * could be the one that it has just freed.
	 */
	ready = epoll_wait(queue(), &event, 1, -1);
	if (ready < 0 && errno != EINTR)
		fatal("epoll_wait: %s", strerror(errno));
	if (ready == 1) {
		struct watch *watch = event.data.ptr;

		watch->handle(watch);
	}
}

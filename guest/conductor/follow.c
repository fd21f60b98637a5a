// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Following a file, across rotation: another file of that name is read from its
 * begin when the old one is read to its end; one that has become shorter is read
 * from its begin, too.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appear.h"
#include "fields.h"
#include "follow.h"
#include "moment.h"
#include "out.h"

/* Somebody who writes line by line is not read line by line. */
#define SETTLE_NS (5 * NS_PER_MS)
#define READ_SIZE (64u << 10)
/* What is read before others get a turn. */
#define READS 16
#define EVENTS (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

/* Returns whether it has come to the present end of the file. */
static bool read_on(struct follow *follow)
{
	static char data[READ_SIZE];

	for (int i = 0; i < READS; i++) {
		ssize_t size;

		if (out_is_full())
			return false; /* it stays in the file */
		size = pread(follow->fd, data, sizeof(data), follow->at);
		if (size <= 0)
			return true;
		follow->at += size;
		lines_feed(&follow->lines, data, size);
	}
	return false;
}

static void open_file(struct follow *follow)
{
	struct stat status;

	follow->fd = open(follow->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	follow->at = 0;
	if (follow->fd < 0)
		return;
	if (fstat(follow->fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(follow->fd);
		follow->fd = -1;
		return;
	}
	follow->device = status.st_dev;
	follow->inode = status.st_ino;
}

static bool is_same(const struct follow *follow, const struct stat *status)
{
	return status->st_dev == follow->device && status->st_ino == follow->inode;
}

static void close_file(struct follow *follow)
{
	lines_end(&follow->lines);
	close(follow->fd);
	follow->fd = -1;
}

/* Returns whether all is read that can be. */
static bool catch_up(struct follow *follow)
{
	struct stat status;

	if (follow->fd < 0)
		open_file(follow);
	if (follow->fd < 0)
		return true;
	if (fstat(follow->fd, &status) == 0 && status.st_size < follow->at) {
		lines_end(&follow->lines);
		follow->at = 0;
	}
	if (!read_on(follow))
		return false;
	if (stat(follow->path, &status) < 0 || is_same(follow, &status))
		return true;
	/* Written between the last reading and this: the old one's last words. */
	if (!read_on(follow))
		return false;
	close_file(follow);
	return false;
}

static void watch_directory(struct follow *follow)
{
	char *path;

	if (follow->directory >= 0 || follow->watch.fd < 0)
		return;
	path = text_copy(follow->path);
	*(strrchr(path, '/') + 1) = '\0';
	follow->directory = inotify_add_watch(follow->watch.fd, path, EVENTS);
	free(path);
}

static void handle_settled(struct timer *timer)
{
	follow_look(container_of(timer, struct follow, settle));
}

static void handle_again(struct timer *timer)
{
	follow_look(container_of(timer, struct follow, again));
}

void follow_look(struct follow *follow)
{
	if (!follow->follows)
		return;
	watch_directory(follow);
	if (!catch_up(follow) && !out_is_full() && !follow->settle.armed)
		timer_real(&follow->settle, 0, handle_settled);
	/* A share that the host writes, or a directory that is not there yet. */
	timer_look_again(&follow->again, handle_again);
}

static bool is_gone(const struct inotify_event *event)
{
	return event->mask & IN_IGNORED;
}

static void handle_change(struct watch *watch)
{
	struct follow *follow = container_of(watch, struct follow, watch);
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t size;

	while ((size = read(watch->fd, events, sizeof(events))) > 0) {
		for (char *at = events; at < events + size;) {
			struct inotify_event *event = (struct inotify_event *)at;

			if (is_gone(event))
				follow->directory = -1;
			at += sizeof(*event) + event->len;
		}
	}
	if (!follow->settle.armed)
		timer_real(&follow->settle, SETTLE_NS, handle_settled);
}

void follow_start(struct follow *follow, const char *path, struct sink *sink)
{
	follow->path = path;
	follow->lines = (struct lines){ .sink = sink, .stream = STREAM_LINE };
	follow->follows = true;
	follow->directory = -1;
	follow->watch = (struct watch){ .events = EPOLLIN, .handle = handle_change };
	follow->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (follow->watch.fd >= 0)
		events_add(&follow->watch);
	watch_directory(follow);
	open_file(follow);
	if (follow->fd >= 0)
		follow->at = lseek(follow->fd, 0, SEEK_END);
	follow_look(follow);
}

void follow_stop(struct follow *follow)
{
	if (!follow->follows)
		return;
	for (int i = 0; i < READS && !catch_up(follow) && !out_is_full(); i++)
		;
	if (follow->fd >= 0)
		close_file(follow);
	follow->follows = false;
	timer_off(&follow->settle);
	timer_off(&follow->again);
	events_close(&follow->watch);
}

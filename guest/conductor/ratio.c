// SPDX-License-Identifier: GPL-2.0-or-later
/* The ratio: set by phases and the host, and watched, for others may set it too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "events.h"
#include "out.h"
#include "ratio.h"
#include "text.h"
#include "timers.h"

static const char *path;
static unsigned int now = 1;
static unsigned int told = 1;
static struct watch watch = { .fd = -1 };

unsigned int ratio_now(void)
{
	return now;
}

static void look(void)
{
	char text[32];
	uint64_t ratio;

	if (text_read(path, text, sizeof(text)) < 0 || !text_u64(text, &ratio) ||
	    !ratio || ratio > RATIO_MAX || ratio == now)
		return;
	timers_follow(now, ratio);
	now = ratio;
}

/* Returns 0 or -1 with errno. */
static int write_ratio(unsigned int ratio)
{
	/* A plain file, in tests, would keep the end of a longer number. */
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	char text[16];
	int size = snprintf(text, sizeof(text), "%u\n", ratio);
	ssize_t written;
	int error;

	if (fd < 0)
		return -1;
	written = write(fd, text, size);
	error = errno;
	close(fd);
	errno = error;
	return written == size ? 0 : -1;
}

void ratio_set_quietly(unsigned int ratio)
{
	static unsigned int failed;
	int error;

	if (ratio == now || write_ratio(ratio) == 0) {
		look();
		return;
	}
	error = errno;
	if (failed == ratio)
		return;
	failed = ratio;
	if (error == ENOENT)
		out_error("the ratio stays %u: this kernel cannot accelerate", now);
	else
		out_error("the ratio stays %u: the kernel refuses %u: %s", now, ratio,
			  strerror(error));
}

void ratio_tell(const char *why)
{
	if (told == now)
		return;
	out_begin(REPORT_RATIO);
	out_number("from", told);
	out_number("to", now);
	out_text("why", why);
	out_end();
	told = now;
}

void ratio_set(unsigned int ratio, const char *why)
{
	ratio_set_quietly(ratio);
	ratio_tell(why);
}

static void handle_change(struct watch *inotify)
{
	char events[4096];

	while (read(inotify->fd, events, sizeof(events)) > 0)
		;
	look();
	ratio_tell("host");
}

void ratio_open(const char *ratio_path)
{
	path = ratio_path;
	look();
	told = now;
	watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch.fd < 0)
		return; /* changes by others are then not seen */
	if (inotify_add_watch(watch.fd, path, IN_MODIFY) < 0) {
		close(watch.fd);
		watch.fd = -1;
		return;
	}
	watch.events = EPOLLIN;
	watch.handle = handle_change;
	events_add(&watch);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/kmsg: "PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT", further fields on lines with a blank. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kmsg.h"
#include "out.h"

/* What one message may have, and more than that. */
#define READ_SIZE 16384
/* What is read in a turn. */
#define READS 64

static const char *const levels[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

static void take_message(struct kmsg *kmsg, const char *line, const char *text)
{
	char whole[8200];
	unsigned long long number;
	unsigned int priority;
	int size;

	if (sscanf(line, "%u,%llu,", &priority, &number) != 2)
		return;
	if (kmsg->next && number > kmsg->next)
		sink_lost(kmsg->sink, number - kmsg->next);
	kmsg->next = number + 1;
	size = snprintf(whole, sizeof(whole), "%s: %s", levels[priority & 7], text);
	if (size >= (int)sizeof(whole))
		size = sizeof(whole) - 1;
	sink_line(kmsg->sink, STREAM_LINE, whole, size);
}

static void take_text(struct kmsg *kmsg)
{
	char *at = kmsg->text.data, *end;
	size_t left = kmsg->text.size;

	while (left && (end = memchr(at, '\n', left))) {
		char *text = memchr(at, ';', end - at);

		*end = '\0';
		if (*at != ' ' && text) {
			*text = '\0';
			take_message(kmsg, at, text + 1);
		}
		left -= end + 1 - at;
		at = end + 1;
	}
	buffer_drop(&kmsg->text, kmsg->text.size - left);
	/* A message that never ends is none. */
	if (left > READ_SIZE)
		kmsg->text.size = 0;
}

/* Returns whether there may be more. */
static bool read_some(struct kmsg *kmsg)
{
	ssize_t size = read(kmsg->watch.fd, buffer_room(&kmsg->text, READ_SIZE), READ_SIZE);

	if (size < 0 && errno == EPIPE)
		return true; /* messages were overwritten; their numbers will tell */
	if (size == 0)
		events_close(&kmsg->watch);
	if (size <= 0)
		return false;
	kmsg->text.size += size;
	take_text(kmsg);
	return true;
}

static void handle_data(struct watch *watch)
{
	struct kmsg *kmsg = container_of(watch, struct kmsg, watch);

	for (int i = 0; i < READS && !out_is_full(); i++)
		if (!read_some(kmsg))
			return;
	if (!out_is_full())
		return;
	events_remove(watch);
	kmsg->paused = true;
}

int kmsg_start(struct kmsg *kmsg, const char *path, struct sink *sink)
{
	kmsg->sink = sink;
	kmsg->watch = (struct watch){ .events = EPOLLIN, .handle = handle_data };
	kmsg->watch.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg->watch.fd < 0)
		return -1;
	events_add(&kmsg->watch);
	return 0;
}

void kmsg_stop(struct kmsg *kmsg)
{
	if (!kmsg->sink || kmsg->watch.fd < 0)
		return;
	for (int i = 0; i < 100 * READS && !out_is_full(); i++)
		if (!read_some(kmsg))
			break;
	if (kmsg->paused)
		close(kmsg->watch.fd);
	else
		events_close(&kmsg->watch);
	kmsg->watch.fd = -1;
	free(kmsg->text.data);
	kmsg->text = (struct buffer){ 0 };
}

void kmsg_resume(struct kmsg *kmsg)
{
	if (!kmsg->paused)
		return;
	kmsg->paused = false;
	events_add(&kmsg->watch);
}

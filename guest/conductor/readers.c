// SPDX-License-Identifier: GPL-2.0-or-later
/* Pipes with the output of programs. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "events.h"
#include "out.h"
#include "readers.h"
#include "text.h"

#define READ_SIZE (64u << 10)
/* What a pipe may hold at most, by default: 1 MiB. */
#define DRAIN_READS 17

struct reader {
	struct watch watch;
	struct lines lines;
	bool paused;
	struct reader *next;
};

static struct reader *readers;

static void end(struct reader *reader)
{
	struct reader **at = &readers;

	lines_end(&reader->lines);
	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	if (reader->paused)
		close(reader->watch.fd);
	else
		events_close(&reader->watch);
	free(reader);
}

/* Returns whether there may be more; a reader that is at its end is freed. */
static bool read_some(struct reader *reader)
{
	static char data[READ_SIZE];
	ssize_t size = read(reader->watch.fd, data, sizeof(data));

	if (size > 0)
		lines_feed(&reader->lines, data, size);
	else if (size == 0 || (errno != EAGAIN && errno != EINTR))
		end(reader);
	return size > 0;
}

static void handle_data(struct watch *watch)
{
	struct reader *reader = container_of(watch, struct reader, watch);

	if (!out_is_full()) {
		read_some(reader);
		return;
	}
	events_remove(watch);
	reader->paused = true;
}

void readers_add(struct sink *sink, enum stream stream, int fd)
{
	struct reader *reader = need_memory(NULL, sizeof(*reader));

	*reader = (struct reader){
		.watch = { .fd = fd, .events = EPOLLIN, .handle = handle_data },
		.lines = { .sink = sink, .stream = stream },
		.next = readers,
	};
	readers = reader;
	events_add(&reader->watch);
}

void readers_drain(const struct sink *sink)
{
	struct reader *reader, *next;

	for (reader = readers; reader; reader = next) {
		next = reader->next;
		if (reader->lines.sink != sink)
			continue;
		for (int i = 0; i < DRAIN_READS && !out_is_full(); i++)
			if (!read_some(reader))
				break;
	}
}

void readers_resume(void)
{
	for (struct reader *reader = readers; reader; reader = reader->next) {
		if (!reader->paused)
			continue;
		reader->paused = false;
		events_add(&reader->watch);
	}
}

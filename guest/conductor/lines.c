// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of text on their way to the host: split, filtered, and gathered into frames. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "lines.h"
#include "moment.h"
#include "out.h"
#include "ratio.h"

#define LINE_MAX_BYTES 8192
#define BATCH_BYTES (64u << 10)
#define BATCH_NS (100 * NS_PER_MS)

static struct sink *sinks;

void sink_open(struct sink *sink, const char *name)
{
	sink->name = name;
	sink->stream = -1;
	sink->next = sinks;
	sinks = sink;
}

void sink_flush(struct sink *sink)
{
	timer_off(&sink->timer);
	if (!sink->batch.size)
		return;
	out_begin(REPORT_LOG);
	out_text("name", sink->name);
	out_records(sink->batch.data, sink->batch.size);
	out_end();
	free(sink->batch.data);
	sink->batch = (struct buffer){ 0 };
	sink->stream = -1;
	sink->at_ns = 0;
}

void sinks_flush(void)
{
	for (struct sink *sink = sinks; sink; sink = sink->next)
		sink_flush(sink);
}

static void handle_timer(struct timer *timer)
{
	sink_flush(container_of(timer, struct sink, timer));
}

/* Say what the next line's stream and time are, when they are others than the last one's. */
static void add_head(struct sink *sink, enum stream stream)
{
	static const char *const names[] = { "out", "err", "line" };
	int64_t now = moment_virtual_ns();
	char text[24];

	if (!sink->batch.size)
		timer_real(&sink->timer, BATCH_NS, handle_timer);
	if (sink->stream != (int)stream)
		frame_add(&sink->batch, "stream", names[stream]);
	sink->stream = stream;
	/* A real millisecond is as good as no difference. */
	if (sink->at_ns && now - sink->at_ns < NS_PER_MS * ratio_now())
		return;
	snprintf(text, sizeof(text), "%" PRId64, now);
	frame_add(&sink->batch, "at", text);
	sink->at_ns = now;
}

void sink_line(struct sink *sink, enum stream stream, const char *line, size_t size)
{
	char text[LINE_MAX_BYTES + 1];

	if (size > LINE_MAX_BYTES)
		size = LINE_MAX_BYTES;
	for (size_t i = 0; i < size; i++)
		text[i] = line[i] ? line[i] : '?';
	text[size] = '\0';
	if (sink->match && regexec(sink->match, text, 0, NULL, 0) != 0)
		return;
	add_head(sink, stream);
	frame_add(&sink->batch, "line", text);
	if (sink->batch.size >= BATCH_BYTES)
		sink_flush(sink);
}

void sink_lost(struct sink *sink, uint64_t lines)
{
	add_head(sink, STREAM_LINE);
	frame_add_number(&sink->batch, "dropped", lines);
}

/* The first line in `data`, or so much of it as a line may have; 0: it is not whole. */
static size_t find_end(const char *data, size_t size, size_t have)
{
	const char *end = memchr(data, '\n', size);
	size_t length = end ? (size_t)(end - data) : size;

	if (have + length > LINE_MAX_BYTES)
		return LINE_MAX_BYTES - have;
	return end ? length + 1 : 0;
}

static void hand_over(struct lines *lines)
{
	struct buffer *partial = &lines->partial;
	size_t size = partial->size;

	if (size && partial->data[size - 1] == '\n')
		size--;
	sink_line(lines->sink, lines->stream, partial->data, size);
	partial->size = 0;
}

void lines_feed(struct lines *lines, const char *data, size_t size)
{
	struct buffer *partial = &lines->partial;
	size_t end;

	if (size && partial->size == LINE_MAX_BYTES && *data != '\n')
		hand_over(lines);
	while (size && (end = find_end(data, size, partial->size))) {
		buffer_add(partial, data, end);
		hand_over(lines);
		data += end;
		size -= end;
	}
	if (size)
		buffer_add(partial, data, size);
}

void lines_end(struct lines *lines)
{
	if (lines->partial.size)
		hand_over(lines);
	free(lines->partial.data);
	lines->partial = (struct buffer){ 0 };
}

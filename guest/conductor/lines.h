/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of text on their way to the host. */
#ifndef LINES_H
#define LINES_H

#include <regex.h>
#include <stdint.h>

#include "frame.h"
#include "timers.h"

enum stream { STREAM_OUT, STREAM_ERR, STREAM_LINE };

/* What gathers the lines of one job or log; all zero but the name at first. */
struct sink {
	const char *name;
	regex_t *match; /* others are passed over; NULL: none is */
	struct buffer batch;
	int64_t at_ns;
	int stream; /* of the last line in `batch` */
	struct timer timer;
	struct sink *next;
};

/* Make it known; `name` lives as long. Once. */
void sink_open(struct sink *sink, const char *name);

void sink_line(struct sink *sink, enum stream stream, const char *line, size_t size);

/* So many lines are missing here. */
void sink_lost(struct sink *sink, uint64_t lines);

/* Send what is gathered. */
void sink_flush(struct sink *sink);
void sinks_flush(void);

/* Bytes that come in pieces, for one stream of a sink. */
struct lines {
	struct sink *sink;
	enum stream stream;
	struct buffer partial;
};

void lines_feed(struct lines *lines, const char *data, size_t size);

/* No more comes: what is there without a newline is a line. */
void lines_end(struct lines *lines);

#endif

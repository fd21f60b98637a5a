/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PAYLOAD_MAX (4u << 20)

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_START = 2,
	FRAME_STARTED = 3,
	FRAME_EXITED = 4,
	FRAME_FAILED = 5,
	FRAME_SIGNAL = 6,
	FRAME_STDIN_END = 7,
	FRAME_SET_RATIO = 8,
	FRAME_RATIO = 9,
	FRAME_HEARTBEAT = 10,
	FRAME_GET_RATIO = 11,
	FRAME_POWEROFF = 12,
	FRAME_ERROR = 13,
};

/* Bytes that wait: to be understood (control input) or sent (output). */
struct buffer {
	char *data;
	size_t size;
	size_t room;
};

/* Make room for `more` bytes behind what is there; returns where they go. */
char *buffer_room(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_drop(struct buffer *buffer, size_t size);

/* A received frame; the payload lies inside the buffer it was found in. */
struct frame {
	unsigned int type;
	char *payload;
	size_t size;
	size_t whole; /* bytes that the frame takes in the buffer */
};

enum frame_state {
	FRAME_PARTIAL,   /* more bytes are needed */
	FRAME_WHOLE,
	FRAME_MALFORMED, /* whole, but its records make no sense: skip it */
	FRAME_LOST,      /* no frame can be found from here on */
};

/* Look at the front of `input`. */
enum frame_state frame_look(const struct buffer *input, struct frame *frame);

/*
 * Walk the records of a whole frame; `at` starts at 0. Key and value are
 * strings inside the payload, which is changed once ('=' becomes NUL).
 */
bool frame_record(const struct frame *frame, size_t *at, char **key, char **value);

/* The value of the last record of that key, or NULL; before frame_record(). */
const char *frame_value(const struct frame *frame, const char *key);

/* Build a frame at the end of `output`: begin, any number of adds, end. */
size_t frame_begin(struct buffer *output, enum frame_type type);
void frame_add(struct buffer *output, const char *key, const char *value);
void frame_add_number(struct buffer *output, const char *key, uint64_t value);
void frame_end(struct buffer *output, size_t begin);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes to the host. */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_type {
	REPORT_READY = 96,
	REPORT_PHASE = 97,
	REPORT_RATIO = 98,
	REPORT_JOB = 99,
	REPORT_SAMPLE = 100,
	REPORT_LOG = 101,
	REPORT_FAULT = 102,
	REPORT_CLOCK = 103,
	REPORT_HELD = 104,
	REPORT_DONE = 105,
	REPORT_ERROR = 106,
	REPORT_ALIVE = 107,
};

/*
 * One frame: begin (number and stamps are put in), any records, end. Never
 * blocks; frames go out before the next wait.
 */
void out_begin(enum report_type type);
void out_text(const char *key, const char *value);
void out_number(const char *key, int64_t value);
void out_records(const char *records, size_t size);
void out_end(void);

/* A frame ERROR with a message. */
void out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether so much waits that whoever can wait should, and lines get lost. */
bool out_is_full(void);

/* What to do when there is room again. */
void out_on_room(void (*resume)(void));

/* Say HELD, and then nothing until out_go(). */
void out_hold(void);
void out_go(void);

/* Write what can be written now; true when more may have come up meanwhile. */
bool out_flush(void);

/* Whether all is written. */
bool out_is_empty(void);

/* Whether nobody will ever read it. */
bool out_is_broken(void);

/* Frames that were begun since the last call. */
unsigned int out_count(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REALTIME, as far as it does not simply go on. */
#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Leave the clock alone: this machine is no guest. */
extern bool date_is_not_ours;

/* Set it, or step it. Return 0 or -1 with errno. No CLOCK frame is sent for these. */
int date_set(int64_t realtime_ns);
int date_step(int64_t step_ns);

/* REALTIME - BOOTTIME. */
int64_t date_offset_ns(void);

/*
 * See whether somebody has stepped it, or any clock has gone back, and tell the
 * host; once in a while, and when the kernel says so.
 */
void date_look(void);

/* A step of that length comes soon that is ours: a leap second. */
void date_expect(int64_t step_ns);

/* Tell a clock that went back. */
void date_tell_back(const char *clock, int64_t back_ns);

/* What is called after each step, with how far it went. */
void date_on_step(void (*stepped)(int64_t step_ns));

#endif

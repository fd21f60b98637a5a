/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdbool.h>
#include <stdint.h>

enum timer_kind {
	TIMER_VIRTUAL, /* due at a BOOTTIME */
	TIMER_REAL,    /* due after real time, whatever becomes of the ratio */
	TIMER_DATE,    /* due at a REALTIME, wherever steps put it */
};

/* A timer that expires once; all zero before its first use. */
struct timer {
	void (*expired)(struct timer *timer);
	enum timer_kind kind;
	bool armed;
	int64_t due_ns;
	struct timer *next;
};

/* Arm, or arm anew. What is past already expires in the next turn. */
void timer_at(struct timer *timer, int64_t boottime_ns, void (*expired)(struct timer *timer));
void timer_real(struct timer *timer, int64_t real_ns, void (*expired)(struct timer *timer));
void timer_date(struct timer *timer, int64_t realtime_ns, void (*expired)(struct timer *timer));
void timer_off(struct timer *timer);

/* The ratio has changed: what is left of real time was counted at the old one. */
void timers_follow(unsigned int old_ratio, unsigned int new_ratio);

/* Start, with what is called when somebody has set REALTIME. */
void timers_open(void (*date_was_set)(void));

/* Tell the kernel what is due next; true when more may have come up meanwhile. */
bool timers_prepare(void);

#endif

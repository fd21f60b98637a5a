/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

uint64_t clock_virtual_ns(void);
uint64_t clock_realtime_ns(void);

/* Set REALTIME. Returns 0 or -1 with errno. */
int clock_set_realtime(uint64_t realtime_ns);

/* The ratio now; 0 when this kernel cannot accelerate. */
unsigned int clock_ratio(void);

/* Write the ratio as it was asked for. Returns 0 or -1 with errno. */
int clock_set_ratio(const char *ratio);

/*
 * Whether the clocksource is the one that will stay. Until then the kernel is
 * still calibrating the TSC against another clock, at ratio 1.
 */
bool clock_settled(void);

/* A timer that runs in real time, whatever becomes of the ratio. */
struct real_timer {
	struct watch watch;
	void (*expired)(void);
	uint64_t due_virtual_ns; /* 0: not armed */
	struct real_timer *next;
};

void real_timer_arm(struct real_timer *timer, uint64_t real_ns, void (*expired)(void));
void real_timer_disarm(struct real_timer *timer);

/* Sleep for a short real time. */
void real_sleep_us(unsigned int real_us);

/* Call `handle` once, `after_ns` of virtual time after `from_ns`. */
void virtual_timer_arm(struct watch *timer, uint64_t from_ns, uint64_t after_ns,
		       void (*handle)(struct watch *timer));

/* Watch for changes of the ratio by others; once /proc is where it stays. */
void clock_watch_ratio(void);

#endif

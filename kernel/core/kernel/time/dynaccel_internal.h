/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dynaccel and the files of the time core share with each other.
 */
#ifndef _KERNEL_TIME_DYNACCEL_INTERNAL_H
#define _KERNEL_TIME_DYNACCEL_INTERNAL_H

#include <linux/dynaccel.h>
#include <linux/log2.h>

struct clocksource;

#ifdef CONFIG_DYNACCEL
/**
 * dynaccel_sched_real - go back from virtual to real time
 * @map:	a line from real to virtual time
 * @now:	virtual nanoseconds, on either side of the line's start
 *
 * Return: real nanoseconds, rounded towards the line's start.
 */
static __always_inline u64 dynaccel_sched_real(const struct dynaccel_sched_map *map,
					       u64 now)
{
	return map->real + div_s64((s64)(now - map->virtual), map->ratio);
}

/* dynaccel_sched.c, for dynaccel.c */
void dynaccel_rescale_sched_clock(u32 ratio);

/* dynaccel.c, for timekeeping.c */
struct clocksource *dynaccel_clocksource(struct clocksource *base);
struct clocksource *dynaccel_clocksource_base(struct clocksource *cs);
struct clocksource *dynaccel_rescaled_clocksource(struct clocksource *cs, u32 ratio);
#else
static inline struct clocksource *dynaccel_clocksource(struct clocksource *base)
{
	return base;
}

static inline struct clocksource *dynaccel_clocksource_base(struct clocksource *cs)
{
	return cs;
}

static inline struct clocksource *
dynaccel_rescaled_clocksource(struct clocksource *cs, u32 ratio)
{
	return cs;
}
#endif

/* timekeeping.c, for dynaccel.c */
void timekeeping_rescale(u32 ratio);

/* tick-broadcast.c, for dynaccel.c */
#ifdef CONFIG_GENERIC_CLOCKEVENTS_BROADCAST
void tick_broadcast_rescale(void);
#else
static inline void tick_broadcast_rescale(void) { }
#endif

/* The watchdogs, for dynaccel.c */
#ifdef CONFIG_SOFTLOCKUP_DETECTOR
void softlockup_rescale(void);
#else
static inline void softlockup_rescale(void) { }
#endif
#ifdef CONFIG_DETECT_HUNG_TASK
void hung_task_rescale(void);
#else
static inline void hung_task_rescale(void) { }
#endif
#ifdef CONFIG_WQ_WATCHDOG
void wq_watchdog_rescale(void);
#else
static inline void wq_watchdog_rescale(void) { }
#endif
#ifdef CONFIG_CLOCKSOURCE_WATCHDOG
void clocksource_watchdog_rescale(void);
#else
static inline void clocksource_watchdog_rescale(void) { }
#endif

/**
 * dynaccel_max_adjustment - how far NTP may steer a multiplier
 * @mult:	the multiplier of a clocksource
 *
 * Return: 11 % of it, the same share as clocksource_max_adjustment() takes.
 */
static inline u32 dynaccel_max_adjustment(u32 mult)
{
	return div_u64((u64)mult * 11, 100);
}

/**
 * dynaccel_scale - make a clocksource's factors count faster
 * @mult:	in: cycles to nanoseconds multiplier, out: the scaled one
 * @shift:	in: the binary shift that belongs to it, out: the scaled one
 * @ratio:	how many times faster, from 1 to DYNACCEL_RATIO_MAX
 *
 * The shift gives way by about log2(@ratio), so that the multiplier keeps its
 * size and with it both its precision and the number of cycles that can be
 * converted without an overflow.
 *
 * Return: true, or false with nothing changed when the scaled multiplier,
 * steered to its limit by NTP, does not fit into 32 bits at any shift.
 */
static inline bool dynaccel_scale(u32 *mult, u32 *shift, u32 ratio)
{
	u64 product = (u64)*mult * ratio, scaled;
	u32 drop;

	for (drop = min_t(u32, ilog2(ratio), *shift); drop <= *shift; drop++) {
		scaled = drop ? (product + (1ULL << (drop - 1))) >> drop : product;
		if (scaled > U32_MAX ||
		    scaled + dynaccel_max_adjustment(scaled) > U32_MAX)
			continue;
		*mult = scaled;
		*shift -= drop;
		return true;
	}
	return false;
}

#endif /* _KERNEL_TIME_DYNACCEL_INTERNAL_H */

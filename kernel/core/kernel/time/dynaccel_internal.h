/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dynaccel and the files of the time core share with each other.
 */
#ifndef _KERNEL_TIME_DYNACCEL_INTERNAL_H
#define _KERNEL_TIME_DYNACCEL_INTERNAL_H

#include <linux/dynaccel.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/sched/clock.h>
#include <linux/timer.h>

struct clocksource;

/* The name until 6.16. */
#ifndef TIMER_NEXT_MAX_DELTA
#define TIMER_NEXT_MAX_DELTA	NEXT_TIMER_MAX_DELTA
#endif

/* Jiffies are reckoned with so many bits behind the point. */
#define DYNACCEL_HW_SHIFT	20
#define DYNACCEL_HW_MASK	((1ULL << DYNACCEL_HW_SHIFT) - 1)

/**
 * struct dynaccel_hw_line - a line from virtual time to hardware time
 * @jiffies:	where it starts, in jiffies << DYNACCEL_HW_SHIFT
 * @hw_jiffies:	where it starts, in jiffies of hardware time << DYNACCEL_HW_SHIFT
 * @ns:		where it starts, in nanoseconds of the monotonic clock
 * @hw_ns:	where it starts, in nanoseconds of hardware time
 * @ratio:	how much steeper virtual time is
 */
struct dynaccel_hw_line {
	u64	jiffies;
	u64	hw_jiffies;
	u64	ns;
	u64	hw_ns;
	u32	ratio;
};

/**
 * dynaccel_hw_count - go from jiffies to those of hardware time
 * @line:	the line that holds
 * @now:	jiffies << DYNACCEL_HW_SHIFT; until the tick that follows a change they
 *		may be before the line's start
 *
 * Return: jiffies of hardware time << DYNACCEL_HW_SHIFT.
 */
static inline u64 dynaccel_hw_count(const struct dynaccel_hw_line *line, u64 now)
{
	if (now <= line->jiffies)
		return line->hw_jiffies;
	return line->hw_jiffies + div_u64(now - line->jiffies, line->ratio);
}

/**
 * dynaccel_hw_ns - go from the monotonic clock to hardware time
 * @line:	the line that holds
 * @now:	nanoseconds; an NMI-safe clock may be a little before the line's start
 *
 * Return: nanoseconds of hardware time.
 */
static inline u64 dynaccel_hw_ns(const struct dynaccel_hw_line *line, u64 now)
{
	return line->hw_ns + div_s64((s64)(now - line->ns), line->ratio);
}

/**
 * dynaccel_hw_due - go from a deadline in hardware time to jiffies
 * @line:	the line that holds
 * @now:	a count of jiffies
 * @deadline:	a count of jiffies of hardware time
 *
 * Return: the first count of jiffies at which the deadline is reached; before
 * @now when it has passed, at the most MAX_JIFFY_OFFSET after @now.
 */
static inline unsigned long dynaccel_hw_due(const struct dynaccel_hw_line *line, u64 now,
					    unsigned long deadline)
{
	u64 hw = dynaccel_hw_count(line, now << DYNACCEL_HW_SHIFT) >> DYNACCEL_HW_SHIFT;
	long left = deadline - (unsigned long)hw;
	u64 ahead;

	if (left <= 0)
		return (unsigned long)now + left;
	if (left > MAX_JIFFY_OFFSET / DYNACCEL_RATIO_MAX ||
	    hw + left > U64_MAX >> DYNACCEL_HW_SHIFT)
		return (unsigned long)now + MAX_JIFFY_OFFSET;
	ahead = ((hw + left) << DYNACCEL_HW_SHIFT) - line->hw_jiffies;
	/* What is before the point does not fit with what is behind it. */
	return (unsigned long)((ahead >> DYNACCEL_HW_SHIFT) * line->ratio) +
	       (unsigned long)((line->jiffies + (ahead & DYNACCEL_HW_MASK) * line->ratio +
				DYNACCEL_HW_MASK) >> DYNACCEL_HW_SHIFT);
}

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

/**
 * dynaccel_sched_stall - what a clock has gone on by since a while of real time
 * @map:	a line from real to virtual time
 * @now:	virtual nanoseconds
 * @real_ns:	how long ago, in real nanoseconds
 *
 * Return: virtual nanoseconds; S64_MAX when the line had not started by then.
 */
static inline s64 dynaccel_sched_stall(const struct dynaccel_sched_map *map,
				       u64 now, s64 real_ns)
{
	if ((s64)(dynaccel_sched_real(map, now) - map->real) < real_ns)
		return S64_MAX;
	return dynaccel_mul_ns(real_ns, map->ratio);
}

/**
 * dynaccel_boot_clock - how long the machine has been up as timekeeping begins
 *
 * Where the scheduler's clock is the generic one, local_clock() stands still until
 * later, and does not show yet what accel_uptime= has set.
 *
 * Return: nanoseconds.
 */
static inline u64 dynaccel_boot_clock(void)
{
	return local_clock() ?: sched_clock();
}

/* dynaccel.c, for dynaccel_hwtime.c */
void dynaccel_rearm_cpus(void);

/* dynaccel.c, for timer.c and sleep_timeout.c */
unsigned long dynaccel_clock_jiffies(void);

/* dynaccel.c, for hrtimer.c */
u32 dynaccel_hang_ns(s64 virtual_ns);
u32 dynaccel_hang_pause(u32 longest);

/* dynaccel_sched.c, for dynaccel.c */
void dynaccel_rescale_sched_clock(u32 ratio);

/* dynaccel_hwtime.c, dynaccel_hwsleep.c, for dynaccel.c, timekeeping.c and timer.c */
void dynaccel_rescale_hwtime(u32 ratio);
void dynaccel_rescale_timers(u32 from, u32 to);
bool dynaccel_timer_early(const struct timer_list *timer);
long dynaccel_schedule_timeout(long timeout);
unsigned long dynaccel_wheel_expires(unsigned long expires, u32 flags);

/**
 * dynaccel_hwtime_tagged - whether a time-out is hardware time
 * @timeout:	in jiffies, neither negative nor endless
 *
 * Return: true when dynaccel_hwtime_tag() has marked it.
 */
static inline bool dynaccel_hwtime_tagged(long timeout)
{
	return timeout & DYNACCEL_HWTIME_TAG;
}

/* dynaccel.c, for timekeeping.c */
struct clocksource *dynaccel_clocksource(struct clocksource *base);
struct clocksource *dynaccel_clocksource_base(struct clocksource *cs);
struct clocksource *dynaccel_rescaled_clocksource(struct clocksource *cs, u32 ratio);
#else
static inline u64 dynaccel_boot_clock(void)
{
	return local_clock();
}

static inline u32 dynaccel_hang_ns(s64 virtual_ns)
{
	return virtual_ns;
}

static inline u32 dynaccel_hang_pause(u32 longest)
{
	return longest;
}

static inline unsigned long dynaccel_clock_jiffies(void)
{
	return jiffies;
}

static inline bool dynaccel_timer_early(const struct timer_list *timer)
{
	return false;
}

static inline bool dynaccel_hwtime_tagged(long timeout)
{
	return false;
}

static inline long dynaccel_schedule_timeout(long timeout)
{
	return timeout;
}

static inline unsigned long dynaccel_wheel_expires(unsigned long expires, u32 flags)
{
	return expires;
}

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

/**
 * dynaccel_timer_expires - when the timer wheel has to look at a timer
 * @expires:	the timer's deadline, in the jiffies that it goes by
 * @flags:	the timer's flags
 *
 * Return: @expires until the ratio first changes; then what
 * dynaccel_wheel_expires() says.
 */
static __always_inline unsigned long dynaccel_timer_expires(unsigned long expires, u32 flags)
{
	if (dynaccel_sched_clock_mapped())
		return dynaccel_wheel_expires(expires, flags);
	return expires;
}

/**
 * dynaccel_timeout_due - when a time-out that begins now is over
 * @timeout:	for how many jiffies
 * @expires:	the same by the count of jiffies
 *
 * Return: in jiffies as the clocks show them, but for the part of the present one
 * that is over: the wheel adds that. @expires at ratio 1.
 */
static __always_inline unsigned long dynaccel_timeout_due(long timeout, unsigned long expires)
{
	return dynaccel_ratio() == 1 ? expires : dynaccel_clock_jiffies() + timeout;
}

/**
 * dynaccel_timeout_left - what is left of a time-out
 * @due:	from dynaccel_timeout_due(), maybe at another ratio
 *
 * By the count of jiffies, up to a tick of it would be lost to whoever wakes up
 * and waits for the rest: at ratio N that is N jiffies, and at ratio 1 afterwards
 * so many ticks.
 *
 * Return: a number of jiffies; none or a negative one when it is over.
 */
static __always_inline long dynaccel_timeout_left(unsigned long due)
{
	return due - (dynaccel_ratio() == 1 ? jiffies : dynaccel_clock_jiffies());
}

/**
 * dynaccel_settle_timeout - arm the timer of a time-out for the right jiffy
 * @timer:	the timer, armed for no earlier than that
 * @timeout:	for how many jiffies
 *
 * The wheel adds what the count of jiffies lags behind. So the timer has to be
 * armed by that very count, and not by one of before a tick.
 */
static inline void dynaccel_settle_timeout(struct timer_list *timer, long timeout)
{
	unsigned long now;

	if (dynaccel_ratio() == 1)
		return;
	do {
		now = jiffies;
		mod_timer(timer, now + timeout);
	} while (unlikely(time_after(jiffies, now)));
}

/**
 * dynaccel_rescaled_ns - what is left of a duration of real time at a new ratio
 * @left:	in virtual nanoseconds at the old ratio; may be negative
 * @from:	the ratio until now
 * @to:		the ratio from now on
 *
 * Return: virtual nanoseconds that take as much real time.
 */
static inline s64 dynaccel_rescaled_ns(s64 left, u32 from, u32 to)
{
	return div_s64(left, from) * to;
}

/* kernel/sched/deadline.c, for dynaccel_hwtime.c, since there are such servers */
void dl_server_rescale(u32 from, u32 to);

/* timekeeping.c, for dynaccel.c */
void timekeeping_rescale(u32 ratio);

/* tick-sched.c and timer.c, for dynaccel_hwtime.c and timekeeping.c */
#ifdef CONFIG_TICK_ONESHOT
void tick_catch_up_jiffies(void);
ktime_t tick_jiffies_time(void);
#else
static inline void tick_catch_up_jiffies(void) { }

static inline ktime_t tick_jiffies_time(void)
{
	return 0;
}
#endif
void timers_rescale(void);

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

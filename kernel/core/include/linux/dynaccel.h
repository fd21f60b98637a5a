/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dynaccel - time that flows N times faster
 *
 * At ratio N everything that software can read or wait on runs N times faster
 * than real time. The hardware keeps real time. Two kinds of nanoseconds
 * therefore meet in the time core: virtual ones, which all clocks show, and
 * real ones, which a clock event device counts.
 */
#ifndef _LINUX_DYNACCEL_H
#define _LINUX_DYNACCEL_H

#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sched/clock.h>
#include <linux/time64.h>
#include <linux/types.h>

#define DYNACCEL_RATIO_MIN	1
#define DYNACCEL_RATIO_MAX	1000

/**
 * dynaccel_div_ns - turn virtual nanoseconds into real ones
 * @virtual_ns:	a duration that is not negative
 * @ratio:	how many times faster virtual time flows
 *
 * Return: the duration in real time, rounded up so that an event which is
 * programmed with it never comes early.
 */
static inline s64 dynaccel_div_ns(s64 virtual_ns, u32 ratio)
{
	return div_u64((u64)virtual_ns + ratio - 1, ratio);
}

/**
 * dynaccel_mul_ns - turn real nanoseconds into virtual ones
 * @real_ns:	a duration that is not negative
 * @ratio:	how many times faster virtual time flows
 *
 * Return: the duration in virtual time, S64_MAX when it does not fit.
 */
static inline s64 dynaccel_mul_ns(s64 real_ns, u32 ratio)
{
	if (real_ns > div_u64(S64_MAX, ratio))
		return S64_MAX;
	return real_ns * ratio;
}

/**
 * dynaccel_mul_jiffies - turn jiffies of real time into those of virtual time
 * @real:	a duration in jiffies
 * @ratio:	how many times faster virtual time flows
 *
 * Return: the duration in jiffies as they count now, at the most
 * MAX_JIFFY_OFFSET.
 */
static inline unsigned long dynaccel_mul_jiffies(unsigned long real, u32 ratio)
{
	return min_t(u64, mul_u32_u32(min_t(u64, real, U32_MAX), ratio),
		     MAX_JIFFY_OFFSET);
}

#ifdef CONFIG_DYNACCEL

/**
 * struct dynaccel_sched_map - a line from real to virtual time
 * @real:	where it starts, in real nanoseconds
 * @virtual:	where it starts, in virtual nanoseconds
 * @ratio:	how steep it is
 */
struct dynaccel_sched_map {
	u64	real;
	u64	virtual;
	u32	ratio;
};

DECLARE_STATIC_KEY_FALSE(dynaccel_active);
DECLARE_STATIC_KEY_FALSE(dynaccel_sched_mapped);
extern u32 dynaccel_speedup_ratio;
extern const struct dynaccel_sched_map *dynaccel_sched_map;

u64 dynaccel_real_clock(void);
s64 dynaccel_stall_ns(s64 real_ns);
unsigned long dynaccel_measure_jiffies_lag(void);

/**
 * dynaccel_ratio - how many times faster than real time all clocks run now
 *
 * Return: the ratio; 1 at the price of a patched-out branch.
 */
static __always_inline u32 dynaccel_ratio(void)
{
	if (static_branch_unlikely(&dynaccel_active))
		return READ_ONCE(dynaccel_speedup_ratio);
	return 1;
}

/**
 * dynaccel_sched_clock - what sched_clock() returns
 * @real:	what its hardware shows, in nanoseconds
 *
 * Always inline, for it is called where nothing may be instrumented.
 *
 * Return: virtual nanoseconds.
 */
static __always_inline u64 dynaccel_sched_clock(u64 real)
{
	const struct dynaccel_sched_map *map;

	if (!static_branch_unlikely(&dynaccel_sched_mapped))
		return real;
	map = READ_ONCE(dynaccel_sched_map);
	/* CPUs whose hardware disagrees may be before the start of the line. */
	return map->virtual + (real - map->real) * map->ratio;
}

/**
 * dynaccel_sched_clock_mapped - whether sched_clock() is not its hardware's
 *
 * Return: true once the ratio has been changed, also when it is 1 again.
 */
static __always_inline bool dynaccel_sched_clock_mapped(void)
{
	return static_branch_unlikely(&dynaccel_sched_mapped);
}

/**
 * dynaccel_real_jiffies - a count of jiffies that runs in real time
 *
 * For what guards real progress across changes of the ratio.
 *
 * Return: a number that grows by HZ in a real second.
 */
static inline unsigned long dynaccel_real_jiffies(void)
{
	return (unsigned long)div_u64(dynaccel_real_clock(), NSEC_PER_SEC / HZ);
}

#else /* CONFIG_DYNACCEL */

static __always_inline u32 dynaccel_ratio(void)
{
	return 1;
}

static __always_inline u64 dynaccel_sched_clock(u64 real)
{
	return real;
}

static __always_inline bool dynaccel_sched_clock_mapped(void)
{
	return false;
}

static inline u64 dynaccel_real_clock(void)
{
	return local_clock();
}

static inline s64 dynaccel_stall_ns(s64 real_ns)
{
	return real_ns;
}

static inline unsigned long dynaccel_measure_jiffies_lag(void)
{
	return 0;
}

static inline unsigned long dynaccel_real_jiffies(void)
{
	return jiffies;
}

#endif /* CONFIG_DYNACCEL */

/**
 * dynaccel_real_ns - what a clock event device has to count
 * @virtual_ns:	a duration that is not negative
 *
 * Return: the duration in real time at the present ratio, rounded up.
 */
static __always_inline s64 dynaccel_real_ns(s64 virtual_ns)
{
	u32 ratio = dynaccel_ratio();

	return ratio == 1 ? virtual_ns : dynaccel_div_ns(virtual_ns, ratio);
}

/**
 * dynaccel_virtual_ns - what the clocks show after a duration of real time
 * @real_ns:	a duration that is not negative
 *
 * Return: the duration in virtual time at the present ratio.
 */
static __always_inline s64 dynaccel_virtual_ns(s64 real_ns)
{
	u32 ratio = dynaccel_ratio();

	return ratio == 1 ? real_ns : dynaccel_mul_ns(real_ns, ratio);
}

/**
 * dynaccel_tick_nsec - the period of the tick on the clocks
 *
 * The tick keeps its real frequency, or an N times faster one would drown the
 * CPU. On the clocks it comes every N * TICK_NSEC, and jiffies catch up by N.
 *
 * Return: virtual nanoseconds from one tick to the next.
 */
static __always_inline u64 dynaccel_tick_nsec(void)
{
	return (u64)TICK_NSEC * dynaccel_ratio();
}

/**
 * dynaccel_periods - how many periods of a quota of CPU time to take as one
 * @period_ns:	the period in virtual nanoseconds
 *
 * What a task used up is seen in the tick. Periods of which many pass in a tick
 * would be refilled one by one at a rate that no interrupt can keep up with.
 *
 * Return: as many as fit into a tick, at least 1; 1 at ratio 1.
 */
static __always_inline u32 dynaccel_periods(s64 period_ns)
{
	if (dynaccel_ratio() == 1)
		return 1;
	return max_t(u64, div64_u64(dynaccel_tick_nsec(), period_ns), 1);
}

/**
 * dynaccel_refills - how many quotas to hand out for periods that have passed
 * @periods:	how many have passed
 *
 * Linux hands out one, for it can be late by few; in accelerated time an
 * interrupt that comes a little late is late by many.
 *
 * Return: @periods; 1 at ratio 1.
 */
static __always_inline u32 dynaccel_refills(u32 periods)
{
	return dynaccel_ratio() == 1 ? 1 : periods;
}

/**
 * dynaccel_idle_grain - how close the timer-wheel events of an idle CPU may be
 *
 * A busy CPU looks at its timer wheel in each tick, which is N jiffies apart. An
 * idle one can be woken for the very jiffy, but not thousands of times in a tick.
 *
 * Return: virtual nanoseconds; a jiffy as long as 16 of them make a tick.
 */
static __always_inline u64 dynaccel_idle_grain(void)
{
	return (u64)TICK_NSEC * DIV_ROUND_UP(dynaccel_ratio(), 16);
}

/**
 * dynaccel_idle_event - when to wake an idle CPU for its timer wheel
 * @base:	when jiffies were brought up to date
 * @next:	when the next timer is due
 *
 * Return: @next, or one grain from @base should that be later; @next at ratio 1.
 */
static __always_inline u64 dynaccel_idle_event(u64 base, u64 next)
{
	if (dynaccel_ratio() == 1)
		return next;
	/* One more: what is due within the grain would leave the tick running. */
	return max(next, base + dynaccel_idle_grain() + 1);
}

/**
 * dynaccel_idle_jiffy - the count of jiffies at which to wake an idle CPU
 * @base:	jiffies as they were brought up to date
 * @next:	when the next timer is due
 *
 * Return: @next, or more than one grain after @base should that be later: a CPU
 * whose next timer is so near can be idle. @next at ratio 1.
 */
static __always_inline unsigned long dynaccel_idle_jiffy(unsigned long base,
							 unsigned long next)
{
	unsigned long far = base + DIV_ROUND_UP(dynaccel_ratio(), 16) + 1;

	if (dynaccel_ratio() == 1)
		return next;
	return time_before(next, far) ? far : next;
}

/**
 * dynaccel_own_events - let a CPU that goes idle run all its timers itself
 * @local:	when the first timer is due that only this CPU may run
 * @global:	when the first one is due that any CPU may run
 *
 * Another one, were it busy, would look at them in its tick, which is N jiffies
 * long. With nothing global left, no other one is asked. Nothing at ratio 1.
 */
static __always_inline void dynaccel_own_events(u64 *local, u64 *global)
{
	if (dynaccel_ratio() == 1)
		return;
	*local = min(*local, *global);
	*global = KTIME_MAX;
}

/**
 * dynaccel_idle_length - how long an idle CPU sleeps for real
 * @virtual_ns:	by the clocks; negative when an event is overdue
 *
 * What it takes to enter a state of idleness and to leave it again is hardware's.
 *
 * Return: the duration in real time at the present ratio.
 */
static __always_inline s64 dynaccel_idle_length(s64 virtual_ns)
{
	return virtual_ns < 0 ? virtual_ns : dynaccel_real_ns(virtual_ns);
}

/**
 * dynaccel_hw_jiffies - a duration of real time as a number of jiffies
 * @real:	the duration in jiffies at ratio 1
 *
 * For limits that guard real progress, such as a stall detector's.
 *
 * Return: as many jiffies as the same real time takes at the present ratio.
 */
static __always_inline unsigned long dynaccel_hw_jiffies(unsigned long real)
{
	u32 ratio = dynaccel_ratio();

	return ratio == 1 ? real : dynaccel_mul_jiffies(real, ratio);
}

/**
 * dynaccel_jiffies_lag - how many jiffies the count is behind the clocks now
 *
 * At ratio N jiffies go forward by N in a tick. Who adds a time-out to them at
 * the end of a tick would have it come up to N - 1 jiffies early.
 *
 * Return: what to add to a deadline that was reckoned from jiffies; 0 at ratio 1.
 */
static __always_inline unsigned long dynaccel_jiffies_lag(void)
{
	return dynaccel_ratio() == 1 ? 0 : dynaccel_measure_jiffies_lag();
}

#endif /* _LINUX_DYNACCEL_H */

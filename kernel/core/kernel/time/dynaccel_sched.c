// SPDX-License-Identifier: GPL-2.0-only
/*
 * dynaccel - the scheduler's clock in virtual time
 *
 * What the architecture's sched_clock() counts in real nanoseconds is mapped
 * onto a line that runs N times as steep and bends, without a step, whenever the
 * ratio changes. CPU time, the scheduler and the stamps of printk and ftrace
 * follow from there. It is a map of its own because sched_clock() has another
 * origin than the clocksource and must be readable from an NMI.
 */
#include <linux/dynaccel.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>

#include "dynaccel_internal.h"

DEFINE_STATIC_KEY_FALSE(dynaccel_sched_mapped);

/*
 * Two of them, used in turn: an NMI may still go by the one that is replaced. It
 * cannot do so for longer than until the next change, which is stop_machine()'s.
 */
static struct dynaccel_sched_map dynaccel_sched_maps[2] = {
	{ .ratio = 1 },
};

const struct dynaccel_sched_map *dynaccel_sched_map __read_mostly =
	&dynaccel_sched_maps[0];

/**
 * dynaccel_real_clock - real time as a number of nanoseconds
 *
 * The local clock of this CPU with the acceleration taken out again. For
 * measuring how long something took for real, also across a change of the ratio.
 *
 * Return: nanoseconds since about the boot.
 */
u64 notrace dynaccel_real_clock(void)
{
	const struct dynaccel_sched_map *map;
	u64 real;

	/* The map does not change below our feet while the CPU is ours. */
	preempt_disable_notrace();
	map = READ_ONCE(dynaccel_sched_map);
	real = dynaccel_sched_real(map, local_clock());
	preempt_enable_notrace();
	return real;
}

/**
 * dynaccel_stall_ns - how far apart stamps of the scheduler's clock may be
 * @real_ns:	the real time after which something counts as stalled
 *
 * A stamp from before a change of the ratio cannot be judged by the ratio that
 * holds now: seconds of virtual time at 1000 are milliseconds of real time, and
 * would be a stall at ratio 1.
 *
 * Return: virtual nanoseconds; S64_MAX until the ratio has held for so long.
 */
s64 dynaccel_stall_ns(s64 real_ns)
{
	s64 limit;

	/* The map does not change below our feet while the CPU is ours. */
	preempt_disable();
	limit = dynaccel_sched_stall(READ_ONCE(dynaccel_sched_map), local_clock(),
				     real_ns);
	preempt_enable();
	return limit;
}

/**
 * dynaccel_rescale_sched_clock - let the scheduler's clock run at a new ratio
 * @ratio:	how many times faster than real time
 *
 * Called in stop_machine(), once dynaccel_sched_mapped is on.
 */
void dynaccel_rescale_sched_clock(u32 ratio)
{
	const struct dynaccel_sched_map *map = dynaccel_sched_map;
	struct dynaccel_sched_map *next;
	u64 now = sched_clock();

	next = &dynaccel_sched_maps[map == &dynaccel_sched_maps[0]];
	next->virtual = now;
	next->real = dynaccel_sched_real(map, now);
	next->ratio = ratio;
	/* An NMI that sees the pointer sees what it points to. */
	smp_store_release(&dynaccel_sched_map, next);
}

/*
 * accel_uptime=SECONDS: a machine that has been up for so long at boot. Counters
 * that end after weeks or months of uptime end minutes after the boot then.
 * CLOCK_MONOTONIC starts at what local_clock() shows, see timekeeping_init().
 */
static int __init dynaccel_set_uptime(char *arg)
{
	u64 before, moved;
	u32 seconds;

	if (kstrtou32(arg, 10, &seconds)) {
		pr_err("dynaccel: accel_uptime=%s is not a number of seconds, ignored\n",
		       arg);
		return 1;
	}

	before = sched_clock();
	jiffies_64 += (u64)seconds * HZ;
	/* Some count jiffies until their hardware is up. */
	moved = sched_clock() - before;
	dynaccel_sched_maps[0].virtual = (u64)seconds * NSEC_PER_SEC;
	if (moved >= NSEC_PER_SEC)
		dynaccel_sched_maps[0].virtual -= min(dynaccel_sched_maps[0].virtual, moved);
	static_branch_enable(&dynaccel_sched_mapped);
	return 1;
}
__setup("accel_uptime=", dynaccel_set_uptime);

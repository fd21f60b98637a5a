// SPDX-License-Identifier: GPL-2.0-only
/*
 * dynaccel - time that flows N times faster
 *
 * Nothing is multiplied where it is used. What is scaled is the pair on which
 * all else stands: the clocksource (cycles to nanoseconds) and the clock event
 * devices (nanoseconds to cycles). Timekeeping works on a shadow of the
 * clocksource whose factors are N times larger, clockevents divides what it
 * programs by N, and the tick keeps its real frequency.
 */
#define pr_fmt(fmt) "dynaccel: " fmt

#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/cpu.h>
#include <linux/dynaccel.h>
#include <linux/dynaccel_compat.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>

#include "dynaccel_internal.h"
#include "tick-internal.h"
#include "timekeeping.h"
#include "dynaccel_compat_internal.h"

DEFINE_STATIC_KEY_FALSE(dynaccel_active);

u32 dynaccel_speedup_ratio __read_mostly = 1;

/* Serializes changes of the ratio. */
static DEFINE_MUTEX(dynaccel_mutex);

/**
 * struct dynaccel_shadow - a clocksource that counts faster than its base
 * @cs:		what timekeeping works with
 * @base:	the clocksource of the hardware
 */
struct dynaccel_shadow {
	struct clocksource	cs;
	struct clocksource	*base;
};

/*
 * Two of them, used in turn: an NMI on another CPU may still read time through
 * the one that is being replaced.
 */
static struct dynaccel_shadow dynaccel_shadows[2];
static unsigned int dynaccel_shadow_next;

static u64 dynaccel_shadow_read(struct clocksource *cs)
{
	struct clocksource *base;

	/* The base's read function may look for what surrounds its own struct. */
	base = container_of(cs, struct dynaccel_shadow, cs)->base;
	return base->read(base);
}

/**
 * dynaccel_clocksource_base - find the hardware's clocksource
 * @cs:	a clocksource or the shadow of one
 *
 * Return: the clocksource that was registered.
 */
struct clocksource *dynaccel_clocksource_base(struct clocksource *cs)
{
	if (cs->read != dynaccel_shadow_read)
		return cs;
	return container_of(cs, struct dynaccel_shadow, cs)->base;
}

/* Returns NULL when the clocksource cannot be scaled that far. */
static struct clocksource *dynaccel_scaled(struct clocksource *base, u32 ratio)
{
	u32 mult = base->mult, shift = base->shift;
	struct dynaccel_shadow *shadow;
	struct clocksource *cs;

	/* What counts jiffies stays: the tick brings them forward by the ratio. */
	if (ratio == 1 || !(base->flags & CLOCK_SOURCE_IS_CONTINUOUS))
		return base;

	if (!dynaccel_scale(&mult, &shift, ratio))
		return NULL;

	shadow = &dynaccel_shadows[dynaccel_shadow_next];
	dynaccel_shadow_next ^= 1;

	cs = &shadow->cs;
	*cs = *base;
	shadow->base = base;
	cs->read = dynaccel_shadow_read;
	/* Timekeeping switches the base itself on and off. */
	cs->enable = NULL;
	cs->disable = NULL;
	cs->mult = mult;
	cs->shift = shift;
	cs->maxadj = base->maxadj ? dynaccel_max_adjustment(mult) : 0;
	cs->max_idle_ns = clocks_calc_max_nsecs(mult, shift, cs->maxadj,
						cs->mask, &cs->max_cycles);
	return cs;
}

/*
 * In stop_machine(). RCU's limit is a number of jiffies that was reckoned at the
 * old ratio: it has to go before the first jiffy counts at the new one.
 */
static void dynaccel_publish_ratio(u32 ratio)
{
	WRITE_ONCE(dynaccel_speedup_ratio, ratio);
	dynaccel_rescale_sched_clock(ratio);
	dynaccel_rescale_hwtime(ratio);
	rcu_stall_rescale();
}

/**
 * dynaccel_clocksource - get what timekeeping shall work with at this ratio
 * @base:	the clocksource of the hardware which is being installed
 *
 * Called by timekeeping in stop_machine(). Should the new clocksource count too
 * slowly to be scaled (less than about 300 Hz), time goes on unaccelerated.
 *
 * Return: @base itself at ratio 1, else a shadow of it.
 */
struct clocksource *dynaccel_clocksource(struct clocksource *base)
{
	struct clocksource *cs = dynaccel_scaled(base, dynaccel_ratio());

	if (cs)
		return cs;
	pr_err("clocksource %s cannot be scaled, ratio is 1 now\n", base->name);
	dynaccel_publish_ratio(1);
	return base;
}

/**
 * dynaccel_rescaled_clocksource - publish a new ratio and get its clocksource
 * @cs:		what timekeeping works with now, brought up to date
 * @ratio:	the new ratio
 *
 * Called by timekeeping in stop_machine(): no CPU sees the new ratio with the
 * old clocksource or the other way round.
 *
 * Return: what timekeeping shall work with; @cs, and the ratio stays as it was,
 * when the clocksource cannot be scaled that far.
 */
struct clocksource *dynaccel_rescaled_clocksource(struct clocksource *cs, u32 ratio)
{
	struct clocksource *scaled;

	scaled = dynaccel_scaled(dynaccel_clocksource_base(cs), ratio);
	if (!scaled)
		return cs;
	dynaccel_publish_ratio(ratio);
	return scaled;
}

/*
 * Arm this CPU's clock event device for the new ratio. What it was armed with
 * is the right virtual time at the wrong real one, and what goes by hardware time
 * has other virtual times now: it is made due at once, and looks at its queues. So
 * is a running tick, whose old period may be N times too long.
 */
static void dynaccel_rearm_cpu(void *unused)
{
	struct tick_sched *ts = tick_get_tick_sched(smp_processor_id());
	struct clock_event_device *dev = __this_cpu_read(tick_cpu_device.evtdev);
	ktime_t now = ktime_get();

	softlockup_rescale();

	if (!dev || !clockevent_state_oneshot(dev))
		return;

	if (!dynaccel_tick_stopped(ts) && hrtimer_is_queued(&ts->sched_timer))
		hrtimer_start(&ts->sched_timer, now, HRTIMER_MODE_ABS_PINNED_HARD);
	clockevents_program_event(dev, min(dev->next_event, now), true);
}

static DEFINE_PER_CPU(call_single_data_t, dynaccel_rearm) = { .func = dynaccel_rearm_cpu };

/*
 * In stop_machine(): each CPU does it as soon as it has interrupts again. Whoever
 * changes the ratio may have to wait for a CPU first, and a busy one without its
 * tick, which may be N times too far away, does not change over.
 */
void dynaccel_rearm_cpus(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		smp_call_function_single_async(cpu, per_cpu_ptr(&dynaccel_rearm, cpu));
}

/* Of the last interrupt on a CPU that did not come to an end with expired timers. */
static DEFINE_PER_CPU(u32, dynaccel_hang);

/**
 * dynaccel_hang_ns - note that an interrupt did not come to an end with expired timers
 * @virtual_ns:	for how long it tried, not negative
 *
 * Return: the duration in real nanoseconds.
 */
u32 dynaccel_hang_ns(s64 virtual_ns)
{
	this_cpu_write(dynaccel_hang, min_t(s64, virtual_ns, U32_MAX));
	return dynaccel_real_ns(virtual_ns);
}

/**
 * dynaccel_hang_pause - for how long timers have to wait then
 * @longest:	the longest such interrupt on this CPU, in real nanoseconds
 *
 * Since 7.1 Linux waits for as long as the longest took. Where timers expire N times
 * as often that is nothing rare, and one interrupt during which a host took the
 * CPU away would make all that wait late for good. So it is what this one took, as
 * it was until then.
 *
 * Return: virtual nanoseconds; @longest at ratio 1.
 */
u32 dynaccel_hang_pause(u32 longest)
{
	return dynaccel_ratio() == 1 ? longest : this_cpu_read(dynaccel_hang);
}

/* What waits for its next check may have been sent to wait at a larger ratio. */
static void dynaccel_rescale_watchdogs(void)
{
	hung_task_rescale();
	wq_watchdog_rescale();
	clocksource_watchdog_rescale();
}

/*
 * How many jiffies are over which the tick has not added to @count yet. When the
 * periodic tick counts them, the coarse clock stands as they do.
 */
static unsigned long dynaccel_uncounted_jiffies(unsigned long *count)
{
	struct timespec64 coarse;
	ktime_t reached;
	unsigned int seq;
	s64 since;

	do {
		seq = read_seqcount_begin(&jiffies_seq);
		*count = jiffies;
		reached = tick_jiffies_time();
	} while (read_seqcount_retry(&jiffies_seq, seq));

	if (!reached) {
		ktime_get_coarse_ts64(&coarse);
		reached = timespec64_to_ktime(coarse);
	}
	/* Not ktime_get(): timers are armed while timekeeping is suspended too. */
	since = ktime_get_mono_fast_ns() - ktime_to_ns(reached);
	return since > 0 ? div_u64(since, TICK_NSEC) : 0;
}

/**
 * dynaccel_measure_jiffies_lag - compare the count of jiffies with the clocks
 *
 * Return: the number of jiffies that the count is behind, the one that has begun
 * included.
 */
unsigned long dynaccel_measure_jiffies_lag(void)
{
	unsigned long count;

	return dynaccel_uncounted_jiffies(&count) + 1;
}

/**
 * dynaccel_clock_jiffies - the count of jiffies as the clocks show it
 *
 * Return: how many jiffies are over, whether the tick has counted them or not.
 */
unsigned long dynaccel_clock_jiffies(void)
{
	unsigned long count, uncounted = dynaccel_uncounted_jiffies(&count);

	return count + uncounted;
}

static bool dynaccel_ratio_valid(u32 ratio)
{
	return ratio >= DYNACCEL_RATIO_MIN && ratio <= DYNACCEL_RATIO_MAX;
}

/*
 * Make time flow @ratio times faster than real time. No clock steps or goes
 * back, and whoever waits already goes on waiting at the new ratio. Returns
 * -EINVAL with nothing changed when the clocksource cannot be scaled that far.
 */
static int dynaccel_set_ratio(u32 ratio)
{
	int ret = 0;

	mutex_lock(&dynaccel_mutex);
	if (ratio != dynaccel_speedup_ratio) {
		/* Harmless while the ratio is 1, and they take locks of their own. */
		static_branch_enable(&dynaccel_active);
		static_branch_enable(&dynaccel_sched_mapped);
		cpus_read_lock();
		timekeeping_rescale(ratio);
		dynaccel_rescale_watchdogs();
		kick_all_cpus_sync();
		tick_broadcast_rescale();
		cpus_read_unlock();
		ret = dynaccel_speedup_ratio == ratio ? 0 : -EINVAL;
		if (dynaccel_speedup_ratio == 1)
			static_branch_disable(&dynaccel_active);
	}
	mutex_unlock(&dynaccel_mutex);
	return ret;
}

/*
 * The ratio after boot. It takes effect late: drivers probe, the root file
 * system is mounted and clocksources are calibrated against each other at 1
 * (x86 takes a second after its device initcalls to refine the TSC).
 */
#define DYNACCEL_START_DELAY	(2 * HZ)

static u32 dynaccel_start_ratio = CONFIG_SPEEDUP_RATIO;

static void dynaccel_start(struct work_struct *work)
{
	if (system_state < SYSTEM_RUNNING)
		schedule_delayed_work(to_delayed_work(work), DYNACCEL_START_DELAY);
	else if (dynaccel_set_ratio(dynaccel_start_ratio))
		pr_err("the clocksource cannot be scaled by %u\n",
		       dynaccel_start_ratio);
}

static DECLARE_DELAYED_WORK(dynaccel_start_work, dynaccel_start);

static int __init dynaccel_setup(char *arg)
{
	u32 ratio;

	if (kstrtou32(arg, 10, &ratio) || !dynaccel_ratio_valid(ratio))
		pr_err("accel=%s is not a number from %d to %d, ignored\n", arg,
		       DYNACCEL_RATIO_MIN, DYNACCEL_RATIO_MAX);
	else
		dynaccel_start_ratio = ratio;
	return 1;
}
__setup("accel=", dynaccel_setup);

#ifdef CONFIG_SYSCTL
/*
 * Not proc_douintvec_minmax(): over the years it has taken text that follows
 * the number and numbers that do not fit, and this has to refuse both.
 */
static int dynaccel_sysctl(DYNACCEL_CTL_TABLE *table, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	char text[24] = "";
	struct ctl_table line = { .data = text, .maxlen = sizeof(text) };
	u32 ratio;
	int ret;

	if (write && *lenp >= sizeof(text))
		return -EINVAL;
	if (!write)
		snprintf(text, sizeof(text), "%u", dynaccel_speedup_ratio);

	ret = proc_dostring(&line, write, buffer, lenp, ppos);
	if (ret || !write)
		return ret;

	if (kstrtou32(strim(text), 10, &ratio) || !dynaccel_ratio_valid(ratio))
		return -EINVAL;
	/* Who writes overrules what was asked for at boot. */
	cancel_delayed_work_sync(&dynaccel_start_work);
	return dynaccel_set_ratio(ratio);
}

static struct ctl_table dynaccel_table[] = {
	{
		.procname	= "accel",
		.mode		= 0644,
		.proc_handler	= dynaccel_sysctl,
	},
	DYNACCEL_CTL_TABLE_END
};
#endif

static int __init dynaccel_init(void)
{
#ifdef CONFIG_SYSCTL
	if (!register_sysctl("kernel", dynaccel_table))
		pr_err("cannot register kernel.accel\n");
#endif
	if (dynaccel_start_ratio > 1)
		schedule_delayed_work(&dynaccel_start_work, DYNACCEL_START_DELAY);
	return 0;
}
late_initcall(dynaccel_init);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * dynaccel - hardware time, for what waits for a device
 *
 * A device keeps real time, whatever the clocks show. Jiffies of hardware time
 * and nanoseconds of hardware time are lines over jiffies and over the monotonic
 * clock which are an N-th as steep, bend whenever the ratio changes, and are the
 * same as what they stand on until it first does. Timers that go by them are
 * queued where all timers are, at the virtual time that is theirs at the present
 * ratio, and are queued anew when it changes.
 */
#include <linux/dynaccel.h>
#include <linux/export.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>

#include "dynaccel_internal.h"
#include "tick-internal.h"
#include "dynaccel_compat_internal.h"

/*
 * The line that holds is number dynaccel_hw_turn. The other one is written in
 * stop_machine(), and then the number goes up. Who was interrupted while reading
 * sees that, and reads again; an NMI never waits.
 */
static struct dynaccel_hw_line dynaccel_hw_lines[2] = {
	{ .ratio = 1 },
};

static unsigned int dynaccel_hw_turn;

static struct dynaccel_hw_line dynaccel_hw_begin(unsigned int *turn)
{
	*turn = READ_ONCE(dynaccel_hw_turn);
	/* The line is read after its number, which is stored after the line. */
	smp_rmb();
	return dynaccel_hw_lines[*turn & 1];
}

static bool dynaccel_hw_retry(unsigned int turn)
{
	/* All of the line was read before the number is looked at again. */
	smp_rmb();
	return READ_ONCE(dynaccel_hw_turn) != turn;
}

/* Both ends of the same moment: the line and a count of jiffies. */
static struct dynaccel_hw_line dynaccel_hw_at_jiffies(u64 *now)
{
	struct dynaccel_hw_line line;
	unsigned int turn;

	do {
		line = dynaccel_hw_begin(&turn);
		*now = get_jiffies_64();
	} while (dynaccel_hw_retry(turn));
	return line;
}

/**
 * dynaccel_hwtime_jiffies - a count of jiffies that runs in hardware time
 *
 * Use it as hwtime_jiffies and hwtime_jiffies_64.
 *
 * Return: jiffies until the ratio first changes; grows by HZ in a real second.
 */
u64 dynaccel_hwtime_jiffies(void)
{
	struct dynaccel_hw_line line;
	u64 now;

	if (!dynaccel_sched_clock_mapped())
		return get_jiffies_64();
	line = dynaccel_hw_at_jiffies(&now);
	return dynaccel_hw_count(&line, now << DYNACCEL_HW_SHIFT) >> DYNACCEL_HW_SHIFT;
}
EXPORT_SYMBOL(dynaccel_hwtime_jiffies);

/**
 * dynaccel_hwtime_ns - nanoseconds of hardware time
 *
 * Use it as hwtime_ktime_get() and hwtime_ktime_get_ns(). Not for time stamps:
 * there is no clock that programs could compare it with.
 *
 * Return: CLOCK_MONOTONIC until the ratio first changes; real time afterwards.
 */
u64 dynaccel_hwtime_ns(void)
{
	struct dynaccel_hw_line line;
	unsigned int turn;
	u64 now;

	if (!dynaccel_sched_clock_mapped())
		return ktime_get_mono_fast_ns();
	do {
		line = dynaccel_hw_begin(&turn);
		now = ktime_get_mono_fast_ns();
	} while (dynaccel_hw_retry(turn));
	return dynaccel_hw_ns(&line, now);
}
EXPORT_SYMBOL(dynaccel_hwtime_ns);

/**
 * dynaccel_wheel_expires - when the timer wheel has to look at a timer
 * @expires:	the timer's deadline, in the jiffies that it goes by
 * @flags:	the timer's flags
 *
 * Return: the deadline in jiffies, and what these are behind the clocks.
 */
unsigned long dynaccel_wheel_expires(unsigned long expires, u32 flags)
{
	struct dynaccel_hw_line line;
	u64 now;

	if (flags & TIMER_HWTIME) {
		line = dynaccel_hw_at_jiffies(&now);
		/*
		 * Who armed it read a count that is up to a jiffy old. The wheel makes
		 * good for that, but its jiffy is N times as short.
		 */
		if (line.ratio > 1)
			expires++;
		expires = dynaccel_hw_due(&line, now, expires);
	}
	return expires + dynaccel_jiffies_lag();
}

/*
 * Called in stop_machine() as the ratio is published. Both lines bend in the same
 * moment. Jiffies were brought up to date shortly before it; those since then have
 * passed at the old ratio, though they will be counted at the new one.
 */
void dynaccel_rescale_hwtime(u32 ratio)
{
	const struct dynaccel_hw_line *line = &dynaccel_hw_lines[dynaccel_hw_turn & 1];
	struct dynaccel_hw_line *next = &dynaccel_hw_lines[~dynaccel_hw_turn & 1];
	u64 now, ns = ktime_get_mono_fast_ns();
	s64 since = ns - ktime_to_ns(tick_jiffies_time());

	now = get_jiffies_64();
	now <<= DYNACCEL_HW_SHIFT;
	if (tick_jiffies_time() && since > 0)
		now += div_u64((u64)since << DYNACCEL_HW_SHIFT, TICK_NSEC);
	next->hw_jiffies = dynaccel_hw_count(line, now);
	next->jiffies = now;
	next->hw_ns = dynaccel_hw_ns(line, ns);
	next->ns = ns;
	next->ratio = ratio;
	/* Who sees the number sees what it stands for. */
	smp_store_release(&dynaccel_hw_turn, dynaccel_hw_turn + 1);
}

/*
 * Where the new ratio has what the old one had at @expires; @bend is the change.
 * What is overdue is so by as much hardware time as before: a periodic timer
 * reckons from that how many periods have passed.
 */
static ktime_t dynaccel_rescaled(ktime_t expires, ktime_t bend, u32 from, u32 to)
{
	s64 passed = bend - expires;

	if (passed < 0)
		return ktime_add_safe(bend, dynaccel_mul_ns(dynaccel_div_ns(-passed, from), to));
	return max(bend - dynaccel_mul_ns(div_u64(passed, from), to), 0LL);
}

static void dynaccel_rescale_base(struct hrtimer_clock_base *base, ktime_t bend, u32 from, u32 to)
{
	struct timerqueue_linked_head *queue = &base->active;
	struct hrtimer *timer;
	struct timerqueue_linked_head moved;
	struct timerqueue_linked_node *node, *next;

	timerqueue_linked_init_head(&moved);
	for (node = timerqueue_linked_first(queue); node; node = next) {
		next = timerqueue_linked_next(node);
		if (!container_of(node, struct hrtimer, node)->is_hwtime)
			continue;
		timerqueue_linked_del(queue, node);
		timerqueue_linked_add(&moved, node);
	}
	while ((node = timerqueue_linked_first(&moved))) {
		timerqueue_linked_del(&moved, node);
		timer = container_of(node, struct hrtimer, node);
		timer->_softexpires = dynaccel_rescaled(timer->_softexpires, bend, from, to);
		node->expires = dynaccel_rescaled(node->expires, bend, from, to);
		timerqueue_linked_add(queue, node);
	}
	dynaccel_hrtimer_base_moved(base);
}

/**
 * dynaccel_rescale_timers - queue what goes by hardware time anew
 * @from:	the ratio until now
 * @to:		the ratio from now on
 *
 * Called in stop_machine() once the clocks run at the new ratio, so that no timer
 * expires in between. Nobody holds the queues' locks then, for who does has
 * interrupts disabled. Each CPU looks at its queues again as it arms its clock
 * event device for the new ratio, which is the first that it does afterwards.
 */
void dynaccel_rescale_timers(u32 from, u32 to)
{
	/* Not the present time: at the new ratio seconds may have passed since. */
	ktime_t bend = ns_to_ktime(dynaccel_hw_lines[dynaccel_hw_turn & 1].ns);
	struct hrtimer_clock_base *base;
	unsigned int cpu, i;

	if (from == to)
		return;
	/*
	 * What has passed since they were, at the old ratio, makes many jiffies of the
	 * new one when the host took the CPU away meanwhile. By a count that is behind
	 * the wheel would take a near deadline for a far one, and a coarse bucket.
	 */
	tick_catch_up_jiffies();
	timers_rescale();
	dynaccel_rescale_servers(from, to);
	for_each_possible_cpu(cpu) {
		for (i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++) {
			base = &per_cpu(hrtimer_bases, cpu).clock_base[i];
			dynaccel_rescale_base(base, ktime_add(bend, base->offset), from, to);
		}
	}
	dynaccel_rearm_cpus();
}

/**
 * dynaccel_timer_early - whether a timer of hardware time has come too early
 * @timer:	a timer that the wheel has let go
 *
 * The wheel has an end, 50 days at HZ=250 and no more than so many virtual ones.
 *
 * Return: true when its time has not come.
 */
bool dynaccel_timer_early(const struct timer_list *timer)
{
	return timer->flags & TIMER_HWTIME &&
	       time_after(timer->expires, hwtime_jiffies);
}

/**
 * dynaccel_timer_jiffies - the count of jiffies that a timer goes by
 * @timer:	a timer
 *
 * Return: what to add a delay to.
 */
unsigned long dynaccel_timer_jiffies(const struct timer_list *timer)
{
	return timer->flags & TIMER_HWTIME ? hwtime_jiffies : jiffies;
}

/**
 * dynaccel_hwtime_hrtimer_start - start a timer of hardware time
 * @timer:	the timer
 * @expires:	nanoseconds of hardware time; when @mode is an absolute one, those
 *		of hwtime_ktime_get()
 * @range_ns:	how much later it may be
 * @mode:	an enum hrtimer_mode
 *
 * Use it as hwtime_hrtimer_start().
 */
void dynaccel_hwtime_hrtimer_start(struct hrtimer *timer, s64 expires, u64 range_ns,
				   unsigned int mode)
{
	/* No change of the ratio between reckoning and queueing. */
	preempt_disable();
	if (!(mode & HRTIMER_MODE_REL))
		expires -= dynaccel_hwtime_ns();
	timer->is_hwtime = true;
	hrtimer_start_range_ns(timer, dynaccel_virtual_ns(max(expires, 0LL)),
			       dynaccel_virtual_ns(range_ns), mode | HRTIMER_MODE_REL);
	preempt_enable();
}
EXPORT_SYMBOL_GPL(dynaccel_hwtime_hrtimer_start);

/**
 * dynaccel_hwtime_hrtimer_forward - let a periodic timer's next period begin
 * @timer:	a timer that is not queued, usually because it has expired
 * @interval:	the period in nanoseconds of hardware time
 *
 * Use it as hwtime_hrtimer_forward() and hwtime_hrtimer_forward_now().
 *
 * Return: how many periods have passed.
 */
u64 dynaccel_hwtime_hrtimer_forward(struct hrtimer *timer, s64 interval)
{
	timer->is_hwtime = true;
	return hrtimer_forward_now(timer, dynaccel_virtual_ns(interval));
}
EXPORT_SYMBOL_GPL(dynaccel_hwtime_hrtimer_forward);

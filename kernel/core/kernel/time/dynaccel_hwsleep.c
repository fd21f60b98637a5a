// SPDX-License-Identifier: GPL-2.0-only
/*
 * dynaccel - sleeping in hardware time
 *
 * What drivers sleep with, and where the time-outs of their waits end up. The
 * others that dynaccel_hwtime.h names are made of these.
 */
#include <linux/delay.h>
#include <linux/dynaccel.h>
#include <linux/dynaccel_compat.h>
#include <linux/export.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/timer.h>
#include <linux/wait_bit.h>

#include "dynaccel_internal.h"

struct dynaccel_sleeper {
	struct timer_list	timer;
	struct task_struct	*task;
};

static void dynaccel_wake(struct timer_list *timer)
{
	wake_up_process(container_of(timer, struct dynaccel_sleeper, timer)->task);
}

/**
 * dynaccel_schedule_timeout - schedule_timeout() in hardware time
 * @timeout:	in jiffies of hardware time, marked by dynaccel_hwtime_tag()
 *
 * Return: what is left of it, marked again; 0 when nothing is.
 */
long __sched dynaccel_schedule_timeout(long timeout)
{
	struct dynaccel_sleeper sleeper = { .task = current };
	unsigned long expires;

	expires = hwtime_jiffies + dynaccel_hwtime_untag(timeout);
	timer_setup_on_stack(&sleeper.timer, dynaccel_wake, TIMER_HWTIME);
	sleeper.timer.expires = expires;
	add_timer(&sleeper.timer);
	schedule();
	timer_delete_sync(&sleeper.timer);
	timer_destroy_on_stack(&sleeper.timer);

	return dynaccel_hwtime_tag(max_t(long, expires - hwtime_jiffies, 0));
}

static int __sched dynaccel_bit_wait(struct wait_bit_key *word, int mode)
{
	long left = word->timeout - hwtime_jiffies;

	if (left <= 0)
		return -EAGAIN;
	schedule_timeout(dynaccel_hwtime_tag(left));
	return signal_pending_state(mode, current) ? -EINTR : 0;
}

/**
 * dynaccel_hwtime_wait_on_bit - wait for a bit to be cleared
 * @word:	where the bit is
 * @bit:	its number
 * @mode:	the state to sleep in
 * @timeout:	in jiffies of hardware time
 *
 * Use it as hwtime_wait_on_bit_timeout().
 *
 * Return: 0 when the bit is clear, -EAGAIN after @timeout, -EINTR on a signal.
 */
int __sched dynaccel_hwtime_wait_on_bit(unsigned long *word, int bit, unsigned int mode,
					unsigned long timeout)
{
	DEFINE_WAIT_BIT(wait, word, bit);

	might_sleep();
	if (!test_bit(bit, word))
		return 0;
	wait.key.timeout = hwtime_jiffies + timeout;
	return __wait_on_bit(bit_waitqueue(word, bit), &wait, dynaccel_bit_wait, mode);
}
EXPORT_SYMBOL_GPL(dynaccel_hwtime_wait_on_bit);

/* The state to sleep in is set. Returns 0 when the time has passed. */
static int __sched dynaccel_hrtimeout(u64 min_ns, u64 range_ns)
{
	struct hrtimer_sleeper sleeper;

	hrtimer_setup_sleeper_on_stack(&sleeper, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	sleeper.timer.is_hwtime = true;
	preempt_disable();
	hrtimer_set_expires_range_ns(&sleeper.timer, dynaccel_virtual_ns(min_ns),
				     dynaccel_virtual_ns(range_ns));
	hrtimer_sleeper_start_expires(&sleeper, HRTIMER_MODE_REL);
	preempt_enable();

	if (likely(sleeper.task))
		schedule();

	hrtimer_cancel(&sleeper.timer);
	destroy_hrtimer_on_stack(&sleeper.timer);
	__set_current_state(TASK_RUNNING);
	return sleeper.task ? -EINTR : 0;
}

/**
 * dynaccel_hwtime_hrtimeout - schedule_hrtimeout_range() in hardware time
 * @expires:	nanoseconds; of hardware time when @mode is a relative one
 * @range_ns:	how much later it may be, in the same time
 * @mode:	an enum hrtimer_mode
 *
 * Use it as hwtime_schedule_hrtimeout(). What is absolute is CLOCK_MONOTONIC.
 *
 * Return: 0 when the time has passed, -EINTR when somebody woke the task.
 */
int __sched dynaccel_hwtime_hrtimeout(s64 *expires, u64 range_ns, unsigned int mode)
{
	if (!expires || *expires <= 0 || !(mode & HRTIMER_MODE_REL))
		return schedule_hrtimeout_range(expires, range_ns, mode);
	return dynaccel_hrtimeout(*expires, range_ns);
}
EXPORT_SYMBOL_GPL(dynaccel_hwtime_hrtimeout);

/**
 * dynaccel_hwtime_sleep - sleep, whoever may wake the task
 * @min_ns:	how long, in nanoseconds of hardware time
 * @range_ns:	how much longer it may be
 * @state:	the state to sleep in
 */
void __sched dynaccel_hwtime_sleep(u64 min_ns, u64 range_ns, unsigned int state)
{
	u64 end = dynaccel_hwtime_ns() + min_ns;
	s64 left = min_ns;

	while (left > 0) {
		__set_current_state(state);
		if (!dynaccel_hrtimeout(left, range_ns))
			break;
		left = end - dynaccel_hwtime_ns();
	}
}
EXPORT_SYMBOL(dynaccel_hwtime_sleep);

/**
 * hwtime_usleep_range_state - usleep_range_state() in hardware time
 * @min:	microseconds that have to pass
 * @max:	microseconds that may pass
 * @state:	the state to sleep in
 */
void __sched hwtime_usleep_range_state(unsigned long min, unsigned long max,
				       unsigned int state)
{
	dynaccel_hwtime_sleep((u64)min * NSEC_PER_USEC, (u64)(max - min) * NSEC_PER_USEC,
			      state);
}
EXPORT_SYMBOL(hwtime_usleep_range_state);

/**
 * hwtime_usleep_range - usleep_range() in hardware time
 * @min:	microseconds that have to pass
 * @max:	microseconds that may pass
 */
void __sched hwtime_usleep_range(unsigned long min, unsigned long max)
{
	hwtime_usleep_range_state(min, max, TASK_UNINTERRUPTIBLE);
}
EXPORT_SYMBOL(hwtime_usleep_range);

/**
 * hwtime_usleep_idle_range - usleep_idle_range() in hardware time
 * @min:	microseconds that have to pass
 * @max:	microseconds that may pass
 */
void __sched hwtime_usleep_idle_range(unsigned long min, unsigned long max)
{
	hwtime_usleep_range_state(min, max, TASK_IDLE);
}
EXPORT_SYMBOL(hwtime_usleep_idle_range);

/**
 * hwtime_msleep - msleep() in hardware time
 * @msecs:	milliseconds
 */
void hwtime_msleep(unsigned int msecs)
{
	unsigned long timeout = msecs_to_jiffies(msecs) + 1;

	while (timeout)
		timeout = hwtime_schedule_timeout_uninterruptible(timeout);
}
EXPORT_SYMBOL(hwtime_msleep);

/**
 * hwtime_msleep_interruptible - msleep_interruptible() in hardware time
 * @msecs:	milliseconds
 *
 * Return: the milliseconds that a signal has saved.
 */
unsigned long hwtime_msleep_interruptible(unsigned int msecs)
{
	unsigned long timeout = msecs_to_jiffies(msecs) + 1;

	while (timeout && !signal_pending(current))
		timeout = hwtime_schedule_timeout_interruptible(timeout);
	return jiffies_to_msecs(timeout);
}
EXPORT_SYMBOL(hwtime_msleep_interruptible);

/**
 * hwtime_ssleep - ssleep() in hardware time
 * @seconds:	seconds
 */
void hwtime_ssleep(unsigned int seconds)
{
	hwtime_msleep(seconds * 1000);
}
EXPORT_SYMBOL(hwtime_ssleep);

/**
 * hwtime_fsleep - fsleep() in hardware time
 * @usecs:	microseconds
 */
void hwtime_fsleep(unsigned long usecs)
{
	if (usecs <= 10)
		udelay(usecs);
	else if (usecs <= 20000)
		hwtime_usleep_range(usecs, 2 * usecs);
	else
		hwtime_msleep(DIV_ROUND_UP(usecs, 1000));
}
EXPORT_SYMBOL(hwtime_fsleep);

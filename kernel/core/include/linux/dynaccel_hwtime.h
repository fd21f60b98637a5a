/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware time: what waits for a device
 *
 * At ratio N all clocks run N times faster, but no device does. Code that waits
 * for one uses the names below instead of those without the prefix: durations
 * and deadlines are real time then, also when the ratio changes meanwhile.
 *
 * A file uses either all of them or none. hwtime_jiffies is another count than
 * jiffies, and to compare the one with the other is wrong. Time stamps that
 * programs see, and waits that a program asked for itself, belong to jiffies and
 * ktime_get().
 *
 * This header is part of <linux/jiffies.h> and therefore needs no other; what
 * the macros stand for is looked up where they are used.
 */
#ifndef _LINUX_DYNACCEL_HWTIME_H
#define _LINUX_DYNACCEL_HWTIME_H

#include <linux/types.h>

#ifdef CONFIG_DYNACCEL

struct hrtimer;
struct timer_list;

/* dynaccel_hwtime.c */
u64 dynaccel_hwtime_jiffies(void);
unsigned long dynaccel_timer_jiffies(const struct timer_list *timer);
u64 dynaccel_hwtime_ns(void);
void dynaccel_hwtime_sleep(u64 min_ns, u64 range_ns, unsigned int state);
int dynaccel_hwtime_hrtimeout(s64 *expires, u64 range_ns, unsigned int mode);
int dynaccel_hwtime_wait_on_bit(unsigned long *word, int bit, unsigned int mode,
				unsigned long timeout);
void dynaccel_hwtime_hrtimer_start(struct hrtimer *timer, s64 expires,
				   u64 range_ns, unsigned int mode);
u64 dynaccel_hwtime_hrtimer_forward(struct hrtimer *timer, s64 interval);

/*
 * A time-out in jiffies that carries this bit is hardware time. It is longer than
 * any that makes sense, and passes through wait_event_timeout() and its kin
 * unseen until schedule_timeout() gets it.
 */
#define DYNACCEL_HWTIME_TAG	(1UL << (__BITS_PER_LONG - 2))

/**
 * dynaccel_hwtime_tag - mark a time-out as hardware time
 * @timeout:	in jiffies, as for schedule_timeout()
 *
 * Return: @timeout with the mark; as it is when it is nothing, negative or endless.
 */
static inline long dynaccel_hwtime_tag(long timeout)
{
	if (timeout <= 0 || timeout >= (long)DYNACCEL_HWTIME_TAG)
		return timeout;
	return timeout | DYNACCEL_HWTIME_TAG;
}

/**
 * dynaccel_hwtime_untag - take the mark off what is left of a time-out
 * @left:	in jiffies, or an error
 *
 * Return: @left without the mark; as it is when it is an error or endless.
 */
static inline long dynaccel_hwtime_untag(long left)
{
	/* All bits but the sign: MAX_SCHEDULE_TIMEOUT. */
	if (left < 0 || left == (long)(~0UL >> 1))
		return left;
	return left & ~DYNACCEL_HWTIME_TAG;
}

/* What is left keeps the type that the wait returns. */
#define __hwtime_wait(wait)						\
({									\
	__auto_type __hwtime_left = (wait);				\
	(typeof(__hwtime_left))dynaccel_hwtime_untag(__hwtime_left);	\
})

/* Counts of jiffies */
#define hwtime_jiffies			((unsigned long)dynaccel_hwtime_jiffies())
#define hwtime_jiffies_64		dynaccel_hwtime_jiffies()
#define hwtime_get_jiffies_64()		dynaccel_hwtime_jiffies()
#define hwtime_time_is_before_jiffies(a)	time_after(hwtime_jiffies, a)
#define hwtime_time_is_after_jiffies(a)		time_before(hwtime_jiffies, a)
#define hwtime_time_is_before_eq_jiffies(a)	time_after_eq(hwtime_jiffies, a)
#define hwtime_time_is_after_eq_jiffies(a)	time_before_eq(hwtime_jiffies, a)
#define hwtime_time_is_before_jiffies64(a)	time_after64(hwtime_jiffies_64, a)
#define hwtime_time_is_after_jiffies64(a)	time_before64(hwtime_jiffies_64, a)
#define hwtime_time_is_before_eq_jiffies64(a)	time_after_eq64(hwtime_jiffies_64, a)
#define hwtime_time_is_after_eq_jiffies64(a)	time_before_eq64(hwtime_jiffies_64, a)
/* Full seconds are those of jiffies: what would be rounded to them stays. */
#define hwtime_round_jiffies(j)			(j)
#define hwtime_round_jiffies_up(j)		(j)
#define hwtime_round_jiffies_relative(j)	(j)
#define hwtime_round_jiffies_up_relative(j)	(j)

/* Clocks */
#define hwtime_ktime_get()		ns_to_ktime(dynaccel_hwtime_ns())
#define hwtime_ktime_get_raw()		hwtime_ktime_get()
#define hwtime_ktime_get_boottime()	hwtime_ktime_get()
#define hwtime_ktime_get_ns()		dynaccel_hwtime_ns()
#define hwtime_ktime_get_raw_ns()	dynaccel_hwtime_ns()
#define hwtime_ktime_get_boottime_ns()	dynaccel_hwtime_ns()
#define hwtime_ktime_get_mono_fast_ns()	dynaccel_hwtime_ns()
#define hwtime_local_clock()		dynaccel_hwtime_ns()
#define hwtime_ktime_get_seconds()	\
	((time64_t)div_u64(dynaccel_hwtime_ns(), NSEC_PER_SEC))

/* Sleeping */
void hwtime_msleep(unsigned int msecs);
unsigned long hwtime_msleep_interruptible(unsigned int msecs);
void hwtime_ssleep(unsigned int seconds);
void hwtime_fsleep(unsigned long usecs);
void hwtime_usleep_range_state(unsigned long min, unsigned long max,
			       unsigned int state);
void hwtime_usleep_range(unsigned long min, unsigned long max);
void hwtime_usleep_idle_range(unsigned long min, unsigned long max);
#define hwtime_usleep_range_idle		hwtime_usleep_idle_range
#define hwtime_schedule_timeout(timeout)				\
	__hwtime_wait(schedule_timeout(dynaccel_hwtime_tag(timeout)))
#define hwtime_schedule_timeout_interruptible(timeout)			\
	__hwtime_wait(schedule_timeout_interruptible(dynaccel_hwtime_tag(timeout)))
#define hwtime_schedule_timeout_killable(timeout)			\
	__hwtime_wait(schedule_timeout_killable(dynaccel_hwtime_tag(timeout)))
#define hwtime_schedule_timeout_uninterruptible(timeout)		\
	__hwtime_wait(schedule_timeout_uninterruptible(dynaccel_hwtime_tag(timeout)))
#define hwtime_schedule_timeout_idle(timeout)				\
	__hwtime_wait(schedule_timeout_idle(dynaccel_hwtime_tag(timeout)))
#define hwtime_io_schedule_timeout(timeout)				\
	__hwtime_wait(io_schedule_timeout(dynaccel_hwtime_tag(timeout)))
#define hwtime_schedule_hrtimeout(expires, mode)			\
	dynaccel_hwtime_hrtimeout(expires, 0, mode)
#define hwtime_schedule_hrtimeout_range(expires, delta, mode)		\
	dynaccel_hwtime_hrtimeout(expires, delta, mode)

/* Waiting for something that another thread or an interrupt does */
#define hwtime_wait_event_timeout(wq, condition, timeout)		\
	__hwtime_wait(wait_event_timeout(wq, condition,			\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_interruptible_timeout(wq, condition, timeout)	\
	__hwtime_wait(wait_event_interruptible_timeout(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_killable_timeout(wq, condition, timeout)	\
	__hwtime_wait(wait_event_killable_timeout(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_idle_timeout(wq, condition, timeout)		\
	__hwtime_wait(wait_event_idle_timeout(wq, condition,		\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_idle_exclusive_timeout(wq, condition, timeout)\
	__hwtime_wait(wait_event_idle_exclusive_timeout(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_freezable_timeout(wq, condition, timeout)	\
	__hwtime_wait(wait_event_freezable_timeout(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_lock_irq_timeout(wq, condition, lock, timeout)\
	__hwtime_wait(wait_event_lock_irq_timeout(wq, condition, lock,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_event_interruptible_lock_irq_timeout(wq, condition,	\
							 lock, timeout)	\
	__hwtime_wait(wait_event_interruptible_lock_irq_timeout(wq,	\
					 condition, lock,		\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_var_event_timeout(var, condition, timeout)		\
	__hwtime_wait(wait_var_event_timeout(var, condition,		\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_swait_event_timeout_exclusive(wq, condition, timeout)	\
	__hwtime_wait(swait_event_timeout_exclusive(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_swait_event_interruptible_timeout_exclusive(wq, condition,\
							   timeout)	\
	__hwtime_wait(swait_event_interruptible_timeout_exclusive(wq,	\
					 condition,			\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_swait_event_idle_timeout_exclusive(wq, condition, timeout)\
	__hwtime_wait(swait_event_idle_timeout_exclusive(wq, condition,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_woken(wq_entry, mode, timeout)			\
	__hwtime_wait(wait_woken(wq_entry, mode, dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_for_completion_timeout(x, timeout)			\
	__hwtime_wait(wait_for_completion_timeout(x,			\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_for_completion_io_timeout(x, timeout)		\
	__hwtime_wait(wait_for_completion_io_timeout(x,			\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_for_completion_interruptible_timeout(x, timeout)	\
	__hwtime_wait(wait_for_completion_interruptible_timeout(x,	\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_wait_for_completion_killable_timeout(x, timeout)		\
	__hwtime_wait(wait_for_completion_killable_timeout(x,		\
					 dynaccel_hwtime_tag(timeout)))
#define hwtime_down_timeout(sem, timeout)				\
	down_timeout(sem, dynaccel_hwtime_tag(timeout))
#define hwtime_wait_on_bit_timeout(word, bit, mode, timeout)		\
	dynaccel_hwtime_wait_on_bit(word, bit, mode, timeout)

#define hwtime_rcuwait_wait_event_timeout(w, condition, state, timeout)	\
	__hwtime_wait(rcuwait_wait_event_timeout(w, condition, state,	\
					 dynaccel_hwtime_tag(timeout)))

/* Timers whose ->expires is a number of hwtime_jiffies */
#define hwtime_timer_setup(timer, callback, flags)			\
	timer_setup(timer, callback, (flags) | TIMER_HWTIME)
#define hwtime_timer_setup_on_stack(timer, callback, flags)		\
	timer_setup_on_stack(timer, callback, (flags) | TIMER_HWTIME)
#define HWTIME_DEFINE_TIMER(name, function)				\
	struct timer_list name = __TIMER_INITIALIZER(function, TIMER_HWTIME)

/* Delayed work whose delays are hardware time */
#define HWTIME_INIT_DELAYED_WORK(work, func)				\
	__INIT_DELAYED_WORK(work, func, TIMER_HWTIME)
#define HWTIME_INIT_DELAYED_WORK_ONSTACK(work, func)			\
	__INIT_DELAYED_WORK_ONSTACK(work, func, TIMER_HWTIME)
#define HWTIME_INIT_DEFERRABLE_WORK(work, func)				\
	__INIT_DELAYED_WORK(work, func, TIMER_DEFERRABLE | TIMER_HWTIME)
#define HWTIME_DECLARE_DELAYED_WORK(name, func)				\
	struct delayed_work name =					\
		__DELAYED_WORK_INITIALIZER(name, func, TIMER_HWTIME)
#define HWTIME_DECLARE_DEFERRABLE_WORK(name, func)			\
	struct delayed_work name =					\
		__DELAYED_WORK_INITIALIZER(name, func,			\
					   TIMER_DEFERRABLE | TIMER_HWTIME)
#define hwtime_kthread_init_delayed_work(dwork, fn)			\
	do {								\
		kthread_init_work(&(dwork)->work, (fn));		\
		timer_setup(&(dwork)->timer,				\
			    kthread_delayed_work_timer_fn,		\
			    TIMER_IRQSAFE | TIMER_HWTIME);		\
	} while (0)

/*
 * High-resolution timers. An absolute expiry is hardware time too, from
 * hwtime_ktime_get(); what a timer is forwarded from is always its own clock.
 */
#define hwtime_hrtimer_start(timer, expires, mode)			\
	dynaccel_hwtime_hrtimer_start(timer, expires, 0, mode)
#define hwtime_hrtimer_start_range_ns(timer, expires, delta, mode)	\
	dynaccel_hwtime_hrtimer_start(timer, expires, delta, mode)
#define hwtime_hrtimer_forward(timer, now, interval)			\
	((void)(now), dynaccel_hwtime_hrtimer_forward(timer, interval))
#define hwtime_hrtimer_forward_now(timer, interval)			\
	dynaccel_hwtime_hrtimer_forward(timer, interval)

#else /* CONFIG_DYNACCEL */

#define dynaccel_timer_jiffies(timer)		jiffies

#define hwtime_jiffies				jiffies
#define hwtime_jiffies_64			jiffies_64
#define hwtime_get_jiffies_64			get_jiffies_64
#define hwtime_time_is_before_jiffies		time_is_before_jiffies
#define hwtime_time_is_after_jiffies		time_is_after_jiffies
#define hwtime_time_is_before_eq_jiffies	time_is_before_eq_jiffies
#define hwtime_time_is_after_eq_jiffies		time_is_after_eq_jiffies
#define hwtime_time_is_before_jiffies64		time_is_before_jiffies64
#define hwtime_time_is_after_jiffies64		time_is_after_jiffies64
#define hwtime_time_is_before_eq_jiffies64	time_is_before_eq_jiffies64
#define hwtime_time_is_after_eq_jiffies64	time_is_after_eq_jiffies64
#define hwtime_round_jiffies			round_jiffies
#define hwtime_round_jiffies_up			round_jiffies_up
#define hwtime_round_jiffies_relative		round_jiffies_relative
#define hwtime_round_jiffies_up_relative	round_jiffies_up_relative
#define hwtime_ktime_get			ktime_get
#define hwtime_ktime_get_raw			ktime_get_raw
#define hwtime_ktime_get_boottime		ktime_get_boottime
#define hwtime_ktime_get_ns			ktime_get_ns
#define hwtime_ktime_get_raw_ns			ktime_get_raw_ns
#define hwtime_ktime_get_boottime_ns		ktime_get_boottime_ns
#define hwtime_ktime_get_mono_fast_ns		ktime_get_mono_fast_ns
#define hwtime_local_clock			local_clock
#define hwtime_ktime_get_seconds		ktime_get_seconds
#define hwtime_msleep				msleep
#define hwtime_msleep_interruptible		msleep_interruptible
#define hwtime_ssleep				ssleep
#define hwtime_fsleep				fsleep
#define hwtime_usleep_range_state		usleep_range_state
#define hwtime_usleep_range			usleep_range
#define hwtime_usleep_idle_range		usleep_idle_range
#define hwtime_usleep_range_idle		usleep_range_idle
#define hwtime_schedule_timeout			schedule_timeout
#define hwtime_schedule_timeout_interruptible	schedule_timeout_interruptible
#define hwtime_schedule_timeout_killable	schedule_timeout_killable
#define hwtime_schedule_timeout_uninterruptible	schedule_timeout_uninterruptible
#define hwtime_schedule_timeout_idle		schedule_timeout_idle
#define hwtime_io_schedule_timeout		io_schedule_timeout
#define hwtime_schedule_hrtimeout		schedule_hrtimeout
#define hwtime_schedule_hrtimeout_range		schedule_hrtimeout_range
#define hwtime_wait_event_timeout		wait_event_timeout
#define hwtime_wait_event_interruptible_timeout	wait_event_interruptible_timeout
#define hwtime_wait_event_killable_timeout	wait_event_killable_timeout
#define hwtime_wait_event_idle_timeout		wait_event_idle_timeout
#define hwtime_wait_event_idle_exclusive_timeout wait_event_idle_exclusive_timeout
#define hwtime_wait_event_freezable_timeout	wait_event_freezable_timeout
#define hwtime_wait_event_lock_irq_timeout	wait_event_lock_irq_timeout
#define hwtime_wait_event_interruptible_lock_irq_timeout	\
	wait_event_interruptible_lock_irq_timeout
#define hwtime_wait_var_event_timeout		wait_var_event_timeout
#define hwtime_swait_event_timeout_exclusive	swait_event_timeout_exclusive
#define hwtime_swait_event_interruptible_timeout_exclusive	\
	swait_event_interruptible_timeout_exclusive
#define hwtime_swait_event_idle_timeout_exclusive	\
	swait_event_idle_timeout_exclusive
#define hwtime_wait_woken			wait_woken
#define hwtime_wait_for_completion_timeout	wait_for_completion_timeout
#define hwtime_wait_for_completion_io_timeout	wait_for_completion_io_timeout
#define hwtime_wait_for_completion_interruptible_timeout	\
	wait_for_completion_interruptible_timeout
#define hwtime_wait_for_completion_killable_timeout	\
	wait_for_completion_killable_timeout
#define hwtime_down_timeout			down_timeout
#define hwtime_wait_on_bit_timeout		wait_on_bit_timeout
#define hwtime_rcuwait_wait_event_timeout	rcuwait_wait_event_timeout
#define hwtime_timer_setup			timer_setup
#define hwtime_timer_setup_on_stack		timer_setup_on_stack
#define HWTIME_DEFINE_TIMER			DEFINE_TIMER
#define HWTIME_INIT_DELAYED_WORK		INIT_DELAYED_WORK
#define HWTIME_INIT_DELAYED_WORK_ONSTACK	INIT_DELAYED_WORK_ONSTACK
#define HWTIME_INIT_DEFERRABLE_WORK		INIT_DEFERRABLE_WORK
#define HWTIME_DECLARE_DELAYED_WORK		DECLARE_DELAYED_WORK
#define HWTIME_DECLARE_DEFERRABLE_WORK		DECLARE_DEFERRABLE_WORK
#define hwtime_kthread_init_delayed_work	kthread_init_delayed_work
#define hwtime_hrtimer_start			hrtimer_start
#define hwtime_hrtimer_start_range_ns		hrtimer_start_range_ns
#define hwtime_hrtimer_forward			hrtimer_forward
#define hwtime_hrtimer_forward_now		hrtimer_forward_now

#endif /* CONFIG_DYNACCEL */

#endif /* _LINUX_DYNACCEL_HWTIME_H */

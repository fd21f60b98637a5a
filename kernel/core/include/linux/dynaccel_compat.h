/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The newest names of what dynaccel uses of Linux, for versions that lack them
 */
#ifndef _LINUX_DYNACCEL_COMPAT_H
#define _LINUX_DYNACCEL_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sysctl.h>
#include <linux/timer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup_on_stack(struct hrtimer *timer,
					  enum hrtimer_restart (*function)(struct hrtimer *),
					  clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init_on_stack(timer, clock_id, mode);
	timer->function = function;
}

#define hrtimer_setup_sleeper_on_stack	hrtimer_init_sleeper_on_stack
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define timer_delete_sync		del_timer_sync
#endif

/* Until then, who created a kthread worker had it running. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define kthread_run_worker		kthread_create_worker
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define timer_destroy_on_stack		destroy_timer_on_stack
#endif

/* A proc_handler gets its table to read only, and a table needs no empty line. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define DYNACCEL_CTL_TABLE		struct ctl_table
#define DYNACCEL_CTL_TABLE_END		{ },
#else
#define DYNACCEL_CTL_TABLE		const struct ctl_table
#define DYNACCEL_CTL_TABLE_END
#endif

#endif /* _LINUX_DYNACCEL_COMPAT_H */

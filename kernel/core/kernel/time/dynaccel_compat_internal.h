/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between versions of Linux and only the time core sees
 *
 * To be included after tick-internal.h, which may not be included twice.
 */
#ifndef _KERNEL_TIME_DYNACCEL_COMPAT_INTERNAL_H
#define _KERNEL_TIME_DYNACCEL_COMPAT_INTERNAL_H

#include <linux/hrtimer.h>
#include <linux/tick.h>
#include <linux/timerqueue.h>
#include <linux/version.h>

#include "tick-sched.h"

/* The queues of hrtimers have linked nodes, and bases that know when they are due. */
#ifdef RB_ROOT_LINKED
static inline void dynaccel_hrtimer_base_moved(struct hrtimer_clock_base *base)
{
	struct timerqueue_linked_node *first = timerqueue_linked_first(&base->active);

	base->expires_next = first ? first->expires : KTIME_MAX;
}
#else
#define timerqueue_linked_head		timerqueue_head
#define timerqueue_linked_node		timerqueue_node
#define timerqueue_linked_first		timerqueue_getnext
#define timerqueue_linked_next		timerqueue_iterate_next
#define timerqueue_linked_add		timerqueue_add
#define timerqueue_linked_del		timerqueue_del
#define timerqueue_linked_init_head	timerqueue_init_head

static inline void dynaccel_hrtimer_base_moved(struct hrtimer_clock_base *base)
{
}
#endif

static inline bool dynaccel_tick_stopped(const struct tick_sched *ts)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	return ts->flags & TS_FLAG_STOPPED;
#else
	return ts->tick_stopped;
#endif
}

/* Servers keep real-time tasks from starving the others (6.12). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define dynaccel_rescale_servers(from, to)	dl_server_rescale(from, to)
#else
#define dynaccel_rescale_servers(from, to)	do { } while (0)
#endif

/*
 * Until 5.15 rcu_cpu_stall_reset() puts the limit of a grace period off for ever,
 * and the hook watchdog-rcu lets it begin anew (see a80be428fbc1 in Linux).
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0) && !defined(CONFIG_TINY_RCU)
void rcu_stall_rescale(void);
#else
#define rcu_stall_rescale		rcu_cpu_stall_reset
#endif

#endif /* _KERNEL_TIME_DYNACCEL_COMPAT_INTERNAL_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * dynaccel - each wait of hardware time, one by one, for whoever measures them
 *
 * Who writes "KIND MILLISECONDS" to /sys/kernel/debug/dynaccel/wait gets back
 * from write() when that wait is over. Nothing else ends it: a time-out is what
 * is measured. Reading the file lists the kinds.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dynaccel_compat.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/semaphore.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

static DECLARE_WAIT_QUEUE_HEAD(dynaccel_never);

static long dynaccel_wait_msleep(unsigned int ms)
{
	hwtime_msleep(ms);
	return 0;
}

static long dynaccel_wait_msleep_interruptible(unsigned int ms)
{
	return hwtime_msleep_interruptible(ms);
}

static long dynaccel_wait_usleep_range(unsigned int ms)
{
	hwtime_usleep_range(ms * USEC_PER_MSEC, ms * USEC_PER_MSEC + 100);
	return 0;
}

static long dynaccel_wait_fsleep(unsigned int ms)
{
	hwtime_fsleep(ms * USEC_PER_MSEC);
	return 0;
}

static long dynaccel_wait_schedule_timeout(unsigned int ms)
{
	return hwtime_schedule_timeout_interruptible(msecs_to_jiffies(ms));
}

static long dynaccel_wait_schedule_hrtimeout(unsigned int ms)
{
	ktime_t expires = ms_to_ktime(ms);

	set_current_state(TASK_UNINTERRUPTIBLE);
	return hwtime_schedule_hrtimeout(&expires, HRTIMER_MODE_REL);
}

static long dynaccel_wait_wait_event(unsigned int ms)
{
	return hwtime_wait_event_timeout(dynaccel_never, false, msecs_to_jiffies(ms));
}

static long dynaccel_wait_wait_event_interruptible(unsigned int ms)
{
	return hwtime_wait_event_interruptible_timeout(dynaccel_never, false,
						       msecs_to_jiffies(ms));
}

static long dynaccel_wait_completion(unsigned int ms)
{
	DECLARE_COMPLETION_ONSTACK(never);

	return hwtime_wait_for_completion_timeout(&never, msecs_to_jiffies(ms));
}

static struct semaphore dynaccel_taken = __SEMAPHORE_INITIALIZER(dynaccel_taken, 0);

static long dynaccel_wait_down(unsigned int ms)
{
	return hwtime_down_timeout(&dynaccel_taken, msecs_to_jiffies(ms)) == -ETIME ? 0 : -EIO;
}

static long dynaccel_wait_bit(unsigned int ms)
{
	unsigned long word = 1;
	int ret;

	ret = hwtime_wait_on_bit_timeout(&word, 0, TASK_UNINTERRUPTIBLE, msecs_to_jiffies(ms));
	return ret == -EAGAIN ? 0 : -EIO;
}

struct dynaccel_timed {
	struct timer_list		timer;
	struct hrtimer			hrtimer;
	struct delayed_work		work;
	struct kthread_delayed_work	thread_work;
	struct completion		done;
	ktime_t				period;
	unsigned int			left;
};

static void dynaccel_timed_out(struct timer_list *timer)
{
	complete(&container_of(timer, struct dynaccel_timed, timer)->done);
}

static long dynaccel_wait_timer(unsigned int ms)
{
	struct dynaccel_timed timed;

	init_completion(&timed.done);
	hwtime_timer_setup_on_stack(&timed.timer, dynaccel_timed_out, 0);
	mod_timer(&timed.timer, hwtime_jiffies + msecs_to_jiffies(ms));
	wait_for_completion(&timed.done);
	timer_delete_sync(&timed.timer);
	timer_destroy_on_stack(&timed.timer);
	return 0;
}

static void dynaccel_worked(struct work_struct *work)
{
	complete(&container_of(to_delayed_work(work), struct dynaccel_timed, work)->done);
}

static long dynaccel_wait_delayed_work(unsigned int ms)
{
	struct dynaccel_timed timed;

	init_completion(&timed.done);
	HWTIME_INIT_DELAYED_WORK_ONSTACK(&timed.work, dynaccel_worked);
	schedule_delayed_work(&timed.work, msecs_to_jiffies(ms));
	wait_for_completion(&timed.done);
	flush_delayed_work(&timed.work);
	destroy_delayed_work_on_stack(&timed.work);
	return 0;
}

static void dynaccel_thread_worked(struct kthread_work *work)
{
	complete(&container_of(work, struct dynaccel_timed, thread_work.work)->done);
}

static long dynaccel_wait_kthread_work(unsigned int ms)
{
	struct kthread_worker *worker;
	struct dynaccel_timed *timed;

	timed = kzalloc(sizeof(*timed), GFP_KERNEL);
	if (!timed)
		return -ENOMEM;
	worker = kthread_run_worker(0, "dynaccel_wait");
	if (IS_ERR(worker)) {
		kfree(timed);
		return PTR_ERR(worker);
	}
	init_completion(&timed->done);
	hwtime_kthread_init_delayed_work(&timed->thread_work, dynaccel_thread_worked);
	kthread_queue_delayed_work(worker, &timed->thread_work, msecs_to_jiffies(ms));
	wait_for_completion(&timed->done);
	kthread_destroy_worker(worker);
	kfree(timed);
	return 0;
}

static enum hrtimer_restart dynaccel_ticked(struct hrtimer *hrtimer)
{
	struct dynaccel_timed *timed = container_of(hrtimer, struct dynaccel_timed, hrtimer);
	u64 periods = hwtime_hrtimer_forward_now(hrtimer, timed->period);

	if (timed->left > periods) {
		timed->left -= periods;
		return HRTIMER_RESTART;
	}
	complete(&timed->done);
	return HRTIMER_NORESTART;
}

static long dynaccel_wait_periods(unsigned int ms, unsigned int periods)
{
	struct dynaccel_timed timed = {
		.period = ns_to_ktime(div_u64((u64)ms * NSEC_PER_MSEC, periods)),
		.left = periods,
	};

	init_completion(&timed.done);
	hrtimer_setup_on_stack(&timed.hrtimer, dynaccel_ticked, CLOCK_MONOTONIC,
			       HRTIMER_MODE_REL);
	hwtime_hrtimer_start(&timed.hrtimer, timed.period, HRTIMER_MODE_REL);
	wait_for_completion(&timed.done);
	hrtimer_cancel(&timed.hrtimer);
	destroy_hrtimer_on_stack(&timed.hrtimer);
	return 0;
}

static long dynaccel_wait_hrtimer(unsigned int ms)
{
	return dynaccel_wait_periods(ms, 1);
}

static long dynaccel_wait_hrtimer_periods(unsigned int ms)
{
	return dynaccel_wait_periods(ms, 10);
}

static long dynaccel_wait_jiffies_deadline(unsigned int ms)
{
	unsigned long deadline = hwtime_jiffies + msecs_to_jiffies(ms);

	while (time_before(hwtime_jiffies, deadline))
		hwtime_usleep_range(500, 1000);
	return 0;
}

static long dynaccel_wait_ktime_deadline(unsigned int ms)
{
	ktime_t deadline = ktime_add_ms(hwtime_ktime_get(), ms);

	while (ktime_before(hwtime_ktime_get(), deadline))
		hwtime_usleep_range(500, 1000);
	return 0;
}

static const struct dynaccel_wait {
	const char	*kind;
	long		(*wait)(unsigned int ms);
} dynaccel_waits[] = {
	{ "msleep", dynaccel_wait_msleep },
	{ "msleep_interruptible", dynaccel_wait_msleep_interruptible },
	{ "usleep_range", dynaccel_wait_usleep_range },
	{ "fsleep", dynaccel_wait_fsleep },
	{ "schedule_timeout", dynaccel_wait_schedule_timeout },
	{ "schedule_hrtimeout", dynaccel_wait_schedule_hrtimeout },
	{ "wait_event_timeout", dynaccel_wait_wait_event },
	{ "wait_event_interruptible_timeout", dynaccel_wait_wait_event_interruptible },
	{ "wait_for_completion_timeout", dynaccel_wait_completion },
	{ "down_timeout", dynaccel_wait_down },
	{ "wait_on_bit_timeout", dynaccel_wait_bit },
	{ "timer", dynaccel_wait_timer },
	{ "delayed_work", dynaccel_wait_delayed_work },
	{ "kthread_delayed_work", dynaccel_wait_kthread_work },
	{ "hrtimer", dynaccel_wait_hrtimer },
	{ "hrtimer_forward", dynaccel_wait_hrtimer_periods },
	{ "jiffies", dynaccel_wait_jiffies_deadline },
	{ "ktime_get", dynaccel_wait_ktime_deadline },
};

#define DYNACCEL_WAIT_MAX_MS	(60 * MSEC_PER_SEC)

static ssize_t dynaccel_wait_write(struct file *file, const char __user *text,
				   size_t length, loff_t *at)
{
	char line[64], *kind, *rest = line;
	unsigned int i, ms;
	long left;

	if (length >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, text, length))
		return -EFAULT;
	line[length] = '\0';

	kind = strsep(&rest, " ");
	if (!rest || kstrtouint(strim(rest), 10, &ms) || !ms || ms > DYNACCEL_WAIT_MAX_MS)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(dynaccel_waits); i++) {
		if (strcmp(kind, dynaccel_waits[i].kind))
			continue;
		left = dynaccel_waits[i].wait(ms);
		if (left)
			return left < 0 ? left : -EINTR;
		return length;
	}
	return -EINVAL;
}

static int dynaccel_wait_show(struct seq_file *list, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dynaccel_waits); i++)
		seq_printf(list, "%s\n", dynaccel_waits[i].kind);
	return 0;
}

static int dynaccel_wait_open(struct inode *inode, struct file *file)
{
	return single_open(file, dynaccel_wait_show, NULL);
}

static const struct file_operations dynaccel_wait_fops = {
	.owner		= THIS_MODULE,
	.open		= dynaccel_wait_open,
	.read		= seq_read,
	.write		= dynaccel_wait_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init dynaccel_waits_init(void)
{
	debugfs_create_file("wait", 0600, debugfs_create_dir("dynaccel", NULL), NULL,
			    &dynaccel_wait_fops);
	return 0;
}
late_initcall(dynaccel_waits_init);

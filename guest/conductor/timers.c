// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All timers of the conductor: two queues, and a timerfd for the first of each.
 * The times are absolute, so nothing drifts, however late a turn comes.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "log.h"
#include "moment.h"
#include "ratio.h"
#include "timers.h"

/* The year 2200: a date's timer must be armed to hear of steps. */
#define FAR_NS (7258118400ll * NS_PER_S)
/* An expired timer that arms itself for the past is heard again, but others first. */
#define BATCH 1000

struct queue {
	struct watch watch;
	clockid_t clock;
	int flags;
	int64_t set_ns; /* what the timerfd stands at; 0: it must be set */
	struct timer *first;
};

static struct queue virtual_queue = { .clock = CLOCK_BOOTTIME, .flags = TFD_TIMER_ABSTIME };
static struct queue date_queue = {
	.clock = CLOCK_REALTIME,
	.flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
};
static void (*on_date_set)(void);

static struct queue *queue_of(const struct timer *timer)
{
	return timer->kind == TIMER_DATE ? &date_queue : &virtual_queue;
}

void timer_off(struct timer *timer)
{
	struct timer **at = &queue_of(timer)->first;

	if (!timer->armed)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->armed = false;
}

static void arm(struct timer *timer, enum timer_kind kind, int64_t due_ns,
		void (*expired)(struct timer *timer))
{
	struct timer **at;

	timer_off(timer);
	timer->kind = kind;
	timer->due_ns = due_ns;
	timer->expired = expired;
	timer->armed = true;
	at = &queue_of(timer)->first;
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

void timer_at(struct timer *timer, int64_t boottime_ns, void (*expired)(struct timer *timer))
{
	arm(timer, TIMER_VIRTUAL, boottime_ns, expired);
}

void timer_real(struct timer *timer, int64_t real_ns, void (*expired)(struct timer *timer))
{
	int64_t left;

	if (__builtin_mul_overflow(real_ns, (int64_t)ratio_now(), &left))
		left = INT64_MAX;
	arm(timer, TIMER_REAL, moment_add(moment_boottime_ns(), left), expired);
}

void timer_date(struct timer *timer, int64_t realtime_ns, void (*expired)(struct timer *timer))
{
	arm(timer, TIMER_DATE, realtime_ns, expired);
}

void timers_follow(unsigned int old_ratio, unsigned int new_ratio)
{
	int64_t now = moment_boottime_ns();
	struct timer *real = NULL, **at = &virtual_queue.first;

	while (*at) {
		struct timer *timer = *at;

		if (timer->kind != TIMER_REAL || timer->due_ns <= now) {
			at = &timer->next;
			continue;
		}
		*at = timer->next;
		timer->armed = false;
		timer->next = real;
		real = timer;
	}
	while (real) {
		struct timer *timer = real;
		int64_t left = timer->due_ns - now;

		real = timer->next;
		left = left / old_ratio * new_ratio;
		arm(timer, TIMER_REAL, moment_add(now, left), timer->expired);
	}
}

static bool set_timer(struct queue *queue)
{
	int64_t due = queue->first ? queue->first->due_ns : FAR_NS;
	struct itimerspec when = { 0 };

	/* 0 would disarm it. */
	if (due < 1)
		due = 1;
	if (due > FAR_NS)
		due = FAR_NS;
	if (due == queue->set_ns)
		return false;
	when.it_value.tv_sec = due / NS_PER_S;
	when.it_value.tv_nsec = due % NS_PER_S;
	queue->set_ns = due;
	if (timerfd_settime(queue->watch.fd, queue->flags, &when, NULL) == 0)
		return false;
	if (errno != ECANCELED)
		fatal("timerfd_settime: %s", strerror(errno));
	/* It is set, and told on the way that the date was. */
	on_date_set();
	return true;
}

bool timers_prepare(void)
{
	bool more = set_timer(&virtual_queue);

	return set_timer(&date_queue) || more;
}

static void handle_queue(struct watch *watch)
{
	struct queue *queue = container_of(watch, struct queue, watch);
	uint64_t times;
	int64_t now;

	if (read(watch->fd, &times, sizeof(times)) < 0 && errno == ECANCELED)
		on_date_set();
	queue->set_ns = 0;
	now = queue == &date_queue ? moment_realtime_ns() : moment_boottime_ns();
	for (int i = 0; i < BATCH && queue->first && queue->first->due_ns <= now; i++) {
		struct timer *timer = queue->first;

		queue->first = timer->next;
		timer->armed = false;
		timer->expired(timer);
	}
}

static void open_queue(struct queue *queue)
{
	queue->watch.fd = timerfd_create(queue->clock, TFD_CLOEXEC | TFD_NONBLOCK);
	if (queue->watch.fd < 0)
		fatal("timerfd_create: %s", strerror(errno));
	queue->watch.events = EPOLLIN;
	queue->watch.handle = handle_queue;
	events_add(&queue->watch);
}

void timers_open(void (*date_was_set)(void))
{
	on_date_set = date_was_set;
	open_queue(&virtual_queue);
	open_queue(&date_queue);
}

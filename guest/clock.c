// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's clocks, the ratio, and timers that know about it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"

#define RATIO_FILE "/proc/sys/kernel/accel"
#define CLOCKSOURCE_FILE \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"

static struct real_timer *real_timers;
static unsigned int followed_ratio = 1;

static uint64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

uint64_t clock_virtual_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_realtime_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int clock_set_realtime(uint64_t realtime_ns)
{
	struct timespec then = to_timespec(realtime_ns);

	return clock_settime(CLOCK_REALTIME, &then);
}

static void set_timer(struct real_timer *timer)
{
	struct itimerspec when = { .it_value = to_timespec(timer->due_virtual_ns) };

	if (timerfd_settime(timer->watch.fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		fatal("timerfd_settime: %s", strerror(errno));
}

/*
 * What is left of a real duration was counted at the old ratio. A timer that
 * was armed at 1000 and is left alone would wait 1000 times too long at 1.
 */
static void follow_ratio(unsigned int ratio)
{
	uint64_t now = clock_virtual_ns();

	ratio = ratio ? ratio : 1;
	if (ratio == followed_ratio)
		return;
	for (struct real_timer *timer = real_timers; timer; timer = timer->next) {
		uint64_t left;

		if (timer->due_virtual_ns <= now)
			continue;
		left = (timer->due_virtual_ns - now) / followed_ratio * ratio;
		timer->due_virtual_ns = now + left;
		set_timer(timer);
	}
	followed_ratio = ratio;
}

unsigned int clock_ratio(void)
{
	char text[32];
	uint64_t ratio = 0;

	if (text_read(RATIO_FILE, text, sizeof(text)) < 0 || !text_u64(text, &ratio))
		return 0;
	follow_ratio(ratio);
	return ratio;
}

int clock_set_ratio(const char *ratio)
{
	int result = text_write(RATIO_FILE, ratio);
	int error = errno;

	clock_ratio();
	errno = error;
	return result;
}

bool clock_settled(void)
{
	char name[64];

	if (text_read(CLOCKSOURCE_FILE, name, sizeof(name)) < 0)
		return true;
	return strcmp(name, "tsc-early") && strcmp(name, "jiffies") &&
	       strcmp(name, "refined-jiffies");
}

static void handle_timer(struct watch *watch)
{
	struct real_timer *timer = (struct real_timer *)watch;
	uint64_t times;

	/* Nothing to read: it was armed anew after it had fired. */
	if (read(watch->fd, &times, sizeof(times)) != sizeof(times))
		return;
	timer->due_virtual_ns = 0;
	timer->expired();
}

static void open_timer(struct real_timer *timer)
{
	timer->watch.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->watch.fd < 0)
		fatal("timerfd_create: %s", strerror(errno));
	timer->watch.handle = handle_timer;
	loop_add(&timer->watch);
	timer->next = real_timers;
	real_timers = timer;
}

void real_timer_arm(struct real_timer *timer, uint64_t real_ns, void (*expired)(void))
{
	if (!timer->watch.handle)
		open_timer(timer);
	clock_ratio();
	timer->expired = expired;
	timer->due_virtual_ns = clock_virtual_ns() + real_ns * followed_ratio;
	set_timer(timer);
}

void real_timer_disarm(struct real_timer *timer)
{
	if (!timer->watch.handle)
		return;
	timer->due_virtual_ns = 0;
	set_timer(timer);
}

void real_sleep_us(unsigned int real_us)
{
	unsigned int ratio = clock_ratio();
	struct timespec time = to_timespec(real_us * NS_PER_US * (ratio ? ratio : 1));

	nanosleep(&time, NULL);
}

void virtual_timer_arm(struct watch *timer, uint64_t from_ns, uint64_t after_ns,
		       void (*handle)(struct watch *timer))
{
	struct itimerspec when = { 0 };

	/* Later than a clock of 64 bits can tell is never. */
	if (after_ns > INT64_MAX - from_ns)
		after_ns = INT64_MAX - from_ns;
	when.it_value = to_timespec(from_ns + after_ns);
	timer->handle = handle;
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0 || timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		fatal("the timer for the command's end: %s", strerror(errno));
	loop_add(timer);
}

static void handle_ratio_change(struct watch *watch)
{
	char events[4096];

	while (read(watch->fd, events, sizeof(events)) > 0)
		;
	clock_ratio();
}

void clock_watch_ratio(void)
{
	static struct watch watch = { .handle = handle_ratio_change };

	watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch.fd < 0)
		return; /* a kernel without it: the next heartbeat notices */
	if (inotify_add_watch(watch.fd, RATIO_FILE, IN_MODIFY) < 0) {
		close(watch.fd);
		return;
	}
	loop_add(&watch);
}

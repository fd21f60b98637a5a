// SPDX-License-Identifier: GPL-2.0-or-later
/* The clocks that edge reads in turn; each by a call that returns ns, or -1. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#include "edge.h"

#define LOG_EVERY 64 /* turns: a line in the log is slow */

static int64_t by_times(void)
{
	return times(NULL) * USER_TICK_NS;
}

static int64_t by_uptime(void)
{
	char text[64];
	long long seconds, hundredths;

	read_file("/proc/uptime", text, sizeof(text));
	if (sscanf(text, "%lld.%lld", &seconds, &hundredths) != 2)
		return -1;
	return seconds * NSEC_PER_SEC + hundredths * (NSEC_PER_SEC / 100);
}

static int64_t by_time(void)
{
	return time(NULL) * NSEC_PER_SEC;
}

static int64_t by_timeofday(void)
{
	struct timeval value;

	gettimeofday(&value, NULL);
	return value.tv_sec * NSEC_PER_SEC + value.tv_usec * 1000LL;
}

static int64_t by_rusage(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

/* The stamp of a line that we write into the kernel's log. */
static int64_t by_log(void)
{
	static const char text[] = "<7>edge: a stamp\n";
	static int log = -1;
	char line[8192];
	int64_t stamp = -1;
	ssize_t length;

	if (log < 0) {
		/* Else the kernel leaves out what comes too fast. */
		int knob = open("/proc/sys/kernel/printk_devkmsg", O_WRONLY | O_CLOEXEC);

		must(write(knob, "on\n", 3) == 3, "printk_devkmsg");
		close(knob);
		log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	must(log >= 0, "/dev/kmsg");
	lseek(log, 0, SEEK_END);
	must(write(log, text, sizeof(text) - 1) > 0, "the kernel's log");
	while ((length = read(log, line, sizeof(line) - 1)) > 0 ||
	       (length < 0 && errno == EPIPE)) {
		long long usec;

		if (length < 0)
			continue;
		line[length] = 0;
		if (strstr(line, "edge: a stamp") &&
		    sscanf(line, "%*d,%*d,%lld", &usec) == 1)
			stamp = usec * 1000LL;
	}
	return stamp;
}

static struct clock {
	const char *name;
	clockid_t id;
	int64_t (*read)(void); /* else that clock */
	unsigned int every;    /* how many turns */
	int64_t first, last, back;
	int64_t first_low, first_high, last_low, last_high; /* of the moment */
	long reads;
} clocks[] = {
	{ .name = "realtime", .id = CLOCK_REALTIME },
	{ .name = "monotonic", .id = CLOCK_MONOTONIC },
	{ .name = "monotonic_raw", .id = CLOCK_MONOTONIC_RAW },
	{ .name = "boottime", .id = CLOCK_BOOTTIME },
	{ .name = "tai", .id = CLOCK_TAI },
	{ .name = "realtime_coarse", .id = CLOCK_REALTIME_COARSE },
	{ .name = "monotonic_coarse", .id = CLOCK_MONOTONIC_COARSE },
	{ .name = "times", .read = by_times },
	{ .name = "uptime", .read = by_uptime },
	{ .name = "time", .read = by_time },
	{ .name = "gettimeofday", .read = by_timeofday },
	{ .name = "log", .read = by_log, .every = LOG_EVERY },
	{ .name = "cpu", .id = CLOCK_PROCESS_CPUTIME_ID },
	{ .name = "rusage", .read = by_rusage },
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static void read_clock(struct clock *clock)
{
	int64_t low = now(CLOCK_MONOTONIC);
	int64_t value = clock->read ? clock->read() : now(clock->id);
	int64_t high = now(CLOCK_MONOTONIC);

	must(value >= 0, "reading %s", clock->name);
	if (!clock->reads++) {
		clock->first = value;
		clock->first_low = low;
		clock->first_high = high;
	} else if (clock->last - value > clock->back) {
		clock->back = clock->last - value;
	}
	clock->last = value;
	clock->last_low = low;
	clock->last_high = high;
}

void read_clocks(int64_t end_ns)
{
	for (unsigned int turn = 0; now(CLOCK_MONOTONIC) < end_ns; turn++)
		for (size_t i = 0; i < CLOCKS; i++)
			if (!clocks[i].every || turn % clocks[i].every == 0)
				read_clock(&clocks[i]);
}

void print_clocks(void)
{
	for (size_t i = 0; i < CLOCKS; i++)
		printf("{\"clock\": \"%s\", \"back_ns\": %" PRId64
		       ", \"moved_ns\": %" PRId64 ", \"low_ns\": %" PRId64
		       ", \"high_ns\": %" PRId64 ", \"reads\": %ld}\n",
		       clocks[i].name, clocks[i].back,
		       clocks[i].last - clocks[i].first,
		       clocks[i].last_low - clocks[i].first_high,
		       clocks[i].last_high - clocks[i].first_low,
		       clocks[i].reads);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the probes of kernel timers share: moments, their records, and a start
 * somewhere between two ticks.
 *
 * A record is {"witness": NAME, "asked_ns": A, "slack_ns": L, "virtual_ns": V,
 * "counts": C, "stale_ns": S, ...}: the timer was asked for A ns (and may take its
 * user's time, up to L more), and what it does was seen V ns of the guest's
 * monotonic clock and C counts of the hardware after a moment just before it
 * was armed. So V below A is a timer that was early, and nothing else. At that
 * moment jiffies were S ns behind the clock. "torn_counts" is how far apart
 * clock and counter were read, at both ends together.
 */
#ifndef DYNACCEL_TIMED_H
#define DYNACCEL_TIMED_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define NSEC_PER_MSEC 1000000LL
/* Of real time, between two looks at something that does not tell by itself. */
#define LOOK_USEC 200

struct moment {
	int64_t virtual_ns;
	int64_t stale_ns; /* since the last tick on any CPU */
	uint64_t counts;
	uint64_t torn; /* counts that passed while clock and counter were read */
};

/* The clock and the counter together: of three tries the one least torn apart. */
static inline struct moment moment(void)
{
	struct moment best = { .torn = UINT64_MAX };

	for (int i = 0; i < 3; i++) {
		/* Read first: it never shows a tick that came after. */
		int64_t tick_ns = now(CLOCK_MONOTONIC_COARSE);
		uint64_t before = counter();
		int64_t virtual_ns = now(CLOCK_MONOTONIC);
		uint64_t torn = counter() - before;

		if (torn >= best.torn)
			continue;
		best.torn = torn;
		best.virtual_ns = virtual_ns;
		best.stale_ns = virtual_ns - tick_ns;
		best.counts = before + torn / 2;
	}
	return best;
}

static inline void report_slack(const char *witness, int64_t asked_ns,
				int64_t slack_ns, struct moment start,
				struct moment end)
{
	printf("{\"witness\": \"%s\", \"asked_ns\": %" PRId64
	       ", \"slack_ns\": %" PRId64 ", \"virtual_ns\": %" PRId64
	       ", \"counts\": %" PRIu64 ", \"stale_ns\": %" PRId64
	       ", \"torn_counts\": %" PRIu64 "}\n",
	       witness, asked_ns, slack_ns, end.virtual_ns - start.virtual_ns,
	       end.counts - start.counts, start.stale_ns, start.torn + end.torn);
	fflush(stdout);
}

static inline void report(const char *witness, int64_t asked_ns,
			  struct moment start, struct moment end)
{
	report_slack(witness, asked_ns, 0, start, end);
}

/* Ends the probe with the reason when @ok does not hold. */
__attribute__((format(printf, 2, 3)))
static inline void must(int ok, const char *format, ...)
{
	int error = errno;
	va_list arguments;

	if (ok)
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

/* Returns how many bytes were read; @text ends with a NUL. */
static inline size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t more;

	must(fd >= 0, "%s", path);
	while (length + 1 < size &&
	       (more = read(fd, text + length, size - 1 - length)) > 0)
		length += more;
	close(fd);
	text[length] = 0;
	return length;
}

static inline long long read_number(const char *path)
{
	char text[64];

	read_file(path, text, sizeof(text));
	return atoll(text);
}

static inline void write_number(const char *path, long long number)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && dprintf(fd, "%lld\n", number) > 0, "%s", path);
	close(fd);
}

/* 1 where there is no such knob: what is measured is then plain Linux. */
static inline int ratio_now(void)
{
	if (access("/proc/sys/kernel/accel", R_OK))
		return 1;
	return read_number("/proc/sys/kernel/accel");
}

static inline void sleep_virtual(int64_t ns)
{
	struct timespec time = timespec_of(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time) == EINTR)
		;
}

static inline void look_again(int ratio)
{
	sleep_virtual(LOOK_USEC * 1000LL * ratio);
}

/* Ends the probe by SIGALRM should what it waits for not come in that time. */
static inline void limit_real(int ratio, unsigned int seconds)
{
	alarm(seconds * ratio);
}

/*
 * Run on for some part of a tick, another one each time: on a CPU that does not
 * idle, jiffies stand where the last tick left them, and a timer that is armed
 * now counts from there.
 */
static inline void run_into_tick(int ratio)
{
	static const int real_usec[] = { 300, 3500, 1900, 2700, 1100 };
	static unsigned int turn;
	int64_t end = now(CLOCK_MONOTONIC);

	end += real_usec[turn++ % (sizeof(real_usec) / sizeof(real_usec[0]))] *
	       1000LL * ratio;
	while (now(CLOCK_MONOTONIC) < end)
		;
}

#endif /* DYNACCEL_TIMED_H */

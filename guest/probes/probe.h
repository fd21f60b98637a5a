/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the probes share: clocks, the hardware's counter, and the ratio.
 *
 * A probe prints one JSON object a line. It tells real time by nothing but the
 * counter, which no kernel scales; what a count is worth the reader knows.
 */
#ifndef DYNACCEL_PROBE_H
#define DYNACCEL_PROBE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000LL
#define USEC_PER_SEC 1000000LL

/* The counter that every CPU has and that runs in real time: TSC, CNTVCT. */
static inline uint64_t counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t count;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count) : : "memory");
	return count;
#else
#error "name the counter of this architecture here"
#endif
}

static inline int64_t ns_of(struct timespec time)
{
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC,
				  .tv_nsec = ns % NSEC_PER_SEC };
}

static inline int64_t now(clockid_t clock)
{
	struct timespec time;

	return clock_gettime(clock, &time) ? -1 : ns_of(time);
}

/* Returns 0, or -1 with errno set when the kernel refused. */
static inline int set_ratio(int ratio)
{
	int fd = open("/proc/sys/kernel/accel", O_WRONLY | O_CLOEXEC);
	int length, ok;
	char text[16];

	if (fd < 0)
		return -1;
	length = snprintf(text, sizeof(text), "%d\n", ratio);
	ok = write(fd, text, length) == length;
	close(fd);
	return ok ? 0 : -1;
}

#endif /* DYNACCEL_PROBE_H */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a probe asks of the place it runs in: CPUs, small files, the ratio. */
#ifndef DYNACCEL_HERE_H
#define DYNACCEL_HERE_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

static inline long last_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

/* Keeps the calling thread on one CPU. */
static inline void pin(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Reads a small file of /proc whole; the text is cut to what fits. */
static inline int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? 0 : -1;
}

/* Whether a list of the kernel's, such as "1-3,7", names a CPU. */
static inline int cpu_is_listed(const char *list, long cpu)
{
	char *end;

	for (; *list; list = *end == ',' ? end + 1 : end) {
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return 0;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return 1;
	}
	return 0;
}

/* CPUs of nohz_full= compute without a tick; Linux leaves one at least with it. */
static inline long last_ticking_cpu(void)
{
	long cpu = last_cpu();
	char list[256];

	if (read_text("/sys/devices/system/cpu/nohz_full", list, sizeof(list)))
		return cpu;
	while (cpu > 0 && cpu_is_listed(list, cpu))
		cpu--;
	return cpu;
}

/* Writes a text into a file that is there. */
static inline int put(const char *directory, const char *file, const char *text)
{
	size_t length = strlen(text);
	char path[192];
	int fd, ok;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ok = write(fd, text, length) == (ssize_t)length;
	close(fd);
	return ok ? 0 : -1;
}

/* The ratio now; 1 where the kernel knows none. */
static inline int64_t current_ratio(void)
{
	char text[16];

	if (read_text("/proc/sys/kernel/accel", text, sizeof(text)))
		return 1;
	return atoi(text) > 0 ? atoi(text) : 1;
}

static inline void nap_real(int64_t real_ns, int64_t ratio)
{
	const struct timespec time = timespec_of(real_ns * ratio);

	nanosleep(&time, NULL);
}

/* Columns of a CPU in /proc/stat. */
#define STAT_ALL 0xffu
#define STAT_IDLE 0x18u /* idle, iowait; the others: user nice system irq softirq steal */

/* The sum of these columns in ns, with the grain of USER_HZ; -1 where there is no such CPU. */
static inline int64_t stat_ns(long cpu, unsigned int columns)
{
	static char text[16384];
	char name[32], *field;
	int64_t sum = 0;

	if (read_text("/proc/stat", text, sizeof(text)))
		return -1;
	snprintf(name, sizeof(name), "cpu%ld ", cpu);
	field = strstr(text, name);
	if (!field) {
		errno = ENOENT;
		return -1;
	}
	field += strlen(name);
	for (int column = 0; column < 8; column++) {
		int64_t ticks = strtoll(field, &field, 10);

		if (columns & 1u << column)
			sum += ticks;
	}
	return sum * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
}

/*
 * For a thread that computes and looks at the counter: a gap between two looks
 * that no guest makes is time that the host kept the CPU for other work.
 */
struct looks {
	uint64_t last, gap, stolen;
};

static inline uint64_t look_at_counter(struct looks *looks)
{
	uint64_t count = counter();

	if (looks->last && count - looks->last > looks->gap)
		looks->stolen += count - looks->last;
	looks->last = count;
	return count;
}

#endif /* DYNACCEL_HERE_H */

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

#endif /* DYNACCEL_HERE_H */

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether any clock goes back: bursts of readings of all, on one CPU after the
 * other, each reading against the last one of the same clock.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "moment.h"
#include "out.h"
#include "samples.h"
#include "samples_inside.h"

#define LOOPS 32
#define CPUS_MAX 8

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t read_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t read_realtime_coarse(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

static int64_t read_tai(void)
{
	return read_clock(CLOCK_TAI);
}

static int64_t read_gettimeofday(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return now.tv_sec * NS_PER_S + now.tv_usec * 1000;
}

static int64_t read_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t read_monotonic_coarse(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

static int64_t read_monotonic_raw(void)
{
	return read_clock(CLOCK_MONOTONIC_RAW);
}

static int64_t read_boottime(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

static int64_t read_times(void)
{
	struct tms unused;

	return times(&unused) * (NS_PER_S / sysconf(_SC_CLK_TCK));
}

static struct {
	const char *name;
	int64_t (*read)(void);
	bool of_date; /* steps of the date move it */
	bool known;
	int64_t last;
	int64_t back; /* by how much at most, in this burst */
} clocks[] = {
	{ .name = "realtime", .read = read_realtime, .of_date = true },
	{ .name = "realtime_coarse", .read = read_realtime_coarse, .of_date = true },
	{ .name = "tai", .read = read_tai, .of_date = true },
	{ .name = "gettimeofday", .read = read_gettimeofday, .of_date = true },
	{ .name = "monotonic", .read = read_monotonic },
	{ .name = "monotonic_coarse", .read = read_monotonic_coarse },
	{ .name = "monotonic_raw", .read = read_monotonic_raw },
	{ .name = "boottime", .read = read_boottime },
	{ .name = "times", .read = read_times },
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static int64_t back_steps, readings;
static int64_t first_offset;
static bool has_offset;

static void read_all(void)
{
	for (size_t i = 0; i < CLOCKS; i++) {
		int64_t now = clocks[i].read();

		if (clocks[i].known && now < clocks[i].last) {
			back_steps++;
			if (clocks[i].last - now > clocks[i].back)
				clocks[i].back = clocks[i].last - now;
		}
		clocks[i].known = true;
		clocks[i].last = now;
		readings++;
	}
}

/* On all CPUs, or eight of them, the next eight the next time. */
static void read_everywhere(void)
{
	static int next;
	cpu_set_t all, one;
	int visited = 0;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE && visited < CPUS_MAX; i++) {
		int cpu = (next + i) % CPU_SETSIZE;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_COUNT(&all) > 1)
			sched_setaffinity(0, sizeof(one), &one);
		for (int loop = 0; loop < LOOPS; loop++)
			read_all();
		if (++visited == CPUS_MAX)
			next = cpu + 1;
	}
	if (CPU_COUNT(&all) > 1)
		sched_setaffinity(0, sizeof(all), &all);
}

void sample_clocks_follow_date(void)
{
	for (size_t i = 0; i < CLOCKS; i++)
		if (clocks[i].of_date)
			clocks[i].known = false;
}

void sample_clocks(struct sample *sample)
{
	int64_t offset;

	date_look(); /* a step is no clock that goes wrong */
	read_everywhere();
	for (size_t i = 0; i < CLOCKS; i++) {
		if (clocks[i].back)
			date_tell_back(clocks[i].name, clocks[i].back);
		clocks[i].back = 0;
	}
	offset = date_offset_ns();
	if (!has_offset)
		first_offset = offset;
	has_offset = true;
	sample_begin(sample, "clocks");
	sample_count("back_steps", back_steps);
	sample_count("readings", readings);
	sample_seconds("offset_seconds", (double)(offset - first_offset) / NS_PER_S);
	out_end();
}

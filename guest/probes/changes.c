// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * changes COUNT: change kernel.accel COUNT times at random, while a reader on
 * each of the first two CPUs watches that no clock goes back and a sleeper that
 * no sleep ends early. Prints what came of it as JSON. Has to run as root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000LL
#define RATIO_MAX 1000

static const clockid_t clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
	CLOCK_TAI, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static atomic_bool done;
static atomic_long reads, backward, early;

static long long now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static void *watch(void *cpu)
{
	long long last[CLOCKS] = { 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((long)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!atomic_load(&done)) {
		for (size_t i = 0; i < CLOCKS; i++) {
			long long time = now(clocks[i]);

			if (time < last[i])
				atomic_fetch_add(&backward, 1);
			last[i] = time;
		}
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

static void *doze(void *unused)
{
	const struct timespec nap = { .tv_nsec = NSEC_PER_SEC / 4 };

	while (!atomic_load(&done)) {
		long long start = now(CLOCK_MONOTONIC);

		nanosleep(&nap, NULL);
		if (now(CLOCK_MONOTONIC) - start < nap.tv_nsec)
			atomic_fetch_add(&early, 1);
	}
	return unused;
}

static int set_ratio(int ratio)
{
	char text[16];
	int fd = open("/proc/sys/kernel/accel", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d\n", ratio);
	int ok = fd >= 0 && write(fd, text, length) == length;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* How far the coarse clock is behind right after a change, in its own steps. */
static double coarse_lag_ticks(void)
{
	struct timespec step;
	long long fine = now(CLOCK_MONOTONIC), coarse = now(CLOCK_MONOTONIC_COARSE);

	clock_getres(CLOCK_MONOTONIC_COARSE, &step);
	return (double)(fine - coarse) / step.tv_nsec;
}

int main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 1000;
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[3];
	int changes = 0, made = 0;
	double lag;

	for (long cpu = 0; cpu < 2 && cpu < cpus; cpu++)
		pthread_create(&threads[made++], NULL, watch, (void *)cpu);
	pthread_create(&threads[made++], NULL, doze, NULL);

	srand(1);
	while (changes < count && set_ratio(rand() % RATIO_MAX + 1))
		changes++;

	atomic_store(&done, 1);
	while (made > 0)
		pthread_join(threads[--made], NULL);

	set_ratio(RATIO_MAX);
	set_ratio(1);
	lag = coarse_lag_ticks();
	printf("{\"changes\": %d, \"reads\": %ld, \"backward\": %ld, \"early\": %ld, \"coarse_lag_ticks\": %.2f}\n",
	       changes, (long)reads, (long)backward, (long)early, lag);
	return changes == count ? 0 : 1;
}

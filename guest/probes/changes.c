// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * changes COUNT PATIENCE: change kernel.accel COUNT times at random. Meanwhile
 * a reader on each CPU watches that no clock goes back, sleepers that no wait
 * ends early or lasts for PATIENCE counts, and hogs and a writer keep all busy.
 * Then, in quiet: are the clocks that the tick brings along still in line?
 * Prints what came of it as JSON. Has to run as root; leaves the ratio at 1.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/times.h>

#include "here.h"

#define RATIO_MAX 1000
#define CPUS_MAX 64
#define NAP_NS 250000000LL
#define QUIET_ROUNDS 20
#define SETTLE_NS 50000000LL
/* A hog may not starve whoever changes the ratio. */
#define HOG_NICE 15

static int64_t by_vdso(long clock)
{
	return now(clock);
}

static int64_t by_syscall(long clock)
{
	struct timespec time;

	syscall(SYS_clock_gettime, clock, &time);
	return ns_of(time);
}

static int64_t by_times(long unused)
{
	struct tms tms;

	(void)unused;
	return times(&tms) * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
}

static const struct {
	const char *name;
	int64_t (*read)(long argument);
	long argument;
} clocks[] = {
	{ "realtime, vDSO", by_vdso, CLOCK_REALTIME },
	{ "realtime, system call", by_syscall, CLOCK_REALTIME },
	{ "monotonic, vDSO", by_vdso, CLOCK_MONOTONIC },
	{ "monotonic, system call", by_syscall, CLOCK_MONOTONIC },
	{ "monotonic_raw, vDSO", by_vdso, CLOCK_MONOTONIC_RAW },
	{ "monotonic_raw, system call", by_syscall, CLOCK_MONOTONIC_RAW },
	{ "boottime, vDSO", by_vdso, CLOCK_BOOTTIME },
	{ "boottime, system call", by_syscall, CLOCK_BOOTTIME },
	{ "tai, vDSO", by_vdso, CLOCK_TAI },
	{ "tai, system call", by_syscall, CLOCK_TAI },
	{ "realtime_coarse, vDSO", by_vdso, CLOCK_REALTIME_COARSE },
	{ "realtime_coarse, system call", by_syscall, CLOCK_REALTIME_COARSE },
	{ "monotonic_coarse, vDSO", by_vdso, CLOCK_MONOTONIC_COARSE },
	{ "monotonic_coarse, system call", by_syscall, CLOCK_MONOTONIC_COARSE },
	{ "times", by_times, 0 },
	{ "thread's CPU time", by_syscall, CLOCK_THREAD_CPUTIME_ID },
	{ "process's CPU time", by_syscall, CLOCK_PROCESS_CPUTIME_ID },
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static atomic_bool done;
static atomic_long reads, backward[CLOCKS], crossed, naps, early, failed;
static atomic_llong earliest_ns;
static atomic_ullong longest_counts;

static void *watch(void *cpu)
{
	int64_t last[CLOCKS] = { 0 };

	pin((long)cpu);
	while (!atomic_load(&done)) {
		int64_t vdso = 0;

		for (size_t i = 0; i < CLOCKS; i++) {
			int64_t time = clocks[i].read(clocks[i].argument);

			if (time < last[i])
				atomic_fetch_add(&backward[i], 1);
			last[i] = time;
			/* The same clock by both ways: the later read shows no less. */
			if (clocks[i].read == by_vdso)
				vdso = time;
			else if (i > 0 && clocks[i - 1].read == by_vdso && time < vdso)
				atomic_fetch_add(&crossed, 1);
		}
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

static int nap_relative(void)
{
	const struct timespec time = timespec_of(NAP_NS);

	return nanosleep(&time, NULL);
}

static int nap_absolute(void)
{
	const struct timespec time = timespec_of(now(CLOCK_BOOTTIME) + NAP_NS);

	return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &time, NULL);
}

static int nap_poll(void)
{
	return poll(NULL, 0, NAP_NS / 1000000);
}

static int nap_timerfd(void)
{
	struct itimerspec timer = { .it_value = timespec_of(NAP_NS) };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), result = -1;
	uint64_t expirations;

	if (fd >= 0 && timerfd_settime(fd, 0, &timer, NULL) == 0)
		result = read(fd, &expirations, sizeof(expirations)) < 0;
	close(fd);
	return result;
}

static int (*const sleepers[])(void) = { nap_relative, nap_absolute, nap_poll, nap_timerfd };

#define SLEEPERS (sizeof(sleepers) / sizeof(sleepers[0]))

static void *doze(void *which)
{
	while (!atomic_load(&done)) {
		uint64_t begin = counter(), counts, longest = atomic_load(&longest_counts);
		int64_t start = now(CLOCK_MONOTONIC), left;

		if (sleepers[(size_t)which]())
			atomic_fetch_add(&failed, 1);
		left = NAP_NS - (now(CLOCK_MONOTONIC) - start);
		counts = counter() - begin;
		if (left > 0) {
			long long most = atomic_load(&earliest_ns);

			atomic_fetch_add(&early, 1);
			while (left > most &&
			       !atomic_compare_exchange_weak(&earliest_ns, &most, left))
				;
		}
		while (counts > longest &&
		       !atomic_compare_exchange_weak(&longest_counts, &longest, counts))
			;
		atomic_fetch_add(&naps, 1);
	}
	return NULL;
}

static void *hog(void *unused)
{
	/* Of this thread alone: Linux has a nice value for each. */
	if (nice(HOG_NICE) < 0)
		return unused;
	while (!atomic_load(&done))
		for (int i = 0; i < 20000; i++)
			__asm__ volatile("" ::: "memory");
	return unused;
}

static void *write_files(void *unused)
{
	static char block[65536];
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (nice(HOG_NICE) < 0 || fd < 0)
		return unused;
	while (!atomic_load(&done))
		for (int i = 0; i < 16; i++)
			if (pwrite(fd, block, sizeof(block), i * sizeof(block)) < 0)
				atomic_fetch_add(&failed, 1);
	close(fd);
	return unused;
}

/* How far the clock of the tick is behind, in ticks of the ratio that holds. */
static double coarse_lag_ticks(int ratio)
{
	struct timespec step;
	int64_t coarse = now(CLOCK_MONOTONIC_COARSE), fine = now(CLOCK_MONOTONIC);

	clock_getres(CLOCK_MONOTONIC_COARSE, &step);
	return (double)(fine - coarse) / ns_of(step) / ratio;
}

/* The least of many: what the host adds is no matter of the kernel. */
static double least_lag(int from, int to)
{
	double least = 1e9;

	for (int round = 0; round < QUIET_ROUNDS; round++) {
		double lag;

		set_ratio(from);
		nap_real(SETTLE_NS / 10, from);
		set_ratio(to);
		lag = coarse_lag_ticks(to);
		least = lag < least ? lag : least;
	}
	return least;
}

/* At ratio 1: how far jiffies are behind, by their finest reading of several. */
static int64_t jiffies_lag_ns(void)
{
	int64_t least = INT64_MAX;

	for (int round = 0; round < 2000; round++) {
		int64_t lag = now(CLOCK_MONOTONIC) - by_times(0);

		least = lag < least ? lag : least;
		nap_real(100000, 1);
	}
	return least;
}

int main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 1000;
	const uint64_t patience = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	const long cpus = last_cpu() < CPUS_MAX ? last_cpu() + 1 : CPUS_MAX;
	pthread_t threads[2 * CPUS_MAX + SLEEPERS + 1];
	int changes = 0, made = 0, broken = 0;
	int64_t jiffies_before, jiffies_after;
	double fast, slow;
	uint64_t start;

	set_ratio(1);
	jiffies_before = jiffies_lag_ns();
	for (long cpu = 0; cpu < cpus; cpu++) {
		pthread_create(&threads[made++], NULL, watch, (void *)cpu);
		pthread_create(&threads[made++], NULL, hog, NULL);
	}
	for (size_t i = 0; i < SLEEPERS; i++)
		pthread_create(&threads[made++], NULL, doze, (void *)i);
	pthread_create(&threads[made++], NULL, write_files, NULL);

	start = counter();
	srand(1);
	while (changes < count && set_ratio(rand() % RATIO_MAX + 1) == 0)
		changes++;
	start = counter() - start;

	/* Who waits longer than a real nap at ratio 1 and PATIENCE is lost. */
	set_ratio(1);
	atomic_store(&done, 1);
	while (made > 0)
		pthread_join(threads[--made], NULL);

	slow = least_lag(RATIO_MAX, 1);
	fast = least_lag(1, RATIO_MAX);
	set_ratio(1);
	nap_real(SETTLE_NS, 1);
	jiffies_after = jiffies_lag_ns();

	printf("{\"changes\": %d, \"counts\": %llu, \"reads\": %ld, \"backward\": {", changes,
	       (unsigned long long)start, (long)reads);
	for (size_t i = 0; i < CLOCKS; i++)
		if (backward[i])
			printf("%s\"%s\": %ld", broken++ ? ", " : "", clocks[i].name,
			       (long)backward[i]);
	printf("}, \"crossed\": %ld, \"naps\": %ld, \"early\": %ld, \"earliest_ns\": %lld, \"failed\": %ld, \"longest_counts\": %llu, \"lost\": %d, \"lag_ticks_fast\": %.3f, \"lag_ticks_slow\": %.3f, \"jiffies_drift_ns\": %lld}\n",
	       (long)crossed, (long)naps, (long)early, (long long)earliest_ns, (long)failed,
	       (unsigned long long)longest_counts, longest_counts > patience, fast, slow,
	       (long long)(jiffies_after - jiffies_before));
	return changes == count ? 0 : 1;
}

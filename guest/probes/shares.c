// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shares WHAT COUNTS: how the scheduler shares out the CPUs in COUNTS.
 *
 * quota PERIOD_US   a control group that may use half of a CPU
 * deadline          a SCHED_DEADLINE process that computes all the time, then
 *                   one that waits for its next period
 * fair              four processes a CPU that compute all the time
 * latency           a process that sleeps among two such a CPU: how late it
 *                   wakes, in virtual ns
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "group.h"

#define SCHED_DEADLINE_POLICY 6
#define DEADLINE_SHARE_PERCENT 30
#define DEADLINE_REAL_NS 10000000LL
/* kernel.sched_deadline_period_max_us is 2^22 us. */
#define DEADLINE_MAX_NS 4000000000LL
#define NAP_REAL_NS 10000000LL
#define HOGS_MAX 512
#define SAMPLES_MAX 4096

/* As the kernel has it since 3.14; the C library knows it by name only lately. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* What a hog tells: written by it alone, read when it is gone. */
struct tally {
	int64_t used_ns, wall_ns;
};

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

/* Looks at the counter now and then: under emulation that is not for free. */
static void compute(uint64_t counts)
{
	uint64_t start = counter();

	while (counter() - start < counts)
		for (int i = 0; i < 20000; i++)
			__asm__ volatile("" ::: "memory");
}

static void compute_and_tell(uint64_t counts, struct tally *tally)
{
	int64_t used = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);

	compute(counts);
	tally->used_ns = now(CLOCK_PROCESS_CPUTIME_ID) - used;
	tally->wall_ns = now(CLOCK_MONOTONIC) - wall;
}

static pid_t hog(uint64_t counts, struct tally *tally)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		compute_and_tell(counts, tally);
		_exit(0);
	}
	return child;
}

static struct tally *make_tallies(void)
{
	return mmap(NULL, HOGS_MAX * sizeof(struct tally), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int quota(uint64_t counts, long period_us)
{
	struct tally tally;
	struct group group;
	char limit[64];
	int result = 0;

	snprintf(limit, sizeof(limit), "%ld %ld", period_us / 2, period_us);
	if (group_make(&group))
		return fail("making a control group");
	if (put(group.path, "cpu.max", limit) || group_enter(group.path)) {
		result = fail("limiting a control group");
	} else {
		/*
		 * It is in the tick that use is charged. Before 6.6 a CPU of
		 * nohz_full= is without one for a second, exceeds the quota by
		 * so much, and has lost the refills when it is to pay back.
		 */
		pin(last_ticking_cpu());
		/* The first period may have begun before. */
		compute(counts / 10);
		compute_and_tell(counts, &tally);
		printf("{\"name\": \"quota\", \"period_us\": %ld, \"used_ns\": %lld, \"wall_ns\": %lld}\n",
		       period_us, (long long)tally.used_ns, (long long)tally.wall_ns);
	}
	group_remove(&group);
	return result;
}

static int compare(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

static int deadline(uint64_t counts, int64_t ratio)
{
	int64_t period = DEADLINE_REAL_NS * ratio < DEADLINE_MAX_NS ? DEADLINE_REAL_NS * ratio :
								      DEADLINE_MAX_NS;
	struct attributes attributes = {
		.size = sizeof(attributes), .policy = SCHED_DEADLINE_POLICY,
		.runtime = period / 100 * DEADLINE_SHARE_PERCENT,
		.deadline = period, .period = period,
	};
	static int64_t woken[SAMPLES_MAX], apart[SAMPLES_MAX];
	struct tally tally;
	uint64_t start;
	int count = 0;

	if (syscall(SYS_sched_setattr, 0, &attributes, 0))
		return fail("sched_setattr");
	compute(counts / 10);
	compute_and_tell(counts, &tally);
	printf("{\"name\": \"deadline share\", \"period_ns\": %lld, \"share\": %.2f, \"used_ns\": %lld, \"wall_ns\": %lld}\n",
	       (long long)period, DEADLINE_SHARE_PERCENT / 100.0, (long long)tally.used_ns,
	       (long long)tally.wall_ns);
	fflush(stdout);
	sched_yield();
	start = counter();
	while (counter() - start < counts && count < SAMPLES_MAX) {
		sched_yield();
		woken[count++] = now(CLOCK_MONOTONIC);
	}
	for (int i = 1; i < count; i++)
		apart[i - 1] = woken[i] - woken[i - 1];
	qsort(apart, count - 1, sizeof(apart[0]), compare);
	printf("{\"name\": \"deadline period\", \"period_ns\": %lld, \"periods\": %d, \"wall_ns\": %lld, \"median_ns\": %lld, \"least_ns\": %lld, \"most_ns\": %lld}\n",
	       (long long)period, count - 1, (long long)(woken[count - 1] - woken[0]),
	       (long long)apart[(count - 1) / 2], (long long)apart[0],
	       (long long)apart[count - 2]);
	return 0;
}

static int fair(uint64_t counts, long hogs)
{
	struct tally *tallies = make_tallies();
	int64_t least = INT64_MAX, most = 0, all = 0, wall = 0;

	for (long i = 0; i < hogs; i++)
		hog(counts, &tallies[i]);
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < hogs; i++) {
		int64_t used = tallies[i].used_ns;

		all += used;
		least = used < least ? used : least;
		most = used > most ? used : most;
		wall = tallies[i].wall_ns > wall ? tallies[i].wall_ns : wall;
	}
	printf("{\"name\": \"fair\", \"hogs\": %ld, \"cpus\": %ld, \"least_ns\": %lld, \"most_ns\": %lld, \"all_ns\": %lld, \"wall_ns\": %lld}\n",
	       hogs, last_cpu() + 1, (long long)least, (long long)most, (long long)all,
	       (long long)wall);
	return 0;
}

static int latency(uint64_t counts, long hogs, int64_t ratio)
{
	struct tally *tallies = make_tallies();
	static int64_t late[SAMPLES_MAX];
	int64_t due = now(CLOCK_MONOTONIC);
	pid_t children[HOGS_MAX];
	uint64_t start = counter();
	int count = 0;

	for (long i = 0; i < hogs; i++)
		children[i] = hog(UINT64_MAX, &tallies[i]);
	while (counter() - start < counts && count < SAMPLES_MAX) {
		struct timespec time;

		due = now(CLOCK_MONOTONIC) + NAP_REAL_NS * ratio;
		time = timespec_of(due);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		late[count++] = now(CLOCK_MONOTONIC) - due;
	}
	for (long i = 0; i < hogs; i++)
		kill(children[i], SIGKILL);
	qsort(late, count, sizeof(late[0]), compare);
	printf("{\"name\": \"latency\", \"hogs\": %ld, \"samples\": %d, \"least_ns\": %lld, \"median_ns\": %lld, \"p99_ns\": %lld, \"most_ns\": %lld}\n",
	       hogs, count, (long long)late[0], (long long)late[count / 2],
	       (long long)late[(count * 99 - 1) / 100], (long long)late[count - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const uint64_t counts = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000000;
	const long cpus = last_cpu() + 1 < HOGS_MAX / 4 ? last_cpu() + 1 : HOGS_MAX / 4;

	if (strcmp(what, "quota") == 0)
		return quota(counts, argc > 3 ? atol(argv[3]) : 100000);
	if (strcmp(what, "deadline") == 0)
		return deadline(counts, current_ratio());
	if (strcmp(what, "fair") == 0)
		return fair(counts, 4 * cpus);
	if (strcmp(what, "latency") == 0)
		return latency(counts, 2 * cpus, current_ratio());
	fprintf(stderr, "usage: shares quota|deadline|fair|latency COUNTS [PERIOD_US]\n");
	return 2;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smooth COUNTS: read MONOTONIC and the counter as fast as can be for COUNTS
 * on each CPU, then on all CPUs at once, and tell the largest step that the
 * counter does not explain. A read lies between two counts: what these two
 * leave open explains a step too, so that an interrupt is no step.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "here.h"

#define CPUS_MAX 64

struct reading {
	uint64_t low, high;
	int64_t ns;
};

struct steps {
	long cpu;
	uint64_t reads, backward, gap_counts;
	double ahead_ns, behind_ns, step_ns, rate;
};

static uint64_t window;
static atomic_llong newest;
static atomic_int waiting;

static struct reading read_clock(void)
{
	struct reading reading;

	reading.low = counter();
	reading.ns = now(CLOCK_MONOTONIC);
	reading.high = counter();
	return reading;
}

/* The reading that took least of many. */
static struct reading sharp(void)
{
	struct reading best = read_clock();

	for (int i = 0; i < 200; i++) {
		struct reading reading = read_clock();

		if (reading.high - reading.low < best.high - best.low)
			best = reading;
	}
	return best;
}

/* Virtual ns in a count, over the whole window: a single step hardly moves it. */
static double rate_between(struct reading first, struct reading last)
{
	return (double)(last.ns - first.ns) / (last.low / 2.0 + last.high / 2.0 -
					       first.low / 2.0 - first.high / 2.0);
}

static void look(struct steps *steps, struct reading last, struct reading reading)
{
	double step = reading.ns - last.ns;
	double most = steps->rate * (reading.high - last.low);
	double least = reading.low > last.high ? steps->rate * (reading.low - last.high) : 0;

	steps->reads++;
	if (step < 0)
		steps->backward++;
	if (step > steps->step_ns)
		steps->step_ns = step;
	if (step - most > steps->ahead_ns)
		steps->ahead_ns = step - most;
	if (least - step > steps->behind_ns)
		steps->behind_ns = least - step;
	if (reading.high - last.low > steps->gap_counts)
		steps->gap_counts = reading.high - last.low;
}

static void watch_alone(struct steps *steps)
{
	struct reading first = sharp(), last, reading;

	while (counter() - first.low < window)
		;
	steps->rate = rate_between(first, sharp());
	last = first = read_clock();
	do {
		reading = read_clock();
		look(steps, last, reading);
		last = reading;
	} while (reading.low - first.low < window);
}

/* All CPUs at once: no read shows less than one that ended before it began. */
static void *watch_together(void *argument)
{
	struct steps *steps = argument;
	uint64_t start;

	pin(steps->cpu);
	atomic_fetch_sub(&waiting, 1);
	while (atomic_load(&waiting) > 0)
		sched_yield();
	start = counter();
	while (counter() - start < window) {
		long long before = atomic_load(&newest);
		long long ns = now(CLOCK_MONOTONIC);

		steps->reads++;
		if (ns < before)
			steps->backward++;
		while (ns > before && !atomic_compare_exchange_weak(&newest, &before, ns))
			;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const long online = sysconf(_SC_NPROCESSORS_ONLN);
	const long cpus = online < CPUS_MAX ? online : CPUS_MAX;
	static struct steps alone[CPUS_MAX], together[CPUS_MAX];
	unsigned long long reads = 0, backward = 0;
	pthread_t threads[CPUS_MAX];

	window = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000000;
	for (long cpu = 0; cpu < cpus; cpu++) {
		struct steps *steps = &alone[cpu];

		pin(cpu);
		steps->cpu = cpu;
		watch_alone(steps);
		printf("{\"name\": \"alone\", \"cpu\": %ld, \"reads\": %llu, \"backward\": %llu, \"ahead_ns\": %.1f, \"behind_ns\": %.1f, \"step_ns\": %.0f, \"gap_counts\": %llu, \"ns_per_count\": %.12g}\n",
		       cpu, (unsigned long long)steps->reads,
		       (unsigned long long)steps->backward, steps->ahead_ns, steps->behind_ns,
		       steps->step_ns, (unsigned long long)steps->gap_counts, steps->rate);
	}
	atomic_store(&waiting, cpus);
	for (long cpu = 0; cpu < cpus; cpu++) {
		together[cpu].cpu = cpu;
		pthread_create(&threads[cpu], NULL, watch_together, &together[cpu]);
	}
	for (long cpu = 0; cpu < cpus; cpu++) {
		pthread_join(threads[cpu], NULL);
		reads += together[cpu].reads;
		backward += together[cpu].backward;
	}
	printf("{\"name\": \"together\", \"cpus\": %ld, \"reads\": %llu, \"backward\": %llu}\n",
	       cpus, reads, backward);
	return 0;
}

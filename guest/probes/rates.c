// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rates COUNTS GAP: read everything that tells the time, twice, COUNTS of the
 * counter apart. The first CPU is idle meanwhile, the last one busy. A record
 * for each source: its value at both ends and the counts between which that
 * was true. A source that stands still in between is read as it moves. GAP is
 * how many counts the busy CPU may be away before that is called stolen.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "sources.h"

#define TRIES 9
#define TRIES_TRACE 3
/* Real time for a source to move; SECONDS stand for up to one at ratio 1. */
#define PATIENCE_SECONDS 3
#define NAP_REAL_NS 100000000LL
/* Moves to look at, and the part of a gap below which a move is sharp enough. */
#define EDGES 8
#define EDGE_WIDTH 50

/*
 * Iterations between two looks at the counter, some tens of microseconds: under
 * emulation a counter that several CPUs read all the time gains on the host's.
 */
#define LOOK_EVERY 20000

#define NAMESPACE_MONOTONIC_S 2592000LL
#define NAMESPACE_BOOTTIME_S 5184000LL

static pthread_t spinner;
static uint64_t gap_counts;
static atomic_ullong stolen;
static int64_t ratio = 1;

static int read_thread_cpu(long unused, struct sample *sample)
{
	clockid_t clock;
	uint64_t low;

	(void)unused;
	if (!spinner || pthread_getcpuclockid(spinner, &clock)) {
		errno = ENODEV;
		return -1;
	}
	low = counter();
	return sampled(now(clock), low, sample);
}

/*
 * What this process used, less what this thread did: the spinning one. That one is
 * counted as of when Linux last looked at it (thread_group_cputime()), which on a
 * CPU without a tick (nohz_full) is up to a second ago: its own clock looks.
 */
static int read_process_cpu(long unused, struct sample *sample)
{
	struct sample thread;
	int64_t own, all;
	uint64_t low;

	if (read_thread_cpu(unused, &thread))
		return -1;
	own = now(CLOCK_THREAD_CPUTIME_ID);
	low = counter();
	all = now(CLOCK_PROCESS_CPUTIME_ID);
	return sampled(all - own, low, sample);
}

/*
 * Read in this order at the begin and in reverse at the end: what comes late
 * has the quietest time in between.
 */
static const struct source sources[] = {
	{ "time, vDSO", SECONDS, read_time, 0 },
	{ "time, system call", SECONDS, read_time, 1 },
	{ "sysinfo uptime", SECONDS, read_sysinfo, 0 },
	{ "stamp in the kernel's log", FINE, read_kmsg, 0 },
	{ "ftrace stamp, local", FINE, read_trace, 0 },
	{ "ftrace stamp, global", FINE, read_trace, 1 },
	{ "ftrace stamp, mono", FINE, read_trace, 2 },
	{ "perf's clock, by a program", FINE, read_perf, 0 },
	{ "realtime, vDSO", FINE, read_vdso, CLOCK_REALTIME },
	{ "realtime, system call", FINE, read_syscall, CLOCK_REALTIME },
	{ "monotonic, vDSO", FINE, read_vdso, CLOCK_MONOTONIC },
	{ "monotonic, system call", FINE, read_syscall, CLOCK_MONOTONIC },
	{ "monotonic_raw, vDSO", FINE, read_vdso, CLOCK_MONOTONIC_RAW },
	{ "monotonic_raw, system call", FINE, read_syscall, CLOCK_MONOTONIC_RAW },
	{ "boottime, vDSO", FINE, read_vdso, CLOCK_BOOTTIME },
	{ "boottime, system call", FINE, read_syscall, CLOCK_BOOTTIME },
	{ "tai, vDSO", FINE, read_vdso, CLOCK_TAI },
	{ "tai, system call", FINE, read_syscall, CLOCK_TAI },
	{ "realtime_alarm", FINE, read_syscall, CLOCK_REALTIME_ALARM },
	{ "boottime_alarm", FINE, read_syscall, CLOCK_BOOTTIME_ALARM },
	{ "gettimeofday, vDSO", FINE, read_gettimeofday, 0 },
	{ "gettimeofday, system call", FINE, read_gettimeofday, 1 },
	{ "realtime_coarse, vDSO", EDGE, read_vdso, CLOCK_REALTIME_COARSE },
	{ "realtime_coarse, system call", EDGE, read_syscall, CLOCK_REALTIME_COARSE },
	{ "monotonic_coarse, vDSO", EDGE, read_vdso, CLOCK_MONOTONIC_COARSE },
	{ "monotonic_coarse, system call", EDGE, read_syscall, CLOCK_MONOTONIC_COARSE },
	{ "mtime of a file", EDGE, read_mtime, 0 },
	{ "/proc/uptime", EDGE, read_uptime, 0 },
	{ "times", TICK, read_times, 0 },
	{ "CPU time of a spinning thread", CPU, read_thread_cpu, 0 },
	{ "CPU time of a spinning process", CPU, read_process_cpu, 0 },
	{ "/proc/stat, busy CPU", STAT, read_stat, -1 },
	{ "/proc/stat, idle CPU", IDLE, read_stat, 0 },
};

static const struct source namespaced[] = {
	{ "monotonic in a time namespace, vDSO", FINE, read_vdso, CLOCK_MONOTONIC },
	{ "monotonic in a time namespace, system call", FINE, read_syscall, CLOCK_MONOTONIC },
	{ "boottime in a time namespace, vDSO", FINE, read_vdso, CLOCK_BOOTTIME },
	{ "boottime in a time namespace, system call", FINE, read_syscall, CLOCK_BOOTTIME },
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SOURCES_MAX LENGTH(sources)

struct reading {
	struct sample begin, end;
	int error;
};

static int read_source(const struct source *source, struct sample *sample)
{
	long argument = source->argument < 0 ? last_cpu() : source->argument;

	return source->read(argument, sample) ? errno : 0;
}

/* The reading that took least: whoever interrupts makes it longer. */
static int read_fine(const struct source *source, struct sample *best)
{
	int stamp = source->read == read_kmsg || source->read == read_trace;
	struct sample sample;

	for (int try = 0; try < (stamp ? TRIES_TRACE : TRIES); try++) {
		int error = read_source(source, &sample);

		if (error)
			return error;
		if (try == 0 || sample.high - sample.low < best->high - best->low)
			*best = sample;
	}
	return 0;
}

/*
 * Reads these until each has moved: that is the moment when it is exact. A
 * moment that the host made long is good for nothing; then the next one.
 */
static void read_edges(const struct source *list, const size_t *which, size_t count,
		       struct sample *found[], int errors[])
{
	const int64_t patience = PATIENCE_SECONDS * ratio * NSEC_PER_SEC;
	struct sample last[SOURCES_MAX], sample;
	int moves[SOURCES_MAX] = { 0 };
	int64_t start = now(CLOCK_MONOTONIC);
	size_t left = count;

	for (size_t i = 0; i < count; i++) {
		errors[i] = read_source(&list[which[i]], &last[i]);
		if (errors[i]) {
			moves[i] = EDGES;
			left--;
		}
	}
	while (left > 0 && now(CLOCK_MONOTONIC) - start < patience) {
		for (size_t i = 0; i < count; i++) {
			uint64_t low = last[i].low, width;

			if (moves[i] >= EDGES)
				continue;
			read_source(&list[which[i]], &sample);
			width = sample.high - low;
			if (sample.ns != last[i].ns &&
			    (moves[i]++ == 0 || width < found[i]->high - found[i]->low)) {
				*found[i] = sample;
				found[i]->low = low;
				if (width < gap_counts / EDGE_WIDTH)
					moves[i] = EDGES;
			}
			left -= moves[i] >= EDGES;
			last[i] = sample;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (moves[i] == 0)
			errors[i] = ETIME;
}

/* Those of SECONDS together, for each may take a second. */
static void read_slow(const struct source *list, size_t count, struct reading *readings, int end)
{
	struct sample *found[SOURCES_MAX];
	size_t which[SOURCES_MAX], slow = 0;
	int errors[SOURCES_MAX];

	for (size_t i = 0; i < count; i++) {
		if (list[i].kind != SECONDS || readings[i].error)
			continue;
		found[slow] = end ? &readings[i].end : &readings[i].begin;
		which[slow++] = i;
	}
	read_edges(list, which, slow, found, errors);
	for (size_t i = 0; i < slow; i++)
		readings[which[i]].error = errors[i];
}

static void read_all(const struct source *list, size_t count, struct reading *readings, int end)
{
	if (!end)
		read_slow(list, count, readings, end);
	for (size_t step = 0; step < count; step++) {
		size_t i = end ? count - 1 - step : step;
		struct sample *sample = end ? &readings[i].end : &readings[i].begin;

		if (readings[i].error || list[i].kind == SECONDS)
			continue;
		if (list[i].kind == FINE || list[i].kind == CPU)
			readings[i].error = read_fine(&list[i], sample);
		else
			read_edges(list, &i, 1, &sample, &readings[i].error);
	}
	if (end)
		read_slow(list, count, readings, end);
}

static void report(const struct source *source, const struct reading *reading, int64_t offset_ns)
{
	static const char *const kinds[] = { "fine", "edge", "seconds", "tick", "cpu", "stat", "idle" };

	printf("{\"name\": \"%s\", \"kind\": \"%s\"", source->name, kinds[source->kind]);
	if (reading->error) {
		printf(", \"missing\": \"%s\"}\n", strerror(reading->error));
		return;
	}
	printf(", \"begin_ns\": %lld, \"begin_low\": %llu, \"begin_high\": %llu",
	       (long long)reading->begin.ns, (unsigned long long)reading->begin.low,
	       (unsigned long long)reading->begin.high);
	printf(", \"end_ns\": %lld, \"end_low\": %llu, \"end_high\": %llu",
	       (long long)reading->end.ns, (unsigned long long)reading->end.low,
	       (unsigned long long)reading->end.high);
	printf(", \"offset_ns\": %lld}\n", (long long)offset_ns);
}

/* Reads all at both ends of the window; returns with the readings complete. */
static void measure(const struct source *list, size_t count, uint64_t counts,
		    struct reading *readings, int begun)
{
	uint64_t start;

	read_all(list, count, readings, 0);
	start = counter();
	close(begun);
	while (counter() - start < counts)
		nap_real(NAP_REAL_NS, ratio);
	read_all(list, count, readings, 1);
}

static void measure_namespaced(uint64_t counts, int begun)
{
	struct reading readings[LENGTH(namespaced)] = { 0 };
	char offsets[96];
	pid_t child;
	int error = 0;

	snprintf(offsets, sizeof(offsets), "monotonic %lld 0\nboottime %lld 0\n",
		 NAMESPACE_MONOTONIC_S, NAMESPACE_BOOTTIME_S);
	if (unshare(CLONE_NEWTIME) || put("/proc/self", "timens_offsets", offsets))
		error = errno;
	/* The offsets hold for processes that are made from now on. */
	child = fork();
	if (child != 0) {
		close(begun);
		waitpid(child, NULL, 0);
		return;
	}
	for (size_t i = 0; i < LENGTH(namespaced); i++)
		readings[i].error = error;
	if (!error)
		measure(namespaced, LENGTH(namespaced), counts, readings, begun);
	for (size_t i = 0; i < LENGTH(namespaced); i++)
		report(&namespaced[i], &readings[i],
		       (namespaced[i].argument == CLOCK_MONOTONIC ? NAMESPACE_MONOTONIC_S :
								    NAMESPACE_BOOTTIME_S) *
			       NSEC_PER_SEC);
}

static void *spin(void *cpu)
{
	struct looks looks = { .gap = gap_counts };

	pin((long)cpu);
	for (;;) {
		for (int i = 0; i < LOOK_EVERY; i++)
			__asm__ volatile("" ::: "memory");
		look_at_counter(&looks);
		atomic_store(&stolen, looks.stolen);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const uint64_t counts = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000000;
	struct reading readings[SOURCES_MAX] = { 0 };
	char byte;
	int begun[2];
	pid_t child;

	gap_counts = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	ratio = current_ratio();
	pin(0);
	if (pipe(begun) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		close(begun[0]);
		measure_namespaced(counts, begun[1]);
		fflush(stdout);
		_exit(0);
	}
	close(begun[1]);
	/* Not both at once on this CPU: wait until the child only waits. */
	if (read(begun[0], &byte, 1) < 0)
		return 1;
	if (last_cpu() > 0)
		pthread_create(&spinner, NULL, spin, (void *)last_cpu());
	measure(sources, SOURCES_MAX, counts, readings, begun[0]);
	waitpid(child, NULL, 0);
	for (size_t i = 0; i < SOURCES_MAX; i++)
		report(&sources[i], &readings[i], 0);
	printf("{\"name\": \"host\", \"kind\": \"host\", \"stolen_counts\": %llu}\n",
	       (unsigned long long)atomic_load(&stolen));
	fflush(stdout);
	close_traces();
	_exit(0);
}

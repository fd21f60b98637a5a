// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hardware idle|busy MS COUNTS_PER_MS RATIO[:MS] ...: how long the waits of
 * drivers take. With "busy" a process keeps each CPU from being idle.
 *
 * The kernel offers each of them in debugfs (kernel/time/dynaccel_waits.c, option
 * DYNACCEL_WAITS). All are begun at the first ratio and wait for MS milliseconds
 * of real time, at the same time; meanwhile the ratio is each of the ratios for
 * so many real milliseconds, and then the last one until all are over. Prints a
 * record {"kind": K, "asked_ms": MS, "counts": C, "stale_ns": S} each, or one
 * {"missing": WHY} where the kernel has no such file. As the wait began the last
 * tick was S ns of real time ago.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "hogs.h"
#include "probe.h"

#define MAX_WAITS 32
#define DEBUGFS "/sys/kernel/debug"
#define WAITS DEBUGFS "/dynaccel/wait"

struct wait {
	pthread_t thread;
	char kind[48];
	const char *ms;
	int first_ratio;
	int64_t stale_ns;
	uint64_t counts;
	int error;
};

static void *wait_once(void *argument)
{
	struct wait *wait = argument;
	char line[64];
	int length = snprintf(line, sizeof(line), "%s %s", wait->kind, wait->ms);
	int fd = open(WAITS, O_WRONLY | O_CLOEXEC);
	/* The coarse clock stands still between ticks; read first, it is behind. */
	int64_t tick_ns = now(CLOCK_MONOTONIC_COARSE);
	uint64_t begin = counter();

	wait->stale_ns = (now(CLOCK_MONOTONIC) - tick_ns) / wait->first_ratio;
	if (fd < 0 || write(fd, line, length) != length)
		wait->error = errno ? errno : EIO;
	wait->counts = counter() - begin;
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Sleeps at first: who spins keeps a CPU from what is measured. */
static void until(uint64_t end, uint64_t counts_per_ms, int ratio)
{
	while ((int64_t)(end - counter()) > 0) {
		struct timespec time = timespec_of(
			(end - counter()) * 1000000 / counts_per_ms * ratio / 2 + 1000);

		nanosleep(&time, NULL);
	}
}

static int read_kinds(struct wait *waits)
{
	FILE *list = fopen(WAITS, "re");
	int count = 0;

	while (count < MAX_WAITS && fscanf(list, "%47s", waits[count].kind) == 1)
		count++;
	fclose(list);
	return count;
}

static void missing(const char *why)
{
	printf("{\"missing\": \"%s\"}\n", why);
	exit(0);
}

int main(int argc, char **argv)
{
	struct wait waits[MAX_WAITS] = {};
	struct hogs hogs = { .count = 0 };
	uint64_t counts_per_ms;
	int count, status = 0;

	if (argc < 5)
		return 2;
	if (access(DEBUGFS "/dynaccel", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	if (access(WAITS, R_OK))
		missing("the kernel has no /sys/kernel/debug/dynaccel/wait (DYNACCEL_WAITS)");
	counts_per_ms = strtoull(argv[3], NULL, 10);
	count = read_kinds(waits);
	if (strcmp(argv[1], "busy") == 0)
		hogs_start(&hogs);
	for (int i = 0; i < count; i++) {
		waits[i].ms = argv[2];
		waits[i].first_ratio = atoi(argv[4]);
		if (pthread_create(&waits[i].thread, NULL, wait_once, &waits[i]))
			return 1;
	}
	for (int i = 4, ratio = atoi(argv[4]); i < argc; i++) {
		char *ms = strchr(argv[i], ':');
		uint64_t begin = counter();

		if (i > 4) {
			ratio = atoi(argv[i]);
			if (set_ratio(ratio)) {
				perror("kernel.accel");
				return 1;
			}
		}
		if (ms)
			until(begin + strtoull(ms + 1, NULL, 10) * counts_per_ms,
			      counts_per_ms, ratio);
	}
	for (int i = 0; i < count; i++) {
		pthread_join(waits[i].thread, NULL);
		if (waits[i].error) {
			fprintf(stderr, "%s: %s\n", waits[i].kind, strerror(waits[i].error));
			status = 1;
			continue;
		}
		printf("{\"kind\": \"%s\", \"asked_ms\": %s, \"counts\": %" PRIu64
		       ", \"stale_ns\": %" PRId64 "}\n",
		       waits[i].kind, waits[i].ms, waits[i].counts, waits[i].stale_ns);
	}
	hogs_end(&hogs);
	return status;
}

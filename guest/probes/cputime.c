// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cputime COUNTS GAP: compute on the last CPU for COUNTS of the counter and
 * tell how much CPU time every interface of the kernel found in that, beside
 * what MONOTONIC says. The first CPU is idle meanwhile. GAP is how many counts
 * the CPU may be away before the host is said to have stolen them.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/times.h>

#include "group.h"

struct reading {
	int64_t ns, wall_ns;
	int error;
};

static struct group group;
static int group_error;

static int64_t user_tick_ns(void)
{
	return NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
}

static int64_t by_getrusage(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

static int64_t by_process_clock(void)
{
	return now(CLOCK_PROCESS_CPUTIME_ID);
}

static int64_t by_thread_clock(void)
{
	return now(CLOCK_THREAD_CPUTIME_ID);
}

static int64_t by_times(void)
{
	struct tms tms;

	times(&tms);
	return (tms.tms_utime + tms.tms_stime) * user_tick_ns();
}

static int64_t by_self_stat(void)
{
	char text[1024], *field;
	int64_t user, system;

	if (read_text("/proc/self/stat", text, sizeof(text)))
		return -1;
	/* The name of the program may hold anything; what follows it does not. */
	field = strrchr(text, ')') + 2;
	for (int column = 3; column < 14; column++)
		field = strchr(field, ' ') + 1;
	user = strtoll(field, &field, 10);
	system = strtoll(field, &field, 10);
	return (user + system) * user_tick_ns();
}

static int64_t by_schedstat(void)
{
	char text[128];

	if (read_text("/proc/self/schedstat", text, sizeof(text)))
		return -1;
	return strtoll(text, NULL, 10);
}

static int64_t by_stat_busy(void)
{
	return stat_ns(last_cpu(), STAT_ALL & ~STAT_IDLE);
}

static int64_t by_stat_idle(void)
{
	if (last_cpu() == 0) {
		errno = ENODEV;
		return -1;
	}
	return stat_ns(0, STAT_IDLE);
}

static int64_t by_group(void)
{
	char path[96], text[512], *field;

	if (group_error) {
		errno = group_error;
		return -1;
	}
	snprintf(path, sizeof(path), "%s/cpu.stat", group.path);
	if (read_text(path, text, sizeof(text)))
		return -1;
	field = strstr(text, "usage_usec ");
	return field ? strtoll(field + strlen("usage_usec "), NULL, 10) * 1000 : -1;
}

static const struct {
	const char *name, *kind;
	int64_t (*read)(void);
} sources[] = {
	{ "getrusage()", "fine", by_getrusage },
	{ "CLOCK_PROCESS_CPUTIME_ID", "fine", by_process_clock },
	{ "CLOCK_THREAD_CPUTIME_ID", "fine", by_thread_clock },
	{ "times()", "fine", by_times },
	{ "/proc/self/stat", "fine", by_self_stat },
	{ "/proc/self/schedstat", "fine", by_schedstat },
	{ "cpu.stat of a control group", "fine", by_group },
	{ "/proc/stat, busy CPU", "tick", by_stat_busy },
	{ "/proc/stat, idle CPU", "idle", by_stat_idle },
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static void read_all(struct reading *readings, struct looks *looks)
{
	for (size_t i = 0; i < SOURCES; i++) {
		readings[i].ns = sources[i].read();
		readings[i].error = readings[i].ns < 0 ? errno : 0;
		readings[i].wall_ns = now(CLOCK_MONOTONIC);
		look_at_counter(looks);
	}
}

int main(int argc, char **argv)
{
	const uint64_t counts = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000000;
	struct looks looks = { .gap = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX };
	struct reading begin[SOURCES], end[SOURCES];
	uint64_t start;

	if (group_make(&group) || group_enter(group.path))
		group_error = errno;
	pin(last_cpu());
	read_all(begin, &looks);
	start = counter();
	while (look_at_counter(&looks) - start < counts)
		;
	read_all(end, &looks);
	group_remove(&group);
	for (size_t i = 0; i < SOURCES; i++) {
		printf("{\"name\": \"%s\", \"kind\": \"%s\"", sources[i].name, sources[i].kind);
		if (end[i].error)
			printf(", \"missing\": \"%s\"}\n", strerror(end[i].error));
		else
			printf(", \"used_ns\": %lld, \"wall_ns\": %lld, \"counts\": %llu, \"stolen_counts\": %llu}\n",
			       (long long)(end[i].ns - begin[i].ns),
			       (long long)(end[i].wall_ns - begin[i].wall_ns),
			       (unsigned long long)(looks.last - start), (unsigned long long)looks.stolen);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clocks [SPIN]: for each line of standard input print a line with the counter,
 * the length of a tick and all clocks in ns, read as close together as can be;
 * an empty line ends it. With SPIN, that many child processes keep a CPU busy meanwhile. Whoever
 * sends the lines knows the real time; this program knows none.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/times.h>

#include "probe.h"

static const struct {
	const char *name;
	clockid_t id;
} clocks[] = {
	{ "realtime", CLOCK_REALTIME },
	{ "monotonic", CLOCK_MONOTONIC },
	{ "monotonic_raw", CLOCK_MONOTONIC_RAW },
	{ "boottime", CLOCK_BOOTTIME },
	{ "tai", CLOCK_TAI },
	{ "realtime_coarse", CLOCK_REALTIME_COARSE },
	{ "monotonic_coarse", CLOCK_MONOTONIC_COARSE },
};

#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static void spin(int count)
{
	while (count-- > 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				;
		}
	}
}

int main(int argc, char **argv)
{
	const int64_t user_tick_ns = NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
	struct timespec tick = { 0 };
	int64_t ns[CLOCKS];
	uint64_t count;
	char line[64];
	clock_t ticks;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	spin(argc > 1 ? atoi(argv[1]) : 0);
	while (fgets(line, sizeof(line), stdin) && line[0] != '\n') {
		count = counter();
		for (size_t i = 0; i < CLOCKS; i++)
			ns[i] = now(clocks[i].id);
		ticks = times(NULL);
		printf("{\"counter\": %llu, \"tick_ns\": %lld", (unsigned long long)count,
		       (long long)ns_of(tick));
		for (size_t i = 0; i < CLOCKS; i++)
			printf(", \"%s\": %lld", clocks[i].name, (long long)ns[i]);
		printf(", \"times\": %lld}\n", (long long)ticks * user_tick_ns);
		fflush(stdout);
	}
	return 0;
}

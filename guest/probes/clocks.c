// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clocks [SPIN]: for each line of standard input print a line with all clocks,
 * as "name=ns ...", read as close together as can be. With SPIN, that many
 * child processes keep a CPU busy meanwhile. Whoever sends the lines knows the
 * real time; this program knows none.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

struct clock {
	const char *name;
	clockid_t id;
};

static const struct clock clocks[] = {
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
	const long long tick_ns = 1000000000LL / sysconf(_SC_CLK_TCK);
	struct timespec now[CLOCKS];
	char line[64];
	clock_t ticks;

	spin(argc > 1 ? atoi(argv[1]) : 0);
	while (fgets(line, sizeof(line), stdin)) {
		for (size_t i = 0; i < CLOCKS; i++)
			clock_gettime(clocks[i].id, &now[i]);
		ticks = times(NULL);
		for (size_t i = 0; i < CLOCKS; i++)
			printf("%s=%lld ", clocks[i].name,
			       now[i].tv_sec * 1000000000LL + now[i].tv_nsec);
		printf("times=%lld\n", (long long)ticks * tick_ns);
		fflush(stdout);
	}
	return 0;
}

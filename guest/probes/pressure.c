// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure HOGS UP_NS DOWN_NS: the averages that the kernel keeps over time.
 * HOGS processes share one CPU for UP_NS of the guest's time, then there is quiet
 * for DOWN_NS. Prints four readings ("before", "loaded", "released", "rested") of
 * /proc/loadavg and /proc/pressure/cpu.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "timed.h"

#define MAX_HOGS 16
#define LIMIT_SEC 60

static void reading(const char *name)
{
	double load, average;
	struct moment taken;
	long long total;
	char text[256];

	taken = moment();
	read_file("/proc/loadavg", text, sizeof(text));
	must(sscanf(text, "%lf", &load) == 1, "/proc/loadavg");
	read_file("/proc/pressure/cpu", text, sizeof(text));
	must(sscanf(text, "some avg10=%lf avg60=%*f avg300=%*f total=%lld",
		    &average, &total) == 2, "/proc/pressure/cpu");
	printf("{\"reading\": \"%s\", \"virtual_ns\": %" PRId64
	       ", \"counts\": %" PRIu64
	       ", \"load1\": %.2f, \"avg10\": %.2f, \"total_us\": %lld}\n",
	       name, taken.virtual_ns, taken.counts, load, average, total);
	fflush(stdout);
}

static pid_t start_hog(const cpu_set_t *cpus)
{
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(!sched_setaffinity(0, sizeof(*cpus), cpus), "a CPU to share");
	for (;;)
		__asm__ volatile("");
}

int main(int argc, char **argv)
{
	pid_t children[MAX_HOGS];
	cpu_set_t first;
	int hogs;

	if (argc != 4)
		return 2;
	hogs = atoi(argv[1]);
	if (hogs < 1 || hogs > MAX_HOGS)
		return 2;
	limit_real(ratio_now(), LIMIT_SEC);
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	reading("before");
	for (int i = 0; i < hogs; i++)
		children[i] = start_hog(&first);
	sleep_virtual(atoll(argv[2]));
	reading("loaded");
	for (int i = 0; i < hogs; i++)
		kill(children[i], SIGKILL);
	for (int i = 0; i < hogs; i++)
		waitpid(children[i], NULL, 0);
	reading("released");
	sleep_virtual(atoll(argv[3]));
	reading("rested");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cputimers NS COUNTS GAP: let every timer that runs on CPU time fire after NS of
 * it, each in a process of its own that computes on the last CPU, and tell how
 * much it had used by then. After COUNTS of the counter a timer counts as lost.
 * RLIMIT_CPU is in whole seconds: NS rounded up. GAP is how many counts the CPU
 * may be away before the host is said to have stolen them: ticks in which this
 * process would have been seen.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "here.h"

static volatile sig_atomic_t fired;
static volatile int64_t used_ns;
static volatile uint64_t ended;

static void on_signal(int number)
{
	(void)number;
	used_ns = now(CLOCK_PROCESS_CPUTIME_ID);
	ended = counter();
	fired = 1;
}

static int arm_itimer(int which, int64_t ns)
{
	struct itimerval timer = { .it_value = { .tv_sec = ns / NSEC_PER_SEC,
						 .tv_usec = ns % NSEC_PER_SEC / 1000 } };

	return setitimer(which, &timer, NULL);
}

static int arm_prof(int64_t ns)
{
	return arm_itimer(ITIMER_PROF, ns);
}

static int arm_virtual(int64_t ns)
{
	return arm_itimer(ITIMER_VIRTUAL, ns);
}

static int arm_timer(clockid_t clock, int64_t ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec setting = { .it_value = timespec_of(ns) };
	timer_t timer;

	return timer_create(clock, &event, &timer) || timer_settime(timer, 0, &setting, NULL);
}

static int arm_process(int64_t ns)
{
	return arm_timer(CLOCK_PROCESS_CPUTIME_ID, ns);
}

static int arm_thread(int64_t ns)
{
	return arm_timer(CLOCK_THREAD_CPUTIME_ID, ns);
}

static int arm_limit(int64_t ns)
{
	struct rlimit limit = { .rlim_cur = ns / NSEC_PER_SEC, .rlim_max = RLIM_INFINITY };

	return setrlimit(RLIMIT_CPU, &limit);
}

static const struct {
	const char *name;
	int signal;
	int (*arm)(int64_t ns);
	/* The limit counts from the start of the process. */
	int from_start;
} timers[] = {
	{ "ITIMER_PROF", SIGPROF, arm_prof, 0 },
	{ "ITIMER_VIRTUAL", SIGVTALRM, arm_virtual, 0 },
	{ "timer_create(CLOCK_PROCESS_CPUTIME_ID)", SIGUSR1, arm_process, 0 },
	{ "timer_create(CLOCK_THREAD_CPUTIME_ID)", SIGUSR1, arm_thread, 0 },
	{ "RLIMIT_CPU", SIGXCPU, arm_limit, 1 },
};

static int measure(size_t which, int64_t ns, uint64_t counts, uint64_t gap)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct looks looks = { .gap = gap };
	uint64_t start;
	int64_t before;

	if (timers[which].from_start)
		ns = (ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC * NSEC_PER_SEC;
	sigaction(timers[which].signal, &action, NULL);
	before = timers[which].from_start ? 0 : now(CLOCK_PROCESS_CPUTIME_ID);
	start = counter();
	if (timers[which].arm(ns)) {
		perror(timers[which].name);
		return 1;
	}
	while (!fired && look_at_counter(&looks) - start < counts)
		;
	printf("{\"name\": \"%s\", \"asked_ns\": %lld, \"used_ns\": %lld, \"fired\": %d, \"counts\": %llu, \"stolen_counts\": %llu}\n",
	       timers[which].name, (long long)ns, (long long)(used_ns - before), (int)fired,
	       (unsigned long long)((fired ? ended : looks.last) - start),
	       (unsigned long long)looks.stolen);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const int64_t ns = argc > 1 ? atoll(argv[1]) : NSEC_PER_SEC;
	const uint64_t counts = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	const uint64_t gap = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;
	int result = 0, status;

	pin(last_cpu());
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(measure(i, ns, counts, gap));
		waitpid(child, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			result = 1;
	}
	return result;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cost ROUNDS BATCH: what the kernel's paths through time cost, in the manner
 * of lmbench. Each benchmark is an operation that is done BATCH times between
 * two looks at the counter, and that ROUNDS times. Prints a line for each, with
 * counts for one operation: the smallest, the median, the ninth decile, and
 * where the counter stood when it was over.
 *
 * The counter tells real time. In a QEMU that counts instructions (-icount
 * shift=0) it tells those, and what is done by one CPU costs the same in each
 * run. "empty" is what the looks themselves cost.
 *
 * As process 1 it ends with the machine switched off.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "probe.h"

#define FAR_NS (10 * NSEC_PER_SEC)
#define NEAR_NS 1000000
/* At 125 Hz or more there is a tick in each. */
#define STRETCH_NS 8000000
#define STRETCHES 200

static timer_t timer;
static int *word;
static int ask[2], answer[2], sockets[2];

static void fail(const char *what)
{
	perror(what);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	exit(1);
}

static int smaller(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, double *counts, long number)
{
	qsort(counts, number, sizeof(*counts), smaller);
	printf("{\"name\": \"%s\", \"rounds\": %ld, \"min\": %.2f, \"median\": %.2f, \"p90\": %.2f, \"at\": %llu}\n",
	       name, number, counts[0], counts[number / 2],
	       counts[number * 9 / 10], (unsigned long long)counter());
	fflush(stdout);
}

static void empty(void)
{
	__asm__ volatile("" : : : "memory");
}

static void get_pid(void)
{
	syscall(SYS_getpid);
}

static void clock_vdso(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
}

static void clock_raw_vdso(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
}

static void clock_coarse_vdso(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
}

static void day_vdso(void)
{
	struct timeval time;

	gettimeofday(&time, NULL);
}

static void clock_syscall(void)
{
	struct timespec time;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
}

static void cpu_time(void)
{
	struct timespec time;

	syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &time);
}

static void shortest_sleep(void)
{
	const struct timespec time = { .tv_nsec = 1 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void arm(int64_t ns)
{
	const struct itimerspec on = { .it_value = timespec_of(ns) }, off = {};

	if (timer_settime(timer, 0, &on, NULL) ||
	    timer_settime(timer, 0, &off, NULL))
		fail("timer_settime");
}

/* The tick comes first: the device stays as it is. */
static void timer_far(void)
{
	arm(FAR_NS);
}

/* Mostly before the tick: the device is programmed for it, and for the tick again. */
static void timer_near(void)
{
	arm(NEAR_NS);
}

static void poll_nothing(void)
{
	poll(NULL, 0, 0);
}

static void wake_nobody(void)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Wait until the word is @mine, for a second at the most, over and over. */
static void await(int mine)
{
	const struct timespec limit = { .tv_sec = 1 };
	int value;

	while ((value = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != mine)
		syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static void hand_over(int to)
{
	__atomic_store_n(word, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* There and back: two switches, two waits with a time-out that never comes. */
static void futex_switch(void)
{
	hand_over(1);
	await(0);
}

static void futex_partner(void)
{
	for (;;) {
		await(1);
		hand_over(0);
	}
}

static void pipe_switch(void)
{
	char byte = 0;

	if (write(ask[1], &byte, 1) != 1 || read(answer[0], &byte, 1) != 1)
		fail("pipe");
}

static void pipe_partner(void)
{
	char byte;

	while (read(ask[0], &byte, 1) == 1)
		if (write(answer[1], &byte, 1) != 1)
			break;
}

/*
 * What the tick takes from a busy program: the longest gap in a loop that does
 * nothing but look at the counter, for each stretch that sees a tick or two.
 * Whatever else stops the loop is either shorter or rare.
 */
static void tick_gaps(double *gaps, long number)
{
	for (long round = 0; round < number; round++) {
		const int64_t end = now(CLOCK_MONOTONIC) + STRETCH_NS;
		uint64_t longest = 0;

		while (now(CLOCK_MONOTONIC) < end) {
			uint64_t before = counter();

			for (int i = 0; i < 4096; i++) {
				const uint64_t after = counter();

				if (after - before > longest)
					longest = after - before;
				before = after;
			}
		}
		gaps[round] = longest;
	}
}

/* A socket waits by schedule_timeout(), that is on the timer wheel. */
static void socket_switch(void)
{
	char byte = 0;

	if (write(sockets[0], &byte, 1) != 1 || read(sockets[0], &byte, 1) != 1)
		fail("socket");
}

static void socket_partner(void)
{
	char byte;

	while (read(sockets[1], &byte, 1) == 1)
		if (write(sockets[1], &byte, 1) != 1)
			break;
}

static const struct benchmark {
	const char *name;
	void (*operation)(void);
	void (*partner)(void);
} benchmarks[] = {
	{ "empty", empty, NULL },
	{ "getpid", get_pid, NULL },
	{ "clock_gettime", clock_vdso, NULL },
	{ "clock_gettime raw", clock_raw_vdso, NULL },
	{ "clock_gettime coarse", clock_coarse_vdso, NULL },
	{ "gettimeofday", day_vdso, NULL },
	{ "clock_gettime, system call", clock_syscall, NULL },
	{ "clock_gettime of the thread's CPU time", cpu_time, NULL },
	{ "poll without time-out", poll_nothing, NULL },
	{ "futex wake, nobody waits", wake_nobody, NULL },
	{ "timer_settime far ahead, and off", timer_far, NULL },
	{ "timer_settime before the tick, and off", timer_near, NULL },
	{ "nanosleep of 1 ns", shortest_sleep, NULL },
	{ "pipe, there and back", pipe_switch, pipe_partner },
	{ "futex with time-out, there and back", futex_switch, futex_partner },
	{ "socket with time-out, there and back", socket_switch, socket_partner },
};

static void measure(const struct benchmark *benchmark, double *counts,
		    long rounds, long batch)
{
	pid_t partner = 0;

	if (benchmark->partner) {
		partner = fork();
		if (partner < 0)
			fail("fork");
		if (partner == 0) {
			benchmark->partner();
			_exit(0);
		}
	}
	for (long i = 0; i < 10; i++)
		benchmark->operation();
	for (long round = 0; round < rounds; round++) {
		const uint64_t start = counter();

		for (long i = 0; i < batch; i++)
			benchmark->operation();
		counts[round] = (double)(counter() - start) / batch;
	}
	if (partner) {
		kill(partner, SIGKILL);
		waitpid(partner, NULL, 0);
	}
	report(benchmark->name, counts, rounds);
}

int main(int argc, char **argv)
{
	const long rounds = argc > 1 ? atol(argv[1]) : 101;
	const long batch = argc > 2 ? atol(argv[2]) : 100;
	const struct timeval limit = { .tv_sec = 10 };
	struct sigevent ignored = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	double *counts;
	cpu_set_t one;

	if (rounds < 1 || batch < 1) {
		fprintf(stderr, "usage: cost ROUNDS BATCH\n");
		return 2;
	}
	counts = calloc(rounds > STRETCHES ? rounds : STRETCHES, sizeof(*counts));
	word = mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (!counts || word == MAP_FAILED || pipe(ask) || pipe(answer) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) ||
	    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(sockets[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    sched_setaffinity(0, sizeof(one), &one) ||
	    prctl(PR_SET_TIMERSLACK, 1) ||
	    signal(SIGRTMIN, SIG_IGN) == SIG_ERR ||
	    timer_create(CLOCK_MONOTONIC, &ignored, &timer))
		fail("setting up");

	for (size_t i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++)
		measure(&benchmarks[i], counts, rounds, batch);
	tick_gaps(counts, STRETCHES);
	report("tick of a busy program", counts, STRETCHES);

	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}

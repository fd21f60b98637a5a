// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waits idle|busy STAGGER_US RATIO:MS [RATIO:MS ...]: wait by every call of the
 * tables, each in its own process and all at the same time, while the ratio
 * follows the plan: MS real milliseconds at each RATIO. Whoever starts this has
 * set the first ratio already; the later ones need root. Each wait starts
 * STAGGER_US real microseconds after the one before and shall take as long in
 * real time as the whole plan, so it also ends that much later; the ratio that
 * was last stays. With "busy" a process keeps each CPU from being idle.
 *
 * Prints how long a tick is (a jiffy of virtual time), then a line for each
 * change of the ratio and for each wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hogs.h"
#include "waits.h"

#define SEGMENTS 8
#define JOBS 160
/* Real time for all processes to be woken up, and for a wait that is overdue. */
#define SETTLE_US 60000
#define PATIENCE_US (25 * USEC_PER_SEC)
/*
 * For how long the host may hold a process up between the stamp of a wait's
 * beginning and the call: at the ratio of then, so at 1000 -> 1 for 100 s.
 */
#define HELD_UP_US 100000
#define NAP_US 20000
#define SPIN_US 10000
/* For a wait that begins when it should be over: the host stalled. */
#define SHORTEST_NS NSEC_PER_MSEC

static const struct wait *const tables[] = {
	sleep_waits, timer_waits, poll_waits, lock_waits, futex_waits,
	queue_waits, ring_waits, program_waits,
	/* Last: their grain grows with the time that is asked for. */
	wheel_waits,
};

/**
 * struct segment - a part of the plan
 * @ratio:	how fast time flows
 * @real_us:	for how long
 */
struct segment {
	int ratio;
	int64_t real_us;
};

static struct shared {
	atomic_int ready;
	atomic_uint go, leave;
	atomic_int ratio;
	int64_t base, tick_ns;
	struct job jobs[JOBS];
} *shared;

static struct segment plan[SEGMENTS];
static int segments, jobs;
static bool begun;

static void print_outcome(const struct job *job)
{
	static const char *const names[] = { "lost", "done", "skipped", "failed" };

	printf("{\"wait\": \"%s\", \"mechanism\": \"%s\", \"outcome\": \"%s\", \"why\": \"%s\", "
	       "\"asked_ns\": %lld, \"virtual_ns\": %lld, \"early_ns\": %lld, "
	       "\"tick_late_ns\": %lld, \"steps\": %d, \"absolute\": %s, "
	       "\"begin_monotonic_ns\": %lld, \"end_monotonic_ns\": %lld, \"begin_counts\": %llu, \"end_counts\": %llu}\n",
	       job->wait->name, job->wait->mechanism, names[job->outcome], job->why,
	       (long long)job->ns, (long long)(job->end_ns - job->begin_ns),
	       (long long)job->early_ns, (long long)job->tick_late_ns, job->steps,
	       job->wait->absolute ? "true" : "false",
	       (long long)job->begin_monotonic_ns, (long long)job->end_monotonic_ns,
	       (unsigned long long)job->begin_counts,
	       (unsigned long long)job->end_counts);
}

static void sleep_until(int64_t monotonic_ns)
{
	struct timespec until = timespec_of(monotonic_ns);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

bool slows_down(void)
{
	for (int i = 1; i < segments; i++) {
		if (plan[i].ratio < plan[i - 1].ratio)
			return true;
	}
	return false;
}

int64_t tick_late_ns(void)
{
	/* The coarse clock stands still between ticks; read first, it is behind. */
	const int64_t last = now(CLOCK_MONOTONIC_COARSE);
	const int64_t late = now(CLOCK_MONOTONIC) - last -
			     atomic_load(&shared->ratio) * shared->tick_ns;

	return late > 0 ? late : 0;
}

static void wait_for(atomic_uint *flag)
{
	while (!atomic_load(flag))
		syscall(SYS_futex, flag, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void raise_flag(atomic_uint *flag)
{
	atomic_store(flag, 1);
	syscall(SYS_futex, flag, FUTEX_WAKE, JOBS, NULL, NULL, 0);
}

int64_t begin(struct job *job)
{
	const int64_t grain = job->wait->grain ? job->wait->grain : 1;

	begun = true;
	atomic_fetch_add(&shared->ready, 1);
	wait_for(&shared->go);
	sleep_until(shared->base + job->start);
	job->ns = shared->base + job->stop - now(CLOCK_MONOTONIC);
	if (job->ns < SHORTEST_NS)
		job->ns = SHORTEST_NS;
	job->ns = (job->ns + grain - 1) / grain * grain;
	errno = 0;
	job->tick_late_ns = tick_late_ns();
	job->begin_monotonic_ns = now(CLOCK_MONOTONIC);
	job->begin_counts = counter();
	job->begin_ns = now(job->wait->clock);
	/* The ALARM clocks need a hardware clock that can wake the machine. */
	need(job, job->begin_ns >= 0);
	return job->begin_ns;
}

void end(struct job *job)
{
	job->end_ns = now(job->wait->clock);
	job->end_counts = counter();
	job->end_monotonic_ns = now(CLOCK_MONOTONIC);
}

pid_t fork_feeder(struct job *job, const int pair[2],
		  void (*feed)(struct job *job, int fd, int64_t start))
{
	pid_t feeder = fork();
	int64_t start;

	need(job, feeder >= 0);
	if (feeder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent, at work on the same job, notes the moments. */
		if (recv(pair[1], &start, sizeof(start), 0) == sizeof(start))
			feed(job, pair[1], start);
		_exit(0);
	}
	return feeder;
}

bool refused(int error)
{
	return error == ENOSYS || error == EPERM || error == EOPNOTSUPP;
}

void stop(struct job *job, enum outcome outcome, const char *what)
{
	snprintf(job->why, sizeof(job->why), "%s%s%s", what, errno ? ": " : "",
		 errno ? strerror(errno) : "");
	job->outcome = outcome;
	if (!begun)
		atomic_fetch_add(&shared->ready, 1);
	_exit(0);
}

/* How much virtual time passes in the first real_us of the plan. */
static int64_t virtual_ns(int64_t real_us)
{
	int64_t virtual = 0;

	for (int i = 0; i < segments; i++) {
		int64_t part = real_us;

		if (i < segments - 1 && part > plan[i].real_us)
			part = plan[i].real_us;
		virtual += part * NSEC_PER_USEC * plan[i].ratio;
		real_us -= part;
	}
	return virtual;
}

static int64_t plan_us(void)
{
	int64_t sum = 0;

	for (int i = 0; i < segments; i++)
		sum += plan[i].real_us;
	return sum;
}

static pid_t start_job(const struct wait *wait, int number, int64_t stagger_us)
{
	const int64_t start_us = number * stagger_us;
	struct job *job = &shared->jobs[number];
	pid_t child;

	job->wait = wait;
	job->steps = 1;
	job->start = virtual_ns(start_us);
	job->stop = virtual_ns(start_us + plan_us());
	child = hogs_child();
	if (child == 0) {
		/* No page fault shall come between the end and its stamp. */
		mlockall(MCL_CURRENT | MCL_FUTURE);
		wait->run(job);
		job->outcome = DONE;
		/* To take a process down can take longer than the stagger. */
		wait_for(&shared->leave);
		_exit(0);
	}
	return child;
}

/* Changes the ratio as planned; each change is told with its moment. */
static int follow_plan(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	int64_t real_us = 0, due, monotonic_ns;
	uint64_t counts;

	/*
	 * While a change from a high ratio is late much virtual time passes, so
	 * wait for its moment wide awake.
	 */
	sched_setscheduler(0, SCHED_FIFO, &first);
	for (int i = 1; i < segments; i++) {
		real_us += plan[i - 1].real_us;
		due = shared->base + virtual_ns(real_us);
		sleep_until(due - SPIN_US * NSEC_PER_USEC * plan[i - 1].ratio);
		while (now(CLOCK_MONOTONIC) < due)
			;
		if (set_ratio(plan[i].ratio)) {
			perror("kernel.accel");
			return -1;
		}
		atomic_store(&shared->ratio, plan[i].ratio);
		monotonic_ns = now(CLOCK_MONOTONIC);
		counts = counter();
		printf("{\"change\": %d, \"monotonic_ns\": %lld, \"counts\": %llu}\n",
		       plan[i].ratio, (long long)monotonic_ns, (unsigned long long)counts);
	}
	return 0;
}

/* Whether a lost one still sleeps (S) or does not get a CPU (R). */
static void tell_state(struct job *job, pid_t child)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	file = fopen(path, "re");
	if (!file)
		return;
	snprintf(job->why, sizeof(job->why), "state ");
	if (fscanf(file, "%*d %*s %c", &job->why[strlen(job->why)]) != 1)
		job->why[0] = 0;
	fclose(file);
}

static bool is_under_way(int number, pid_t child)
{
	return shared->jobs[number].outcome == RUNNING &&
	       waitpid(child, NULL, WNOHANG) == 0;
}

static void end_children(const pid_t *children)
{
	const int64_t ratio = plan[segments - 1].ratio;
	int64_t limit = shared->base + shared->jobs[jobs - 1].stop;
	int left, fastest = 1;

	for (int i = 0; i < segments; i++)
		fastest = plan[i].ratio > fastest ? plan[i].ratio : fastest;
	sleep_until(limit);
	limit = now(CLOCK_MONOTONIC) +
		(PATIENCE_US * ratio + HELD_UP_US * fastest) * NSEC_PER_USEC;
	do {
		sleep_until(now(CLOCK_MONOTONIC) + NAP_US * NSEC_PER_USEC * ratio);
		left = 0;
		for (int i = 0; i < jobs; i++)
			left += is_under_way(i, children[i]);
	} while (left > 0 && now(CLOCK_MONOTONIC) < limit);
	for (int i = 0; left > 0 && i < jobs; i++) {
		if (!is_under_way(i, children[i]))
			continue;
		tell_state(&shared->jobs[i], children[i]);
		kill(children[i], SIGKILL);
	}
	raise_flag(&shared->leave);
	for (int i = 0; i < jobs; i++) {
		/* One that is lost may not be killed, either. */
		if (shared->jobs[i].outcome != RUNNING)
			waitpid(children[i], NULL, 0);
	}
}

static int parse_plan(char **texts, int count)
{
	long long milliseconds;
	char rest;

	if (count < 1 || count > SEGMENTS)
		return -1;
	for (segments = 0; segments < count; segments++) {
		struct segment *segment = &plan[segments];

		if (sscanf(texts[segments], "%d:%lld%c", &segment->ratio, &milliseconds,
			   &rest) != 2 || segment->ratio < 1 || milliseconds < 1)
			return -1;
		segment->real_us = milliseconds * 1000;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct hogs hogs = { .count = 0 };
	pid_t children[JOBS];
	struct timespec tick;
	int status;

	while (argc == 2 && strcmp(argv[1], STAY) == 0)
		pause();
	if (argc < 4 || parse_plan(argv + 3, argc - 3)) {
		fprintf(stderr, "usage: waits idle|busy STAGGER_US RATIO:MS [RATIO:MS ...]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	/* The kernel gives the length of its tick as this clock's resolution. */
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	shared->tick_ns = ns_of(tick);
	shared->ratio = plan[0].ratio;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct wait *wait = tables[i]; wait->name && jobs < JOBS; wait++) {
			children[jobs] = start_job(wait, jobs, atoll(argv[2]));
			jobs++;
		}
	}
	while (atomic_load(&shared->ready) < jobs)
		sleep_until(now(CLOCK_MONOTONIC) + NSEC_PER_MSEC * plan[0].ratio);
	if (strcmp(argv[1], "busy") == 0)
		hogs_start(&hogs);
	shared->base = now(CLOCK_MONOTONIC) + SETTLE_US * NSEC_PER_USEC * plan[0].ratio;
	raise_flag(&shared->go);

	printf("{\"tick_ns\": %lld}\n", (long long)shared->tick_ns);
	status = follow_plan();
	end_children(children);
	hogs_end(&hogs);
	for (int i = 0; i < jobs; i++)
		print_outcome(&shared->jobs[i]);
	return status ? 1 : 0;
}

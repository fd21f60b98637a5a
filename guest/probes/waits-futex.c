// SPDX-License-Identifier: GPL-2.0-or-later
/* Futexes by the bare system calls: kernel/futex/syscalls.c, waitwake.c, pi.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "waits.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static long futex(uint32_t *word, int operation, uint32_t value,
		  const struct timespec *time, uint32_t bits)
{
	return syscall(SYS_futex, word, operation, value, time, NULL, bits);
}

static void wait_futex(struct job *job)
{
	struct timespec time = begin_timespec(job);
	uint32_t word = 0;
	long result = futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, 0);

	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_futex_bitset(struct job *job)
{
	const int flag = job->wait->clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
	struct timespec time = begin_timespec(job);
	uint32_t word = 0;
	long result = futex(&word, FUTEX_WAIT_BITSET_PRIVATE | flag, 0, &time,
			    FUTEX_BITSET_MATCH_ANY);

	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void lock_pi(struct job *job, int operation)
{
	/* The lock is said to be held by a process that lives long enough. */
	uint32_t word = getppid();
	struct timespec time = begin_timespec(job);
	long result = futex(&word, operation, 0, &time, 0);

	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_futex_lock_pi(struct job *job)
{
	lock_pi(job, FUTEX_LOCK_PI);
}

static void wait_futex_lock_pi2(struct job *job)
{
	lock_pi(job, FUTEX_LOCK_PI2);
}

static void wait_futex_waitv(struct job *job)
{
	uint32_t words[2] = { 0 };
	struct futex_waitv waiters[2] = {
		{ .uaddr = (uintptr_t)&words[0], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
		{ .uaddr = (uintptr_t)&words[1], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
	};
	struct __kernel_timespec time = kernel_timespec(begin_timespec(job));
	long result = syscall(SYS_futex_waitv, waiters, 2, 0, &time, job->wait->clock);

	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

#define UNTIL(label, id, function) { label, "hrtimer", id, true, 0, function }

const struct wait futex_waits[] = {
	{ "futex WAIT", "hrtimer", CLOCK_MONOTONIC, false, 0, wait_futex },
	UNTIL("futex WAIT_BITSET REALTIME", CLOCK_REALTIME, wait_futex_bitset),
	UNTIL("futex WAIT_BITSET MONOTONIC", CLOCK_MONOTONIC, wait_futex_bitset),
	UNTIL("futex LOCK_PI", CLOCK_REALTIME, wait_futex_lock_pi),
	UNTIL("futex LOCK_PI2 MONOTONIC", CLOCK_MONOTONIC, wait_futex_lock_pi2),
	UNTIL("futex_waitv REALTIME", CLOCK_REALTIME, wait_futex_waitv),
	UNTIL("futex_waitv MONOTONIC", CLOCK_MONOTONIC, wait_futex_waitv),
	{ 0 }
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* The C library's locks and joins; all of them stand on futexes: kernel/futex/. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "waits.h"

/* All memory is locked, so the C library's default of 8 MiB would be filled. */
#define STACK_SIZE (64 * 1024)

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void start_thread(struct job *job, pthread_t *thread, void *(*body)(void *))
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	need(job, (errno = pthread_create(thread, &attributes, body, NULL)) == 0);
}

static void *hold_locks(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_rwlock_wrlock(&rwlock);
	pthread_barrier_wait(&held);
	for (;;)
		pause();
	return unused;
}

/* Has another thread hold the mutex and the rwlock for good. */
static void have_locks_held(struct job *job)
{
	pthread_t thread;

	pthread_barrier_init(&held, NULL, 2);
	start_thread(job, &thread, hold_locks);
	pthread_barrier_wait(&held);
}

static void wait_sem_timedwait(struct job *job)
{
	struct timespec until;
	sem_t semaphore;
	int result;

	sem_init(&semaphore, 0, 0);
	until = begin_timespec(job);
	result = sem_timedwait(&semaphore, &until);
	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_sem_clockwait(struct job *job)
{
	struct timespec until;
	sem_t semaphore;
	int result;

	sem_init(&semaphore, 0, 0);
	until = begin_timespec(job);
	result = sem_clockwait(&semaphore, job->wait->clock, &until);
	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_cond_timedwait(struct job *job)
{
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	struct timespec until;

	pthread_mutex_lock(&mutex);
	until = begin_timespec(job);
	do
		errno = pthread_cond_timedwait(&condition, &mutex, &until);
	while (errno == 0);
	end(job);
	expect(job, errno == ETIMEDOUT);
}

static void wait_cond_clockwait(struct job *job)
{
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	struct timespec until;

	pthread_mutex_lock(&mutex);
	until = begin_timespec(job);
	do
		errno = pthread_cond_clockwait(&condition, &mutex,
					       job->wait->clock, &until);
	while (errno == 0);
	end(job);
	expect(job, errno == ETIMEDOUT);
}

#define LOCK_WAIT(name, call)				\
static void name(struct job *job)			\
{							\
	const clockid_t clock = job->wait->clock;	\
	struct timespec until;				\
							\
	(void)clock;					\
	have_locks_held(job);				\
	until = begin_timespec(job);			\
	errno = call;					\
	end(job);					\
	expect(job, errno == ETIMEDOUT);		\
}

LOCK_WAIT(wait_mutex_timedlock, pthread_mutex_timedlock(&mutex, &until))
LOCK_WAIT(wait_mutex_clocklock, pthread_mutex_clocklock(&mutex, clock, &until))
LOCK_WAIT(wait_timedrdlock, pthread_rwlock_timedrdlock(&rwlock, &until))
LOCK_WAIT(wait_timedwrlock, pthread_rwlock_timedwrlock(&rwlock, &until))
LOCK_WAIT(wait_clockrdlock, pthread_rwlock_clockrdlock(&rwlock, clock, &until))
LOCK_WAIT(wait_clockwrlock, pthread_rwlock_clockwrlock(&rwlock, clock, &until))

static void *stay(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void wait_timedjoin(struct job *job)
{
	struct timespec until;
	pthread_t thread;

	start_thread(job, &thread, stay);
	until = begin_timespec(job);
	errno = pthread_timedjoin_np(thread, NULL, &until);
	end(job);
	expect(job, errno == ETIMEDOUT);
}

static void wait_clockjoin(struct job *job)
{
	struct timespec until;
	pthread_t thread;

	start_thread(job, &thread, stay);
	until = begin_timespec(job);
	errno = pthread_clockjoin_np(thread, NULL, job->wait->clock, &until);
	end(job);
	expect(job, errno == ETIMEDOUT);
}

#define UNTIL(label, id, function) { label, "hrtimer", id, true, 0, function }

const struct wait lock_waits[] = {
	UNTIL("sem_timedwait", CLOCK_REALTIME, wait_sem_timedwait),
	UNTIL("sem_clockwait MONOTONIC", CLOCK_MONOTONIC, wait_sem_clockwait),
	UNTIL("pthread_cond_timedwait", CLOCK_REALTIME, wait_cond_timedwait),
	UNTIL("pthread_cond_clockwait MONOTONIC", CLOCK_MONOTONIC, wait_cond_clockwait),
	UNTIL("pthread_mutex_timedlock", CLOCK_REALTIME, wait_mutex_timedlock),
	UNTIL("pthread_mutex_clocklock MONOTONIC", CLOCK_MONOTONIC, wait_mutex_clocklock),
	UNTIL("pthread_rwlock_timedrdlock", CLOCK_REALTIME, wait_timedrdlock),
	UNTIL("pthread_rwlock_timedwrlock", CLOCK_REALTIME, wait_timedwrlock),
	UNTIL("pthread_rwlock_clockrdlock MONOTONIC", CLOCK_MONOTONIC, wait_clockrdlock),
	UNTIL("pthread_rwlock_clockwrlock MONOTONIC", CLOCK_MONOTONIC, wait_clockwrlock),
	UNTIL("pthread_timedjoin_np", CLOCK_REALTIME, wait_timedjoin),
	UNTIL("pthread_clockjoin_np MONOTONIC", CLOCK_MONOTONIC, wait_clockjoin),
	{ 0 }
};

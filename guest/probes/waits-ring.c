// SPDX-License-Identifier: GPL-2.0-or-later
/* Rings of completions, by the bare system calls: io_uring/timeout.c, fs/aio.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "waits.h"

#define ENTRIES 4

struct ring {
	int fd;
	struct io_uring_params params;
	char *submissions, *completions;
	struct io_uring_sqe *entries;
};

static void *ring_map(struct job *job, int fd, size_t size, off_t offset)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, fd, offset);

	need(job, memory != MAP_FAILED);
	return memory;
}

static void ring_open(struct job *job, struct ring *ring)
{
	struct io_uring_params *params = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, ENTRIES, params);
	need(job, ring->fd >= 0);
	ring->submissions = ring_map(job, ring->fd,
				     params->sq_off.array + params->sq_entries * sizeof(uint32_t),
				     IORING_OFF_SQ_RING);
	ring->completions = ring_map(job, ring->fd,
				     params->cq_off.cqes +
				     params->cq_entries * sizeof(struct io_uring_cqe),
				     IORING_OFF_CQ_RING);
	ring->entries = ring_map(job, ring->fd,
				 params->sq_entries * sizeof(struct io_uring_sqe),
				 IORING_OFF_SQES);
}

static long ring_enter(struct ring *ring, unsigned int submit, unsigned int flags,
		       const void *argument, size_t size)
{
	return syscall(SYS_io_uring_enter, ring->fd, submit, 1,
		       IORING_ENTER_GETEVENTS | flags, argument, size);
}

static void ring_submit(struct ring *ring, const struct io_uring_sqe *entry)
{
	uint32_t *tail = (uint32_t *)(ring->submissions + ring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(ring->submissions + ring->params.sq_off.array);

	ring->entries[0] = *entry;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void wait_ring_timeout(struct job *job)
{
	const struct io_uring_cqe *completion;
	struct __kernel_timespec time;
	struct io_uring_sqe entry = {
		.opcode = IORING_OP_TIMEOUT, .fd = -1, .len = 1,
		.addr = (uintptr_t)&time,
	};
	struct ring ring;
	long result;

	if (job->wait->absolute)
		entry.timeout_flags |= IORING_TIMEOUT_ABS;
	if (job->wait->clock == CLOCK_REALTIME)
		entry.timeout_flags |= IORING_TIMEOUT_REALTIME;
	if (job->wait->clock == CLOCK_BOOTTIME)
		entry.timeout_flags |= IORING_TIMEOUT_BOOTTIME;
	ring_open(job, &ring);
	completion = (void *)(ring.completions + ring.params.cq_off.cqes);
	ring_submit(&ring, &entry);
	time = kernel_timespec(begin_timespec(job));
	result = ring_enter(&ring, 1, 0, NULL, 0);
	end(job);
	expect(job, result == 1 && completion->res == -ETIME);
}

static void wait_ring_enter(struct job *job)
{
	struct io_uring_getevents_arg argument = { 0 };
	struct __kernel_timespec time;
	struct ring ring;
	long result;

	ring_open(job, &ring);
	need(job, ring.params.features & IORING_FEAT_EXT_ARG);
	argument.ts = (uintptr_t)&time;
	time = kernel_timespec(begin_timespec(job));
	result = ring_enter(&ring, 0, IORING_ENTER_EXT_ARG, &argument, sizeof(argument));
	end(job);
	expect(job, result < 0 && errno == ETIME);
}

static void aio_open(struct job *job, aio_context_t *context)
{
	*context = 0;
	need(job, syscall(SYS_io_setup, ENTRIES, context) == 0);
}

/* Both calls take the same; the one without a signal mask ignores its place. */
static void aio_wait(struct job *job, long number)
{
	struct io_event event;
	aio_context_t context;
	struct timespec time;
	long result;

	aio_open(job, &context);
	time = begin_timespec(job);
	result = syscall(number, context, 1, 1, &event, &time, NULL);
	end(job);
	expect(job, result == 0);
}

static void wait_aio(struct job *job)
{
	aio_wait(job, SYS_io_getevents);
}

static void wait_aio_pgetevents(struct job *job)
{
	aio_wait(job, SYS_io_pgetevents);
}

#define WAIT(label, id, absolute, function) \
	{ label, "hrtimer", id, absolute, 0, function }

const struct wait ring_waits[] = {
	WAIT("io_uring timeout", CLOCK_MONOTONIC, false, wait_ring_timeout),
	WAIT("io_uring timeout absolute", CLOCK_MONOTONIC, true, wait_ring_timeout),
	WAIT("io_uring timeout BOOTTIME", CLOCK_BOOTTIME, false, wait_ring_timeout),
	WAIT("io_uring timeout REALTIME absolute", CLOCK_REALTIME, true, wait_ring_timeout),
	WAIT("io_uring_enter", CLOCK_MONOTONIC, false, wait_ring_enter),
	WAIT("io_getevents", CLOCK_MONOTONIC, false, wait_aio),
	WAIT("io_pgetevents", CLOCK_MONOTONIC, false, wait_aio_pgetevents),
	{ 0 }
};

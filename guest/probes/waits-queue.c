// SPDX-License-Identifier: GPL-2.0-or-later
/* Message queues, semaphores of System V, datagrams: ipc/, net/socket.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>

#include "waits.h"

/* A queue for one message, which nobody else can name. */
static mqd_t queue(struct job *job)
{
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	char name[32];
	mqd_t made;

	snprintf(name, sizeof(name), "/dynaccel-%d", getpid());
	made = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
	need(job, made >= 0);
	mq_unlink(name);
	return made;
}

static void wait_mq_timedreceive(struct job *job)
{
	mqd_t empty = queue(job);
	struct timespec until = begin_timespec(job);
	char message;
	ssize_t result = mq_timedreceive(empty, &message, 1, NULL, &until);

	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_mq_timedsend(struct job *job)
{
	mqd_t full = queue(job);
	struct timespec until;
	int result;

	need(job, mq_send(full, "", 1, 0) == 0);
	until = begin_timespec(job);
	result = mq_timedsend(full, "", 1, 0, &until);
	end(job);
	expect(job, result < 0 && errno == ETIMEDOUT);
}

static void wait_semtimedop(struct job *job)
{
	struct sembuf down = { .sem_op = -1 };
	struct timespec time;
	int result, error;
	int set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	need(job, set >= 0);
	time = begin_timespec(job);
	result = semtimedop(set, &down, 1, &time);
	end(job);
	error = errno;
	semctl(set, 0, IPC_RMID);
	errno = error;
	expect(job, result < 0 && errno == EAGAIN);
}

#define DATAGRAMS 1024
#define FIRST_GAP_NS 20000.0

/*
 * The kernel looks at the time-out of recvmmsg() only after each datagram, so
 * one comes before the time, and from then on one after the other until the
 * call is over. The gap grows by a tenth of what has passed: however late the
 * call was entered, it ends hardly later.
 */
static void feed(struct job *job, int fd, int64_t start)
{
	int64_t due = start + job->ns / 2;
	double gap = FIRST_GAP_NS;

	for (;;) {
		struct timespec time = timespec_of(due);

		clock_nanosleep(job->wait->clock, TIMER_ABSTIME, &time, NULL);
		if (send(fd, "", 1, 0) < 0)
			break;
		due = start + job->ns + gap;
		gap *= 1.1;
	}
}

static void wait_recvmmsg(struct job *job)
{
	static struct mmsghdr messages[DATAGRAMS];
	struct timespec time;
	int64_t start;
	int pair[2], got;
	pid_t feeder;

	need(job, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
	feeder = fork_feeder(job, pair, feed);
	start = begin(job);
	time = timespec_of(job->ns);
	need(job, send(pair[0], &start, sizeof(start), 0) == sizeof(start));
	got = recvmmsg(pair[0], messages, DATAGRAMS, 0, &time);
	end(job);
	kill(feeder, SIGKILL);
	expect(job, got >= 1 && got < DATAGRAMS);
}

const struct wait queue_waits[] = {
	{ "mq_timedreceive", "hrtimer", CLOCK_REALTIME, true, 0, wait_mq_timedreceive },
	{ "mq_timedsend", "hrtimer", CLOCK_REALTIME, true, 0, wait_mq_timedsend },
	{ "semtimedop", "hrtimer", CLOCK_MONOTONIC, false, 0, wait_semtimedop },
	{ "recvmmsg", "hrtimer", CLOCK_MONOTONIC, false, 0, wait_recvmmsg },
	{ 0 }
};

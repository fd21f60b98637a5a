// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What still waits on the timer wheel, by schedule_timeout(): sockets
 * (net/core/, net/unix/) and terminals (drivers/tty/n_tty.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "waits.h"

#define DECISECOND (NSEC_PER_SEC / 10)
/* VTIME is a byte. */
#define VTIME_MAX 255

static void make_pair(struct job *job, int type, int pair[2])
{
	need(job, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
}

static void set_timeout(struct job *job, int fd, int option)
{
	struct timeval time = timeval_of(job->ns);

	need(job, setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time)) == 0);
}

static void receive(struct job *job, int type)
{
	int pair[2];
	ssize_t got;
	char byte;

	make_pair(job, type, pair);
	begin(job);
	set_timeout(job, pair[0], SO_RCVTIMEO);
	got = recv(pair[0], &byte, 1, 0);
	end(job);
	expect(job, got < 0 && errno == EAGAIN);
}

static void wait_receive_stream(struct job *job)
{
	receive(job, SOCK_STREAM);
}

static void wait_receive_datagram(struct job *job)
{
	receive(job, SOCK_DGRAM);
}

/* A byte each so often wakes who waits for more than will come. */
#define BYTES 8

static void feed(struct job *job, int fd, int64_t start)
{
	for (int byte = 0; byte < BYTES; byte++) {
		struct timespec due = timespec_of(start + job->ns * byte / BYTES);

		clock_nanosleep(job->wait->clock, TIMER_ABSTIME, &due, NULL);
		if (send(fd, "", 1, 0) < 0)
			break;
	}
}

static void wait_receive_woken(struct job *job)
{
	char bytes[BYTES + 1];
	int64_t start;
	int pair[2];
	pid_t feeder;
	ssize_t got;

	errno = 0;
	/* What passes from one wait to the next does not count, as in any Linux. */
	if (slows_down())
		stop(job, SKIPPED, "what passes between waits at a high ratio is long at a low one");
	make_pair(job, SOCK_STREAM, pair);
	feeder = fork_feeder(job, pair, feed);
	start = begin(job);
	job->steps = BYTES;
	set_timeout(job, pair[0], SO_RCVTIMEO);
	need(job, send(pair[0], &start, sizeof(start), 0) == sizeof(start));
	got = recv(pair[0], bytes, sizeof(bytes), MSG_WAITALL);
	end(job);
	kill(feeder, SIGKILL);
	expect(job, got > 0 && got <= BYTES);
}

static void wait_accept(struct job *job)
{
	/* The kernel gives it a name of its own choice. */
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), got;

	need(job, fd >= 0);
	need(job, bind(fd, (void *)&name, sizeof(name.sun_family)) == 0);
	need(job, listen(fd, 1) == 0);
	begin(job);
	set_timeout(job, fd, SO_RCVTIMEO);
	got = accept(fd, NULL, NULL);
	end(job);
	expect(job, got < 0 && errno == EAGAIN);
}

static void wait_send(struct job *job)
{
	static const char block[1024];
	ssize_t sent;
	int pair[2];

	make_pair(job, SOCK_STREAM, pair);
	do
		sent = send(pair[0], block, sizeof(block), MSG_DONTWAIT);
	while (sent > 0);
	need(job, errno == EAGAIN);
	begin(job);
	set_timeout(job, pair[0], SO_SNDTIMEO);
	sent = send(pair[0], block, sizeof(block), 0);
	end(job);
	expect(job, sent < 0 && errno == EAGAIN);
}

/*
 * A read waits 25.5 s at most, so a long wait takes several of them. Each one
 * ends early for itself or not at all.
 */
static void read_terminal(struct job *job, int minimum)
{
	const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	const int64_t asked = (job->stop - job->start + DECISECOND - 1) / DECISECOND;
	struct termios settings;
	int64_t due;
	int fd;

	need(job, terminal >= 0);
	need(job, unlockpt(terminal) == 0);
	fd = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	need(job, fd >= 0);
	need(job, tcgetattr(fd, &settings) == 0);
	cfmakeraw(&settings);
	job->steps = (asked + VTIME_MAX - 1) / VTIME_MAX;
	errno = 0;
	if (job->steps > 1 && slows_down())
		stop(job, SKIPPED, "what many reads lose at a high ratio is long at a low one");
	settings.c_cc[VTIME] = (asked + job->steps - 1) / job->steps;
	settings.c_cc[VMIN] = minimum;
	need(job, tcsetattr(fd, TCSANOW, &settings) == 0);

	due = begin(job);
	job->ns = job->steps * settings.c_cc[VTIME] * DECISECOND;
	for (int step = 0; step < job->steps; step++) {
		char bytes[2];
		int64_t after, late = tick_late_ns();

		if (minimum > 0)
			expect(job, write(terminal, "", 1) == 1);
		expect(job, read(fd, bytes, sizeof(bytes)) == (minimum > 0));
		after = now(job->wait->clock);
		due += job->ns / job->steps;
		if (due - after - late > job->early_ns - job->tick_late_ns) {
			job->early_ns = due - after;
			job->tick_late_ns = late;
		}
		due = after;
	}
	end(job);
}

static void wait_terminal(struct job *job)
{
	read_terminal(job, 0);
}

/* Less than the minimum has come: VTIME runs from the last byte. */
static void wait_terminal_between(struct job *job)
{
	read_terminal(job, 2);
}

#define FOR(label, grain, function) \
	{ label, "wheel", CLOCK_MONOTONIC, false, grain, function }

const struct wait wheel_waits[] = {
	FOR("SO_RCVTIMEO stream", NSEC_PER_USEC, wait_receive_stream),
	FOR("SO_RCVTIMEO datagram", NSEC_PER_USEC, wait_receive_datagram),
	FOR("SO_RCVTIMEO woken", NSEC_PER_USEC, wait_receive_woken),
	FOR("SO_RCVTIMEO accept", NSEC_PER_USEC, wait_accept),
	FOR("SO_SNDTIMEO", NSEC_PER_USEC, wait_send),
	FOR("tty VTIME", 0, wait_terminal),
	FOR("tty VTIME between bytes", 0, wait_terminal_between),
	{ 0 }
};

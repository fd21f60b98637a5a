// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shortwheel ROUNDS: let a socket time out after nearly a tick of real time,
 * again and again, armed at another moment of a tick each time. Jiffies stand
 * still within a tick, so a time-out that is added to them late in it comes
 * early by nearly all of itself, unless the kernel knows how far behind they
 * are. The grain of the wheel, small against a time-out as short as this, does
 * not hide it.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "timed.h"

/* A tick brings as many jiffies as the ratio is. */
static int64_t nearly_a_tick_ns(int ratio)
{
	struct timespec tick;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return ns_of(tick) * (ratio - ratio / 8);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 0;
	const int ratio = ratio_now();
	const int64_t asked = nearly_a_tick_ns(ratio);
	const struct timeval time = { asked / NSEC_PER_SEC,
				      asked % NSEC_PER_SEC / 1000 };
	struct moment start, end;
	int pair[2];
	ssize_t got;
	char byte;

	must(rounds > 0, "usage: shortwheel ROUNDS");
	must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	must(!setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)),
	     "SO_RCVTIMEO");
	limit_real(ratio, 30);
	for (int i = 0; i < rounds; i++) {
		run_into_tick(ratio);
		start = moment();
		got = recv(pair[0], &byte, 1, 0);
		end = moment();
		must(got < 0 && errno == EAGAIN, "recv");
		report("wheel-short", asked, start, end);
	}
	return 0;
}

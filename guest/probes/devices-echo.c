// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * echo ADDRESS PORT DATAGRAMS BYTES PATIENCE: send datagrams one after the other to
 * somebody who sends them back, and again when no answer came for PATIENCE.
 *
 * Prints {"sent": N, "again": N, "wrong": WORDS, "counts": C, "slowest_counts": C}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "devices.h"

#define WORDS 256
#define TRIES 20

static int fd;

/* Waits for the answer to a datagram; an older one that comes late is passed over. */
static bool answered(uint64_t salt, size_t bytes, uint64_t patience, size_t *wrong)
{
	uint64_t words[WORDS], start = counter();

	while (counter() - start < patience) {
		/* In virtual time: but a moment between two looks at the counter. */
		struct pollfd entry = { .fd = fd, .events = POLLIN };

		if (poll(&entry, 1, 100) <= 0)
			continue;
		if (recv(fd, words, sizeof(words), MSG_DONTWAIT) != (ssize_t)bytes)
			continue;
		if (words[0] != pattern(salt, 0))
			continue;
		*wrong += wrong_words(words, bytes, salt, 0);
		return true;
	}
	return false;
}

int do_echo(int argc, char **argv)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	uint64_t words[WORDS], patience, start, slowest = 0;
	size_t bytes, wrong = 0;
	int count, again = 0;

	if (argc != 5)
		return 2;
	if (!inet_aton(argv[0], &peer.sin_addr))
		return 2;
	peer.sin_port = htons(atoi(argv[1]));
	count = atoi(argv[2]);
	bytes = strtoul(argv[3], NULL, 10) & ~7ul;
	patience = strtoull(argv[4], NULL, 10);
	if (bytes < 8 || bytes > sizeof(words))
		return 2;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)))
		fail(argv[0]);
	start = counter();
	for (int i = 0; i < count; i++) {
		uint64_t before = counter();
		int tries = 0;

		fill(words, bytes, i, 0);
		do {
			again += tries > 0;
			if (++tries > TRIES) {
				fprintf(stderr, "no answer to datagram %d\n", i);
				return 1;
			}
			/* A link that is down refuses it; so does a neighbour not found yet. */
			if (send(fd, words, bytes, 0) < 0 && errno == EBADF)
				fail("send");
		} while (!answered(i, bytes, patience, &wrong));
		if (counter() - before > slowest)
			slowest = counter() - before;
	}
	printf("{\"sent\": %d, \"again\": %d, \"wrong\": %zu, \"counts\": %" PRIu64
	       ", \"slowest_counts\": %" PRIu64 "}\n",
	       count, again, wrong, counter() - start, slowest);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * input FILE QUIET LIMIT: count what keys and movements tell, until none came for
 * QUIET, or for LIMIT in all.
 *
 * Prints {"ready": 1}, then {"presses": N, "repeats": N, "releases": N, "dx": N,
 * "dy": N, "dropped": N, "held_counts": C}: from the last press to its release.
 */
#define _GNU_SOURCE
#include <linux/input.h>
#include <poll.h>

#include "devices.h"

int do_input(int argc, char **argv)
{
	uint64_t quiet, limit, start, last = 0, pressed = 0, held = 0;
	int values[3] = { 0 }, dx = 0, dy = 0, dropped = 0, fd;

	if (argc != 3)
		return 2;
	fd = opened(argv[0], O_RDONLY | O_NONBLOCK);
	quiet = strtoull(argv[1], NULL, 10);
	limit = strtoull(argv[2], NULL, 10);
	printf("{\"ready\": 1}\n");
	fflush(stdout);
	start = counter();
	while (counter() - start < limit && (!last || counter() - last < quiet)) {
		struct pollfd entry = { .fd = fd, .events = POLLIN };
		struct input_event event;

		poll(&entry, 1, 100);
		while (read(fd, &event, sizeof(event)) == sizeof(event)) {
			last = counter();
			if (event.type == EV_KEY && event.value >= 0 && event.value <= 2) {
				values[event.value]++;
				if (event.value == 1)
					pressed = last;
				else if (!event.value)
					held = last - pressed;
			} else if (event.type == EV_REL && event.code == REL_X) {
				dx += event.value;
			} else if (event.type == EV_REL && event.code == REL_Y) {
				dy += event.value;
			} else if (event.type == EV_SYN && event.code == SYN_DROPPED) {
				dropped++;
			}
		}
	}
	printf("{\"presses\": %d, \"repeats\": %d, \"releases\": %d, \"dx\": %d, \"dy\": %d, "
	       "\"dropped\": %d, \"held_counts\": %" PRIu64 "}\n",
	       values[1], values[2], values[0], dx, dy, dropped, held);
	return 0;
}

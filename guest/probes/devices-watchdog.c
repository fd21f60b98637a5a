// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watchdog FILE SECONDS hold|feed DURATION: arm a watchdog with that time-out, let it
 * be for DURATION or feed it once in a virtual second, and disarm it.
 *
 * Prints {"armed": SECONDS} as it is armed, {"fed": TIMES, "counts": C} at the end.
 */
#define _GNU_SOURCE
#include <linux/watchdog.h>
#include <sys/ioctl.h>

#include "devices.h"

int do_watchdog(int argc, char **argv)
{
	uint64_t start, duration;
	int fd, seconds, fed = 0;
	bool feeding;

	if (argc != 4)
		return 2;
	seconds = atoi(argv[1]);
	feeding = !strcmp(argv[2], "feed");
	duration = strtoull(argv[3], NULL, 10);
	fd = opened(argv[0], O_WRONLY);
	if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds))
		fail("WDIOC_SETTIMEOUT");
	if (ioctl(fd, WDIOC_KEEPALIVE, 0))
		fail("WDIOC_KEEPALIVE");
	start = counter();
	printf("{\"armed\": %d}\n", seconds);
	fflush(stdout);
	while (counter() - start < duration) {
		nap_real(feeding ? NSEC_PER_SEC : NSEC_PER_SEC / 20,
			 feeding ? 1 : current_ratio());
		if (!feeding)
			continue;
		if (ioctl(fd, WDIOC_KEEPALIVE, 0))
			fail("WDIOC_KEEPALIVE");
		fed++;
	}
	/* Without this letter it would go on when the file is closed. */
	if (write(fd, "V", 1) != 1)
		fail("write");
	close(fd);
	printf("{\"fed\": %d, \"counts\": %" PRIu64 "}\n", fed, counter() - start);
	return 0;
}

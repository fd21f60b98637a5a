// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serial FILE drain|close BYTES BAUD: write a pattern and wait until it is out, or
 *	leave that to close(). {"counts": C} of all of it
 * serial FILE break: {"counts": C}, how long a break lasts
 * serial FILE vtime DECISECONDS: a read that nothing comes for.
 *	{"counts": C, "virtual_ns": V}
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <termios.h>

#include "devices.h"

static const struct {
	int baud;
	speed_t speed;
} speeds[] = { { 1200, B1200 }, { 9600, B9600 }, { 115200, B115200 } };

static void make_raw(int fd, int baud, int deciseconds)
{
	struct termios mode;

	if (tcgetattr(fd, &mode))
		fail("tcgetattr");
	cfmakeraw(&mode);
	mode.c_cflag |= CLOCAL | CREAD;
	mode.c_cc[VMIN] = 0;
	mode.c_cc[VTIME] = deciseconds;
	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		if (speeds[i].baud == baud)
			cfsetspeed(&mode, speeds[i].speed);
	if (tcsetattr(fd, TCSANOW, &mode))
		fail("tcsetattr");
}

static int send_all(int fd, size_t bytes, int baud, bool draining)
{
	char *text = malloc(bytes);
	size_t done = 0;
	uint64_t start;

	if (!text)
		return 1;
	fill((uint64_t *)text, bytes, 0, 0);
	make_raw(fd, baud, 0);
	start = counter();
	while (done < bytes) {
		ssize_t got = write(fd, text + done, bytes - done);

		if (got < 0)
			fail("write");
		done += got;
	}
	if (draining && tcdrain(fd))
		fail("tcdrain");
	close(fd);
	printf("{\"counts\": %" PRIu64 "}\n", counter() - start);
	return 0;
}

static int break_once(int fd)
{
	uint64_t start;

	make_raw(fd, 115200, 0);
	start = counter();
	if (ioctl(fd, TCSBRK, 0))
		fail("TCSBRK");
	printf("{\"counts\": %" PRIu64 "}\n", counter() - start);
	return 0;
}

static int read_nothing(int fd, int deciseconds)
{
	int64_t virtual_ns;
	uint64_t start;
	char byte;

	make_raw(fd, 115200, deciseconds);
	tcflush(fd, TCIFLUSH);
	virtual_ns = now(CLOCK_MONOTONIC);
	start = counter();
	if (read(fd, &byte, 1) != 0)
		fail("read");
	printf("{\"counts\": %" PRIu64 ", \"virtual_ns\": %" PRId64 "}\n", counter() - start,
	       now(CLOCK_MONOTONIC) - virtual_ns);
	return 0;
}

int do_serial(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 2;
	fd = opened(argv[0], O_RDWR | O_NOCTTY);
	if (argc == 4)
		return send_all(fd, strtoul(argv[2], NULL, 10) & ~7ul, atoi(argv[3]),
				!strcmp(argv[1], "drain"));
	if (!strcmp(argv[1], "break"))
		return break_once(fd);
	if (argc == 3 && !strcmp(argv[1], "vtime"))
		return read_nothing(fd, atoi(argv[2]));
	return 2;
}

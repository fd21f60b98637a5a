// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flood INTERFACE QUIET_COUNTS: bring an interface up and send frames until it takes no more.
 *
 * A frame that was sent belongs to its socket until the wire has it, so each socket
 * holds some of them; all together hold more than a queue of the hardware.
 * Prints {"began": C, "sent": C, "frames": N} with the moments before the first frame and
 * after the last that found room, once none did for QUIET_COUNTS of the counter; fails
 * when frames keep going out for ever.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "probe.h"

#define SOCKETS 16
#define FRAME 1400
#define MOST_FRAMES 1000000UL

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void bring_up(int fd, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		fail(name);
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		fail(name);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = ETH_ALEN };
	static unsigned char frame[FRAME];
	uint64_t quiet, began, last;
	unsigned long frames = 0;
	int fds[SOCKETS];

	if (argc != 3)
		return 2;
	quiet = strtoull(argv[2], NULL, 10);
	to.sll_ifindex = if_nametoindex(argv[1]);
	memset(to.sll_addr, 0xff, ETH_ALEN);
	memset(frame, 0xff, ETH_ALEN);
	frame[6] = 0x02;
	frame[12] = 0x88; /* 88b5: for experiments (IEEE 802) */
	frame[13] = 0xb5;
	for (int i = 0; i < SOCKETS; i++) {
		fds[i] = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0)
			fail("socket");
	}
	bring_up(fds[0], argv[1]);
	began = last = counter();
	while (counter() - last < quiet && frames < MOST_FRAMES)
		for (int i = 0; i < SOCKETS; i++)
			if (sendto(fds[i], frame, sizeof(frame), 0,
				   (struct sockaddr *)&to, sizeof(to)) > 0) {
				last = counter();
				frames++;
			}
	if (frames == MOST_FRAMES) {
		errno = EOVERFLOW;
		fail(argv[1]);
	}
	printf("{\"began\": %llu, \"sent\": %llu, \"frames\": %lu}\n",
	       (unsigned long long)began, (unsigned long long)last, frames);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fragments ROUNDS SECONDS...: a first fragment of an IP packet whose rest never
 * comes. After net.ipv4.ipfrag_time the kernel gives up and tells the sender by
 * an ICMP "fragment reassembly time exceeded": a plain timer of the wheel, of
 * any number of seconds, that announces itself. All distances run together.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "netlink.h"

#define MAX_DISTANCES 16
#define LIMIT_SEC 60
#define KNOB "/proc/sys/net/ipv4/ipfrag_time"
#define LOOPBACK_CONF "/proc/sys/net/ipv4/conf/lo/"

static void send_fragment(int fd, uint16_t id)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct {
		struct iphdr ip;
		char data[64];
	} packet = { .ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.id = htons(id), .frag_off = htons(IP_MF),
		.saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK),
	} };

	must(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to,
		    sizeof(to)) == sizeof(packet), "sending a fragment");
}

/* Returns the id of the packet that was given up. */
static uint16_t given_up(int fd)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
		struct iphdr original;
		char data[256];
	} packet;

	for (;;) {
		ssize_t size = recv(fd, &packet, sizeof(packet), 0);

		must(size > 0, "waiting for an ICMP message");
		if (packet.icmp.type == ICMP_TIME_EXCEEDED &&
		    packet.icmp.code == ICMP_EXC_FRAGTIME)
			return ntohs(packet.original.id);
	}
}

int main(int argc, char **argv)
{
	int rounds, distances = argc - 2, ratio = ratio_now();
	struct moment start[MAX_DISTANCES];
	int out, in;

	if (distances < 1 || distances > MAX_DISTANCES)
		return 2;
	rounds = atoi(argv[1]);
	close(private_network());
	/* The way back of the ICMP message is looked up as if it came from outside. */
	write_number(LOOPBACK_CONF "route_localnet", 1);
	write_number(LOOPBACK_CONF "accept_local", 1);
	out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	in = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	must(out >= 0 && in >= 0, "raw sockets");

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < distances; i++) {
			limit_real(ratio, LIMIT_SEC + atoi(argv[i + 2]) / ratio);
			write_number(KNOB, atoll(argv[i + 2]));
			run_into_tick(ratio);
			start[i] = moment();
			/* Id 0 would be replaced by one of the kernel's. */
			send_fragment(out, 1 + i);
		}
		for (int left = distances; left; left--) {
			int i = given_up(in) - 1;
			struct moment end = moment();

			if (i < 0 || i >= distances)
				return 1;
			report("reassembly", atoll(argv[i + 2]) * NSEC_PER_SEC,
			       start[i], end);
		}
	}
	return 0;
}

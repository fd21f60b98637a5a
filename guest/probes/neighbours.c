// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * neighbours ROUNDS STALE RETRANS_MS...: the timers of neighbour entries (ARP), by the
 * notices that the kernel sends about them.
 *
 * "neighbour-failed": a packet to an address that nobody has: after three
 * requests, RETRANS_MS apart, the entry goes from INCOMPLETE to FAILED.
 * "neighbour-stale": a REACHABLE entry that nobody uses becomes STALE after the
 * reachable time, which the kernel draws at random (RFC 4861, section 6.3.2) and
 * tells when it is asked. Left out when STALE is 0: 15 to 45 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/neighbour.h>

#include "netlink.h"

#define DEVICE 7
#define SOLICITATIONS 3
#define LIMIT_SEC 60
#define CONF "/proc/sys/net/ipv4/neigh/d/"

static int ratio;

static in_addr_t host(int number)
{
	return htonl(0x0a010000 + number);
}

static void send_packet(int number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = host(number) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(fd >= 0 && sendto(fd, "", 1, 0, (struct sockaddr *)&to,
			       sizeof(to)) == 1, "sending a packet");
	close(fd);
}

/* What is there to say about the entry of @number: its state, 0 when none. */
static int state_in(const struct nlmsghdr *header, int number)
{
	const struct ndmsg *info = NLMSG_DATA(header);
	const struct rtattr *address;

	if (header->nlmsg_type != RTM_NEWNEIGH || info->ndm_family != AF_INET)
		return 0;
	address = attribute_of((void *)(info + 1),
			       NLMSG_PAYLOAD(header, sizeof(*info)), NDA_DST);
	if (!address || *(in_addr_t *)RTA_DATA(address) != host(number))
		return 0;
	return info->ndm_state;
}

static struct moment wait_for_state(int notices, int number, int state)
{
	char message[8192];

	for (;;) {
		ssize_t size = recv(notices, message, sizeof(message), 0);
		struct moment end = moment();
		struct nlmsghdr *header = (struct nlmsghdr *)message;

		must(size > 0, "notices of neighbours");
		for (; NLMSG_OK(header, (size_t)size);
		     header = NLMSG_NEXT(header, size))
			if (state_in(header, number) == state)
				return end;
	}
}

/* In milliseconds; from the table's own parameters of the device. */
static int64_t reachable_in(const struct nlmsghdr *header)
{
	const struct ndtmsg *info = NLMSG_DATA(header);
	const struct rtattr *parms, *value;

	if (header->nlmsg_type != RTM_NEWNEIGHTBL)
		return -1;
	parms = attribute_of((void *)(info + 1),
			     NLMSG_PAYLOAD(header, sizeof(*info)), NDTA_PARMS);
	if (!parms)
		return -1;
	value = attribute_of(RTA_DATA(parms), RTA_PAYLOAD(parms), NDTPA_IFINDEX);
	if (!value || *(int *)RTA_DATA(value) != DEVICE)
		return -1;
	value = attribute_of(RTA_DATA(parms), RTA_PAYLOAD(parms),
			     NDTPA_REACHABLE_TIME);
	return value ? *(int64_t *)RTA_DATA(value) : -1;
}

static int64_t reachable_ms(int fd)
{
	struct ndtmsg info = { .ndtm_family = AF_INET };
	struct request request;
	char message[32768];
	int64_t found = -1;

	request_begin(&request, RTM_GETNEIGHTBL, NLM_F_DUMP, &info, sizeof(info));
	must(send(fd, &request, request.header.nlmsg_len, 0) > 0, "asking");
	for (;;) {
		ssize_t size = recv(fd, message, sizeof(message), 0);
		struct nlmsghdr *header = (struct nlmsghdr *)message;

		must(size > 0, "parameters of neighbours");
		for (; NLMSG_OK(header, (size_t)size);
		     header = NLMSG_NEXT(header, size)) {
			if (header->nlmsg_type == NLMSG_DONE) {
				must(found > 0, "the reachable time");
				return found;
			}
			if (reachable_in(header) > 0)
				found = reachable_in(header);
		}
	}
}

static void make_reachable(int fd, int number)
{
	static const unsigned char hardware[6] = { 2, 0, 0, 0, 0, 1 };
	struct ndmsg info = { .ndm_family = AF_INET, .ndm_ifindex = DEVICE,
			      .ndm_state = NUD_REACHABLE };
	in_addr_t address = host(number);
	struct request request;

	request_begin(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &info,
		      sizeof(info));
	request_put(&request, NDA_DST, &address, sizeof(address));
	request_put(&request, NDA_LLADDR, hardware, sizeof(hardware));
	netlink_do(fd, &request, "making a neighbour reachable");
}

static void stale(int fd, int notices, int number)
{
	int64_t asked = reachable_ms(fd);
	struct moment start, end;

	limit_real(ratio, LIMIT_SEC);
	run_into_tick(ratio);
	start = moment();
	make_reachable(fd, number);
	end = wait_for_state(notices, number, NUD_STALE);
	report("neighbour-stale", asked * NSEC_PER_MSEC, start, end);
}

static void failed(int notices, int number, int64_t retrans_ms)
{
	struct moment start, end;

	limit_real(ratio, LIMIT_SEC);
	write_number(CONF "retrans_time_ms", retrans_ms);
	run_into_tick(ratio);
	start = moment();
	send_packet(number);
	end = wait_for_state(notices, number, NUD_FAILED);
	report("neighbour-failed", SOLICITATIONS * retrans_ms * NSEC_PER_MSEC,
	       start, end);
}

int main(int argc, char **argv)
{
	int fd, notices, number = 2;
	in_addr_t own = host(1);

	if (argc < 3)
		return 2;
	ratio = ratio_now();
	fd = private_network();
	add_dummy(fd, DEVICE, "d");
	must(!add_address(fd, AF_INET, DEVICE, &own, sizeof(own), 16, NULL),
	     "an address");
	/* A dummy device asks nobody's hardware address unless it is told to. */
	link_up(fd, DEVICE, 0);
	write_number(CONF "mcast_solicit", SOLICITATIONS);
	write_number(CONF "ucast_solicit", 0);
	notices = netlink_open(NETLINK_ROUTE, RTNLGRP_NEIGH);

	for (int round = 0; round < atoi(argv[1]); round++) {
		if (atoi(argv[2]))
			stale(fd, notices, number++);
		for (int i = 3; i < argc; i++)
			failed(notices, number++, atoll(argv[i]));
	}
	return 0;
}

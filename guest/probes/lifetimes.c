// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lifetimes ROUNDS SECONDS...: IPv6 addresses that are valid for so many seconds,
 * and the notice that the kernel sends when it deletes one. All run together.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_addr.h>

#include "netlink.h"

#define MAX_ADDRESSES 16
#define DEVICE 7
#define LIMIT_SEC 60

static struct in6_addr address_of(int number)
{
	struct in6_addr address = { .s6_addr = { 0xfd } };

	address.s6_addr[15] = 1 + number;
	return address;
}

/* Returns the number of the address that is told to be deleted, or -1. */
static int deleted_in(const struct nlmsghdr *header)
{
	const struct ifaddrmsg *info = NLMSG_DATA(header);
	const struct rtattr *attribute;

	if (header->nlmsg_type != RTM_DELADDR)
		return -1;
	attribute = attribute_of((void *)(info + 1),
				 NLMSG_PAYLOAD(header, sizeof(*info)), IFA_ADDRESS);
	if (!attribute || *(unsigned char *)RTA_DATA(attribute) != 0xfd)
		return -1;
	return ((unsigned char *)RTA_DATA(attribute))[15] - 1;
}

int main(int argc, char **argv)
{
	int fd, notices, rounds, count = argc - 2, ratio = ratio_now();
	struct moment start[MAX_ADDRESSES];

	if (count < 1 || count > MAX_ADDRESSES)
		return 2;
	rounds = atoi(argv[1]);
	fd = private_network();
	add_dummy(fd, DEVICE, "d");
	link_up(fd, DEVICE, 0);
	notices = netlink_open(NETLINK_ROUTE, RTNLGRP_IPV6_IFADDR);
	for (int round = 0; round < rounds; round++) {
		int left = count;

		for (int i = 0; i < count; i++) {
			unsigned int seconds = atoi(argv[i + 2]);
			struct in6_addr address = address_of(i);
			struct ifa_cacheinfo lifetime = {
				.ifa_prefered = seconds, .ifa_valid = seconds
			};

			limit_real(ratio, LIMIT_SEC + seconds / ratio);
			run_into_tick(ratio);
			start[i] = moment();
			errno = add_address(fd, AF_INET6, DEVICE, &address,
					    sizeof(address), 64, &lifetime);
			must(!errno, "an address for %u s", seconds);
		}
		while (left) {
			char message[8192];
			ssize_t size = recv(notices, message, sizeof(message), 0);
			struct nlmsghdr *header = (struct nlmsghdr *)message;
			struct moment end = moment();

			must(size > 0, "notices of addresses");
			for (; NLMSG_OK(header, (size_t)size);
			     header = NLMSG_NEXT(header, size)) {
				int i = deleted_in(header);

				if (i < 0 || i >= count)
					continue;
				report("address", atoll(argv[i + 2]) * NSEC_PER_SEC,
				       start[i], end);
				left--;
			}
		}
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netem ROUNDS MILLISECONDS: datagrams over a loopback device that holds each
 * back by that much (the queueing discipline netem, which waits by an hrtimer).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/pkt_sched.h>

#include "netlink.h"

#define LOOPBACK 1
#define LIMIT_SEC 60

static void delay_loopback(int fd, int64_t ns)
{
	struct tcmsg info = { .tcm_family = AF_UNSPEC, .tcm_ifindex = LOOPBACK,
			      .tcm_parent = TC_H_ROOT };
	struct tc_netem_qopt options = { .limit = 100 };
	struct request request;
	struct rtattr *nest;

	request_begin(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &info,
		      sizeof(info));
	request_text(&request, TCA_KIND, "netem");
	/* The old structure comes first, attributes follow it in the same nest. */
	nest = request_put(&request, TCA_OPTIONS, &options, sizeof(options));
	request_put(&request, TCA_NETEM_LATENCY64, &ns, sizeof(ns));
	nest_end(&request, nest);
	netlink_do(fd, &request, "the queueing discipline netem");
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(own);
	int rtnl, fd, ratio = ratio_now();
	int64_t ns;

	if (argc != 3)
		return 2;
	ns = atoll(argv[2]) * NSEC_PER_MSEC;
	rtnl = private_network();
	delay_loopback(rtnl, ns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(fd >= 0 && !bind(fd, (struct sockaddr *)&own, size) &&
	     !getsockname(fd, (struct sockaddr *)&own, &size), "a socket");
	limit_real(ratio, LIMIT_SEC);
	for (int round = 0; round < atoi(argv[1]); round++) {
		struct moment start, end;
		char byte;

		run_into_tick(ratio);
		start = moment();
		must(sendto(fd, "", 1, 0, (struct sockaddr *)&own, size) == 1,
		     "sending");
		must(recv(fd, &byte, 1, 0) == 1, "receiving");
		end = moment();
		report("netem", ns, start, end);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conntrack gone ROUNDS SECONDS...: entries of the connection tracker that are
 * not refreshed, and when /proc/net/nf_conntrack lists them no longer.
 * conntrack countdown WINDOW_NS: how far the time left of an entry goes down in a
 * window of the guest's time. It is given as long as the kernel gives connections
 * of its own (nf_conntrack_tcp_timeout_established, 5 days).
 *
 * The entries are made by ctnetlink, which needs no rule and no traffic.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "netlink.h"

#define MAX_ENTRIES 16
#define FIRST_PORT 40000
#define LIST "/proc/net/nf_conntrack"
#define ESTABLISHED_KNOB \
	"/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
#define LIMIT_SEC 60

static void put_tuple(struct request *request, int type, uint32_t from,
		      uint32_t to, uint16_t from_port, uint16_t to_port)
{
	struct rtattr *tuple = nest_begin(request, type), *inner;
	uint8_t protocol = IPPROTO_TCP;

	from = htonl(from);
	to = htonl(to);
	from_port = htons(from_port);
	to_port = htons(to_port);
	inner = nest_begin(request, CTA_TUPLE_IP);
	request_put(request, CTA_IP_V4_SRC, &from, sizeof(from));
	request_put(request, CTA_IP_V4_DST, &to, sizeof(to));
	nest_end(request, inner);
	inner = nest_begin(request, CTA_TUPLE_PROTO);
	request_put(request, CTA_PROTO_NUM, &protocol, sizeof(protocol));
	request_put(request, CTA_PROTO_SRC_PORT, &from_port, sizeof(from_port));
	request_put(request, CTA_PROTO_DST_PORT, &to_port, sizeof(to_port));
	nest_end(request, inner);
	nest_end(request, tuple);
}

/* An ESTABLISHED TCP connection from @port, as if its last packet came now. */
static void add_entry(int fd, uint16_t port, uint32_t seconds)
{
	const uint32_t near = 0x0a030001, far = 0x0a030002;
	struct nfgenmsg family = { .nfgen_family = AF_INET };
	uint32_t timeout = htonl(seconds);
	uint8_t state = TCP_CONNTRACK_ESTABLISHED;
	struct request request;
	struct rtattr *outer, *inner;

	request_begin(&request, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
		      NLM_F_CREATE | NLM_F_EXCL, &family, sizeof(family));
	put_tuple(&request, CTA_TUPLE_ORIG, near, far, port, 80);
	put_tuple(&request, CTA_TUPLE_REPLY, far, near, 80, port);
	request_put(&request, CTA_TIMEOUT, &timeout, sizeof(timeout));
	outer = nest_begin(&request, CTA_PROTOINFO);
	inner = nest_begin(&request, CTA_PROTOINFO_TCP);
	request_put(&request, CTA_PROTOINFO_TCP_STATE, &state, sizeof(state));
	nest_end(&request, inner);
	nest_end(&request, outer);
	netlink_do(fd, &request, "making a connection tracking entry");
}

/* Seconds that the entry of @port has left, -1 when it is not listed. */
static long seconds_left(uint16_t port)
{
	static char list[65536];
	char sign[16], *line, *end;
	long left = -1;

	snprintf(sign, sizeof(sign), "sport=%d ", port);
	read_file(LIST, list, sizeof(list));
	for (line = list; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		*end = 0;
		if (strstr(line, sign) &&
		    sscanf(line, "%*s %*d %*s %*d %ld", &left) == 1)
			break;
	}
	return left;
}

/* Days need no look each moment: the next one comes in a tenth of what is left. */
static void look_closer(int ratio, int64_t due_ns)
{
	int64_t left_ns = due_ns - now(CLOCK_MONOTONIC);

	if (left_ns > 10 * LOOK_USEC * 1000LL * ratio)
		sleep_virtual(left_ns / 10);
	else
		look_again(ratio);
}

static void gone(int fd, int ratio, int rounds, int count, char **seconds)
{
	struct moment start[MAX_ENTRIES];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++) {
			run_into_tick(ratio);
			start[i] = moment();
			add_entry(fd, FIRST_PORT + i, atoi(seconds[i]));
		}
		for (int i = 0; i < count; i++) {
			limit_real(ratio, LIMIT_SEC + atoi(seconds[i]) / ratio);
			while (seconds_left(FIRST_PORT + i) >= 0)
				look_closer(ratio, start[i].virtual_ns +
					    atoll(seconds[i]) * NSEC_PER_SEC);
			report("conntrack", atoll(seconds[i]) * NSEC_PER_SEC,
			       start[i], moment());
		}
	}
}

/* The time left is whole seconds; its edges are looked for, not what it shows. */
static struct moment edge(int ratio, long *left)
{
	long before = seconds_left(FIRST_PORT);

	while ((*left = seconds_left(FIRST_PORT)) == before)
		look_again(ratio);
	return moment();
}

static void countdown(int fd, int ratio, int64_t window_ns)
{
	int seconds = read_number(ESTABLISHED_KNOB);
	struct moment start, end;
	long first, last;

	add_entry(fd, FIRST_PORT, seconds);
	limit_real(ratio, LIMIT_SEC);
	start = edge(ratio, &first);
	sleep_virtual(window_ns);
	end = edge(ratio, &last);
	must(first > last && last > 0, "an entry of %d s counts down", seconds);
	report("conntrack-countdown", (first - last) * NSEC_PER_SEC, start, end);
}

int main(int argc, char **argv)
{
	int fd, ratio = ratio_now();

	close(private_network());
	fd = netlink_open(NETLINK_NETFILTER, 0);
	if (argc == 3 && !strcmp(argv[1], "countdown"))
		countdown(fd, ratio, atoll(argv[2]));
	else if (argc > 3 && argc <= 3 + MAX_ENTRIES && !strcmp(argv[1], "gone"))
		gone(fd, ratio, atoi(argv[2]), argc - 3, argv + 3);
	else
		return 2;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conntrack gone ROUNDS SECONDS...: entries of the connection tracker that are
 * not refreshed, and when /proc/net/nf_conntrack lists them no longer.
 * conntrack countdown WINDOW_NS: how far the time left of an entry goes down in a
 * window of the guest's time: that of an idle TCP connection over the loopback
 * device, to which the kernel gives 5 days.
 *
 * The entries of "gone" are made by ctnetlink, which needs no rule and no traffic.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "netlink.h"

#define MAX_ENTRIES 16
#define FIRST_PORT 40000
#define LIST "/proc/net/nf_conntrack"
#define ALMOST_FIVE_DAYS (5 * 24 * 3600 - 3600)
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

static void put_number(struct request *request, int type, uint32_t number)
{
	number = htonl(number);
	request_put(request, type, &number, sizeof(number));
}

/* A message of nftables; those of a batch stand in a row in @batch. */
static struct request *nft_begin(char **batch, int type, int flags)
{
	struct nfgenmsg family = { .nfgen_family = AF_INET };
	struct request *request = (struct request *)*batch;

	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END) {
		family.nfgen_family = AF_UNSPEC;
		family.res_id = htons(NFNL_SUBSYS_NFTABLES);
	} else {
		type |= NFNL_SUBSYS_NFTABLES << 8;
	}
	request_begin(request, type, flags, &family, sizeof(family));
	return request;
}

static void nft_end(char **batch, const struct request *request)
{
	*batch += NLMSG_ALIGN(request->header.nlmsg_len);
}

/* The kernel tracks connections only where a rule asks for their state. */
static void track_all(int fd)
{
	static char room[6 * sizeof(struct request)];
	struct rtattr *outer, *inner, *data;
	struct request *request;
	char answer[1024], *end = room;
	struct nlmsghdr *header = (struct nlmsghdr *)answer;

	nft_end(&end, nft_begin(&end, NFNL_MSG_BATCH_BEGIN, 0));
	request = nft_begin(&end, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	request_text(request, NFTA_TABLE_NAME, "t");
	nft_end(&end, request);
	request = nft_begin(&end, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	request_text(request, NFTA_CHAIN_TABLE, "t");
	request_text(request, NFTA_CHAIN_NAME, "c");
	outer = nest_begin(request, NFTA_CHAIN_HOOK);
	put_number(request, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
	put_number(request, NFTA_HOOK_PRIORITY, 0);
	nest_end(request, outer);
	request_text(request, NFTA_CHAIN_TYPE, "filter");
	nft_end(&end, request);
	request = nft_begin(&end, NFT_MSG_NEWRULE,
			    NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	request_text(request, NFTA_RULE_TABLE, "t");
	request_text(request, NFTA_RULE_CHAIN, "c");
	outer = nest_begin(request, NFTA_RULE_EXPRESSIONS);
	inner = nest_begin(request, NFTA_LIST_ELEM);
	request_text(request, NFTA_EXPR_NAME, "ct");
	data = nest_begin(request, NFTA_EXPR_DATA);
	put_number(request, NFTA_CT_DREG, NFT_REG_1);
	put_number(request, NFTA_CT_KEY, NFT_CT_STATE);
	nest_end(request, data);
	nest_end(request, inner);
	nest_end(request, outer);
	nft_end(&end, request);
	nft_end(&end, nft_begin(&end, NFNL_MSG_BATCH_END, 0));

	must(send(fd, room, end - room, 0) == end - room, "sending rules");
	must(recv(fd, answer, sizeof(answer), 0) > 0, "answer to rules");
	errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
	must(header->nlmsg_type == NLMSG_ERROR && !errno, "tracking connections");
}

/* Returns the port that an idle connection comes from; it lasts as we do. */
static uint16_t connect_to_self(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(here);
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	int connected = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(listening, (struct sockaddr *)&here, size) &&
	     !listen(listening, 1) &&
	     !getsockname(listening, (struct sockaddr *)&here, &size) &&
	     !connect(connected, (struct sockaddr *)&here, size) &&
	     accept(listening, NULL, NULL) >= 0 &&
	     !getsockname(connected, (struct sockaddr *)&here, &size),
	     "a connection");
	return ntohs(here.sin_port);
}

/* The time left is whole seconds; its edges are looked for, not what it shows. */
static struct moment edge(uint16_t port, int ratio, long *left)
{
	long before = seconds_left(port);

	while ((*left = seconds_left(port)) == before)
		look_again(ratio);
	return moment();
}

static void countdown(int fd, int ratio, int64_t window_ns)
{
	struct moment start, end;
	long first, last;
	uint16_t port;

	track_all(fd);
	port = connect_to_self();
	limit_real(ratio, LIMIT_SEC);
	start = edge(port, ratio, &first);
	sleep_virtual(window_ns);
	end = edge(port, ratio, &last);
	errno = ERANGE;
	must(first > last && first > ALMOST_FIVE_DAYS,
	     "a connection is tracked for %ld s, then %ld", first, last);
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

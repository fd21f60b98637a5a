// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp ROUNDS WITNESS[=NUMBER]...: the timers of TCP, seen from the other end of
 * the wire.
 *
 * syn=N		nobody answers: N retransmissions after 1, 3, 7, ... s and ETIMEDOUT
 * retransmit=N		data is not acknowledged: N retransmissions, at once, twice,
 *			four times ... the connection's RTO from each other, 120 s
 *			at most: the RTO of a guest whose answers take real
 *			milliseconds is many seconds at a high ratio
 * user-timeout=S	the same with TCP_USER_TIMEOUT of S seconds: ETIMEDOUT
 * keepalive=S		a probe after S s, another after S s, then ETIMEDOUT
 * time-wait		how long a closed connection is listed (60 s)
 * delayed-ack		how long the acknowledgement of a small segment is held back
 *
 * Of a row of timers each record counts from before the first: "syn-3" is asked
 * for 7 s. With "syn" goes "timestamps": what the TSval options (RFC 7323, in
 * milliseconds with Linux) of the first and the last SYN are apart.
 */
#define _GNU_SOURCE
#include <poll.h>

#include "here.h"
#include "wire.h"

#define TIME_WAIT_SEC 60
#define LIMIT_SEC 60
#define RTO_MAX_SEC 120 /* TCP_RTO_MAX, include/net/tcp.h */
#define ATO_MIN_MSEC 40
#define CONF "/proc/sys/net/ipv4/"

static int ratio;

static void report_nth(const char *name, int nth, int64_t asked_ns,
		       struct moment start)
{
	struct moment end = moment();
	char witness[32];

	snprintf(witness, sizeof(witness), "tcp-%s-%d", name, nth);
	report(witness, asked_ns, start, end);
}

/* Waits for the next SYN; returns 0 when the kernel gave the connection up first. */
static int next_syn(int wire, int socket, struct segment *segment)
{
	struct pollfd waits[] = { { .fd = wire, .events = POLLIN },
				  { .fd = socket, .events = POLLRDHUP } };

	for (;;) {
		must(poll(waits, 2, -1) > 0, "poll");
		if (!(waits[0].revents & POLLIN))
			return 0;
		/* The wire also carries what IPv6 has to say. */
		if (wire_take(wire, segment) && segment->flags & TH_SYN)
			return 1;
	}
}

/* Waits for the kernel to give the connection up. */
static void report_end(const char *witness, int socket, int64_t asked_ns,
		       int64_t slack_ns, struct moment start)
{
	struct pollfd wait = { .fd = socket, .events = POLLRDHUP };
	struct moment end;

	while (!(wait.revents & (POLLERR | POLLHUP)))
		must(poll(&wait, 1, -1) >= 0, "poll");
	end = moment();
	errno = socket_error(socket);
	must(errno == ETIMEDOUT, "%s ended", witness);
	report_slack(witness, asked_ns, slack_ns, start, end);
}

static void set_option(int socket, int option, int value)
{
	must(!setsockopt(socket, IPPROTO_TCP, option, &value, sizeof(value)),
	     "TCP option %d", option);
}

static void syn(int wire, int count)
{
	struct moment start, first, last = { 0 };
	struct segment segment = { 0 };
	int socket = wire_socket();
	uint32_t timestamp;

	set_option(socket, TCP_SYNCNT, count);
	run_into_tick(ratio);
	start = moment();
	wire_connect(socket);
	timestamp = wire_await(wire, TH_SYN).timestamp;
	first = moment();
	for (int i = 1; i <= count; i++) {
		/*
		 * TCP ends by the sum of all waits as well as by their number: a
		 * guest that was held up may not come to the last one.
		 */
		if (!next_syn(wire, socket, &segment))
			break;
		last = moment();
		report_nth("syn", i, ((1LL << i) - 1) * NSEC_PER_SEC, start);
	}
	errno = EIO;
	must(last.counts != 0, "a SYN was not sent again");
	report("tcp-timestamps", (segment.timestamp - timestamp) * NSEC_PER_MSEC,
	       first, last);
	report_end("tcp-syn-timeout", socket, ((2LL << count) - 1) * NSEC_PER_SEC,
		   0, start);
	close(socket);
}

static struct connection established(int wire)
{
	int socket = wire_socket();
	struct moment ignored;

	wire_connect(socket);
	return wire_accept(wire, socket, &ignored);
}

/* Sends a byte on a fresh connection; returns just before that. */
static struct moment send_byte(struct connection *connection, int64_t *rto_ns)
{
	socklen_t size = sizeof(struct tcp_info);
	struct moment start;
	struct tcp_info info;

	run_into_tick(ratio);
	must(!getsockopt(connection->socket, IPPROTO_TCP, TCP_INFO, &info, &size),
	     "TCP_INFO");
	*rto_ns = info.tcpi_rto * 1000LL;
	start = moment();
	must(send(connection->socket, "", 1, 0) == 1, "sending a byte");
	while (!wire_await(connection->wire, TH_ACK).length)
		;
	return start;
}

static void retransmit(int wire, int count)
{
	const int64_t most_ns = RTO_MAX_SEC * NSEC_PER_SEC;
	struct connection connection = established(wire);
	int64_t rto_ns, asked_ns = 0;
	struct moment start;

	start = send_byte(&connection, &rto_ns);
	for (int i = 1; i <= count; i++) {
		asked_ns += rto_ns;
		rto_ns = 2 * rto_ns < most_ns ? 2 * rto_ns : most_ns;
		while (!wire_await(wire, TH_ACK).length)
			;
		report_nth("retransmit", i, asked_ns, start);
	}
	close(connection.socket);
}

static void user_timeout(int wire, int seconds)
{
	struct connection connection = established(wire);
	struct moment start;
	int64_t rto_ns;

	set_option(connection.socket, TCP_USER_TIMEOUT, seconds * 1000);
	start = send_byte(&connection, &rto_ns);
	/* It counts from when the byte was sent again for the first time. */
	report_end("tcp-user-timeout", connection.socket, seconds * NSEC_PER_SEC,
		   rto_ns, start);
	close(connection.socket);
}

static void keepalive(int wire, int seconds)
{
	int socket = wire_socket(), on = 1;
	struct connection connection;
	struct moment start;

	setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	set_option(socket, TCP_KEEPIDLE, seconds);
	set_option(socket, TCP_KEEPINTVL, seconds);
	set_option(socket, TCP_KEEPCNT, 2);
	wire_connect(socket);
	run_into_tick(ratio);
	connection = wire_accept(wire, socket, &start);
	for (int i = 1; i <= 2; i++) {
		wire_await(wire, TH_ACK);
		report_nth("keepalive", i, i * seconds * NSEC_PER_SEC, start);
	}
	report_end("tcp-keepalive-timeout", connection.socket,
		   3 * seconds * NSEC_PER_SEC, 0, start);
	close(socket);
}

/* Whether a connection from @port is listed in TIME_WAIT. */
static int waiting(uint16_t port)
{
	static char table[65536];
	char sign[64];

	snprintf(sign, sizeof(sign), "%08X:%04X %08X:%04X 06", htonl(WIRE_NEAR),
		 port, htonl(WIRE_FAR), WIRE_PORT);
	read_file("/proc/net/tcp", table, sizeof(table));
	return strstr(table, sign) != NULL;
}

static void time_wait(int wire)
{
	struct connection connection = established(wire);
	struct segment *answer = &connection.answer;
	struct moment start, end;

	must(!shutdown(connection.socket, SHUT_RDWR), "shutdown");
	wire_await(wire, TH_FIN);
	answer->ack++;
	answer->flags = TH_ACK | TH_FIN;
	run_into_tick(ratio);
	start = moment();
	wire_send(wire, answer);
	close(connection.socket);
	errno = ENOENT;
	must(waiting(answer->near_port), "a connection in TIME_WAIT");
	while (waiting(answer->near_port))
		look_again(ratio);
	end = moment();
	report("tcp-time-wait", TIME_WAIT_SEC * NSEC_PER_SEC, start, end);
}

static void delayed_ack(int wire)
{
	struct connection connection = established(wire);
	struct moment start, end;

	/* In a conversation, the kernel waits for data to send along. */
	set_option(connection.socket, TCP_QUICKACK, 0);
	connection.answer.length = 1;
	run_into_tick(ratio);
	start = moment();
	wire_send(wire, &connection.answer);
	while (wire_await(wire, TH_ACK).ack != connection.answer.seq + 1)
		;
	end = moment();
	report("tcp-delayed-ack", ATO_MIN_MSEC * NSEC_PER_MSEC, start, end);
	close(connection.socket);
}

static int measure(int wire, const char *witness)
{
	int number;

	if (sscanf(witness, "syn=%d", &number) == 1)
		syn(wire, number);
	else if (sscanf(witness, "retransmit=%d", &number) == 1)
		retransmit(wire, number);
	else if (sscanf(witness, "user-timeout=%d", &number) == 1)
		user_timeout(wire, number);
	else if (sscanf(witness, "keepalive=%d", &number) == 1)
		keepalive(wire, number);
	else if (!strcmp(witness, "time-wait"))
		time_wait(wire);
	else if (!strcmp(witness, "delayed-ack"))
		delayed_ack(wire);
	else
		return 0;
	return 1;
}

int main(int argc, char **argv)
{
	int wire;

	if (argc < 3)
		return 2;
	ratio = ratio_now();
	wire = wire_open(private_network());
	/* No probe for a lost tail ahead of the retransmission. */
	write_number(CONF "tcp_early_retrans", 0);
	/* Since 6.5 four SYNs follow at the same distance before it doubles. */
	put(CONF, "tcp_syn_linear_timeouts", "0");
	for (int round = 0; round < atoi(argv[1]); round++)
		for (int i = 2; i < argc; i++) {
			limit_real(ratio, LIMIT_SEC);
			if (!measure(wire, argv[i]))
				return 2;
		}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TUN device whose other end is the probe itself: it sees every TCP segment
 * that the kernel sends, at the moment it does, and answers only what it likes.
 */
#ifndef DYNACCEL_WIRE_H
#define DYNACCEL_WIRE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "netlink.h"

#define WIRE_NEAR 0x0a020001 /* 10.2.0.1, the kernel's side */
#define WIRE_FAR 0x0a020002
#define WIRE_PORT 9

struct segment {
	uint32_t seq, ack;
	uint32_t timestamp; /* the TSval option, 0 when there is none */
	uint16_t near_port;
	uint8_t flags; /* TH_... */
	size_t length; /* of the data */
};

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	unsigned char rest[1480];
} __attribute__((packed));

static inline int wire_open(int rtnl)
{
	in_addr_t own = htonl(WIRE_NEAR);
	struct ifreq request = { .ifr_name = "w",
				 .ifr_flags = IFF_TUN | IFF_NO_PI };
	int index, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0, "/dev/net/tun");
	must(!ioctl(fd, TUNSETIFF, &request), "a TUN device");
	must(!ioctl(plain, SIOCGIFINDEX, &request), "index of the TUN device");
	index = request.ifr_ifindex;
	close(plain);
	must(!add_address(rtnl, AF_INET, index, &own, sizeof(own), 24, NULL),
	     "an address");
	link_up(rtnl, index, 0);
	return fd;
}

static inline uint32_t sum_words(const void *data, size_t size, uint32_t sum)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

static inline uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static inline uint32_t timestamp_in(const struct packet *packet)
{
	size_t size = packet->tcp.doff * 4 - sizeof(packet->tcp);
	uint32_t value;

	for (size_t i = 0; i + 1 < size;) {
		if (packet->rest[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (packet->rest[i] == TCPOPT_EOL || packet->rest[i + 1] < 2)
			break;
		if (packet->rest[i] == TCPOPT_TIMESTAMP) {
			memcpy(&value, &packet->rest[i + 2], sizeof(value));
			return ntohl(value);
		}
		i += packet->rest[i + 1];
	}
	return 0;
}

/* Takes the next packet that the kernel sends; returns whether it was of TCP. */
static inline int wire_take(int fd, struct segment *segment)
{
	struct packet packet;

	must(read(fd, &packet, sizeof(packet)) > 0, "reading from the wire");
	if (packet.ip.version != 4 || packet.ip.protocol != IPPROTO_TCP)
		return 0;
	*segment = (struct segment){
		.seq = ntohl(packet.tcp.seq),
		.ack = ntohl(packet.tcp.ack_seq),
		.timestamp = timestamp_in(&packet),
		.near_port = ntohs(packet.tcp.source),
		.flags = packet.tcp.th_flags,
		.length = ntohs(packet.ip.tot_len) - packet.ip.ihl * 4 -
			  packet.tcp.doff * 4,
	};
	return 1;
}

/* The next segment that the kernel sends; waits for it. */
static inline struct segment wire_read(int fd)
{
	struct segment segment;

	while (!wire_take(fd, &segment))
		;
	return segment;
}

/* Sends what @segment says to the kernel, with zeros for data. */
static inline void wire_send(int fd, const struct segment *segment)
{
	size_t tcp_size = sizeof(struct tcphdr) + segment->length;
	size_t size = sizeof(struct iphdr) + tcp_size;
	struct packet packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_TCP, .tot_len = htons(size),
			.saddr = htonl(WIRE_FAR), .daddr = htonl(WIRE_NEAR) },
		.tcp = { .source = htons(WIRE_PORT),
			 .dest = htons(segment->near_port),
			 .seq = htonl(segment->seq),
			 .ack_seq = htonl(segment->ack),
			 .doff = 5, .window = htons(65535) },
	};

	packet.tcp.th_flags = segment->flags;
	packet.ip.check = folded(sum_words(&packet.ip, sizeof(packet.ip), 0));
	/* The pseudo header: both addresses, the protocol and the length. */
	packet.tcp.check = folded(sum_words(&packet.tcp, tcp_size,
					    sum_words(&packet.ip.saddr, 8,
						      IPPROTO_TCP + tcp_size)));
	must(write(fd, &packet, size) == (ssize_t)size, "writing to the wire");
}

/* A connection as the probe sees it from both ends. */
struct connection {
	int socket;
	int wire;
	struct segment answer; /* what the far end would send next */
};

static inline int wire_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Closing it resets it: no timer of it stays behind. */
	struct linger reset = { .l_onoff = 1 };

	must(fd >= 0, "a TCP socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return fd;
}

static inline void wire_connect(int socket)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(WIRE_PORT),
				  .sin_addr.s_addr = htonl(WIRE_FAR) };

	must(connect(socket, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	     errno == EINPROGRESS, "connecting");
}

/* Reads on until a segment comes that has all of @flags. */
static inline struct segment wire_await(int wire, int flags)
{
	struct segment segment;

	do
		segment = wire_read(wire);
	while ((segment.flags & flags) != flags);
	return segment;
}

/* Answers the SYN of a socket that connects; @answered: just before that. */
static inline struct connection wire_accept(int wire, int socket,
					    struct moment *answered)
{
	struct segment syn = wire_await(wire, TH_SYN);
	struct connection connection = { .socket = socket, .wire = wire };

	connection.answer = (struct segment){ .seq = 1000, .ack = syn.seq + 1,
					      .near_port = syn.near_port,
					      .flags = TH_SYN | TH_ACK };
	*answered = moment();
	wire_send(wire, &connection.answer);
	wire_await(wire, TH_ACK);
	connection.answer.seq++;
	connection.answer.flags = TH_ACK;
	return connection;
}

static inline int socket_error(int socket)
{
	socklen_t size = sizeof(int);
	int error = 0;

	getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

#endif /* DYNACCEL_WIRE_H */

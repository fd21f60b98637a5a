/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Just enough netlink for the probes: a private network, requests put together
 * attribute by attribute, and notices.
 */
#ifndef DYNACCEL_NETLINK_H
#define DYNACCEL_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <sched.h>
#include <sys/socket.h>

#include "timed.h"

struct request {
	struct nlmsghdr header;
	char room[2048];
};

/* @group: a number of <linux/rtnetlink.h> (RTNLGRP_...), 0 for none. */
static inline int netlink_open(int protocol, int group)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	must(fd >= 0, "netlink socket %d", protocol);
	must(!bind(fd, (struct sockaddr *)&address, sizeof(address)),
	     "bind of a netlink socket");
	if (group)
		must(!setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
				 sizeof(group)), "netlink group %d", group);
	return fd;
}

/* @family: what follows the header of a message of this type. */
static inline void request_begin(struct request *request, int type, int flags,
				 const void *family, size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request->header.nlmsg_len = NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(&request->header), family, size);
}

static inline struct rtattr *request_put(struct request *request, int type,
					 const void *data, size_t size)
{
	char *end = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)end;

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) +
				    RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static inline void request_text(struct request *request, int type,
				const char *text)
{
	request_put(request, type, text, strlen(text) + 1);
}

/* Everything that is put between the two goes inside. */
static inline struct rtattr *nest_begin(struct request *request, int type)
{
	return request_put(request, type | NLA_F_NESTED, NULL, 0);
}

static inline void nest_end(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)request + request->header.nlmsg_len -
			(char *)nest;
}

/* Returns 0 or the error that the kernel answered with. */
static inline int netlink_try(int fd, struct request *request)
{
	static unsigned int sequence;
	char answer[8192];

	request->header.nlmsg_seq = ++sequence;
	request->header.nlmsg_flags |= NLM_F_ACK;
	must(send(fd, request, request->header.nlmsg_len, 0) > 0, "netlink send");
	for (;;) {
		struct nlmsghdr *header = (struct nlmsghdr *)answer;
		ssize_t size = recv(fd, answer, sizeof(answer), 0);

		must(size > 0, "netlink answer");
		for (; NLMSG_OK(header, (size_t)size);
		     header = NLMSG_NEXT(header, size))
			if (header->nlmsg_type == NLMSG_ERROR &&
			    header->nlmsg_seq == sequence)
				return -((struct nlmsgerr *)
					 NLMSG_DATA(header))->error;
	}
}

static inline void netlink_do(int fd, struct request *request, const char *what)
{
	errno = netlink_try(fd, request);
	must(!errno, "%s", what);
}

static inline const struct rtattr *attribute_of(const struct rtattr *attribute,
						size_t size, int type)
{
	for (; RTA_OK(attribute, size); attribute = RTA_NEXT(attribute, size))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

static inline void link_up(int fd, int index, unsigned int flags)
{
	struct ifinfomsg info = { .ifi_index = index, .ifi_flags = IFF_UP | flags,
				  .ifi_change = IFF_UP | IFF_NOARP };
	struct request request;

	request_begin(&request, RTM_NEWLINK, 0, &info, sizeof(info));
	netlink_do(fd, &request, "bringing a device up");
}

/* A device that takes packets and drops them, under the index @index. */
static inline void add_dummy(int fd, int index, const char *name)
{
	struct ifinfomsg info = { .ifi_index = index };
	struct request request;
	struct rtattr *nest;

	request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info,
		      sizeof(info));
	request_text(&request, IFLA_IFNAME, name);
	nest = nest_begin(&request, IFLA_LINKINFO);
	request_text(&request, IFLA_INFO_KIND, "dummy");
	nest_end(&request, nest);
	netlink_do(fd, &request, "making a dummy device");
}

static inline int add_address(int fd, int family, int index, const void *address,
			      size_t size, int prefix,
			      const struct ifa_cacheinfo *lifetime)
{
	struct ifaddrmsg info = { .ifa_family = family, .ifa_prefixlen = prefix,
				  .ifa_index = index, .ifa_flags = IFA_F_NODAD };
	struct request request;

	request_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info,
		      sizeof(info));
	request_put(&request, IFA_LOCAL, address, size);
	request_put(&request, IFA_ADDRESS, address, size);
	if (lifetime)
		request_put(&request, IFA_CACHEINFO, lifetime, sizeof(*lifetime));
	return netlink_try(fd, &request);
}

/* Nothing that is done from here on touches the network of the machine. */
static inline int private_network(void)
{
	int fd;

	must(!unshare(CLONE_NEWNET), "a network of its own");
	fd = netlink_open(NETLINK_ROUTE, 0);
	link_up(fd, 1, 0);
	return fd;
}

#endif /* DYNACCEL_NETLINK_H */

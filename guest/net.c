// SPDX-License-Identifier: GPL-2.0-or-later
/* Network interfaces, without any program of the root. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"

#define USER_INTERFACE "eth0"
#define USER_ADDRESS "10.0.2.15"
#define USER_NETMASK "255.255.255.0"
#define USER_GATEWAY "10.0.2.2"
#define USER_RESOLVER "nameserver 10.0.2.3\n"
#define RESOLV_CONF "/etc/resolv.conf"

static struct sockaddr ipv4(const char *text)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
	} address = { .in = { .sin_family = AF_INET } };

	if (text)
		inet_pton(AF_INET, text, &address.in.sin_addr);
	return address.any;
}

static const char *say(const char *what)
{
	static char message[128];

	snprintf(message, sizeof(message), "%s: %s", what, strerror(errno));
	return message;
}

static int bring_up(int fd, const char *name)
{
	struct ifreq request = { 0 };

	strcpy(request.ifr_name, name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -1;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int set_address(int fd, unsigned long what, const char *address)
{
	struct ifreq request = { .ifr_name = USER_INTERFACE, .ifr_addr = ipv4(address) };

	return ioctl(fd, what, &request);
}

static int add_gateway(int fd)
{
	struct rtentry route = {
		.rt_dst = ipv4(NULL),
		.rt_genmask = ipv4(NULL),
		.rt_gateway = ipv4(USER_GATEWAY),
		.rt_flags = RTF_UP | RTF_GATEWAY,
	};

	return ioctl(fd, SIOCADDRT, &route);
}

static const char *write_resolver(void)
{
	int fd;
	ssize_t size;

	/* It may be a symbolic link into /run, which is empty in the guest. */
	mkdir("/etc", 0755);
	unlink(RESOLV_CONF);
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return say("cannot make " RESOLV_CONF);
	size = write(fd, USER_RESOLVER, strlen(USER_RESOLVER));
	close(fd);
	return size < 0 ? say("cannot write " RESOLV_CONF) : NULL;
}

const char *net_loopback(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return say("there is no IPv4 in this kernel");
	result = bring_up(fd, "lo");
	close(fd);
	return result < 0 ? say("cannot bring up lo") : NULL;
}

const char *net_user(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *wrong = NULL;

	if (fd < 0)
		return say("there is no IPv4 in this kernel");
	if (set_address(fd, SIOCSIFADDR, USER_ADDRESS) < 0 ||
	    set_address(fd, SIOCSIFNETMASK, USER_NETMASK) < 0 ||
	    bring_up(fd, USER_INTERFACE) < 0)
		wrong = say("cannot bring up " USER_INTERFACE);
	else if (add_gateway(fd) < 0)
		wrong = say("cannot set the gateway " USER_GATEWAY);
	close(fd);
	return wrong ? wrong : write_resolver();
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An interface that goes down, and comes up again as it was. The kernel drops its
 * routes meanwhile; those of IPv4 are put back, and the addresses of IPv6 stay.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults_inside.h"
#include "text.h"

#define ROUTES_MAX 256

struct route {
	unsigned int target, gateway, mask, flags, metric;
};

struct routes {
	struct route list[ROUTES_MAX];
	int count;
};

static char device[IFNAMSIZ];

/* /proc/net/route has addresses as the numbers that they are in memory. */
static void read_routes(struct routes *routes)
{
	FILE *file = fopen("/proc/self/net/route", "re");
	char line[256], name[64];

	routes->count = 0;
	while (file && routes->count < ROUTES_MAX && fgets(line, sizeof(line), file)) {
		struct route *route = &routes->list[routes->count];

		if (sscanf(line, "%63s %x %x %x %*d %*d %u %x", name, &route->target,
			   &route->gateway, &route->flags, &route->metric,
			   &route->mask) == 6 && !strcmp(name, device))
			routes->count++;
	}
	if (file)
		fclose(file);
}

/* The kernel makes some anew by itself: those of the interface's own networks. */
static bool is_there(const struct routes *routes, const struct route *wanted)
{
	for (int i = 0; i < routes->count; i++) {
		const struct route *route = &routes->list[i];

		if (route->target == wanted->target && route->gateway == wanted->gateway &&
		    route->mask == wanted->mask && route->metric == wanted->metric)
			return true;
	}
	return false;
}

static void set_address(struct sockaddr *place, unsigned int address)
{
	struct sockaddr_in internet = {
		.sin_family = AF_INET, .sin_addr.s_addr = address,
	};

	memcpy(place, &internet, sizeof(internet));
}

static int add_route(int fd, const struct route *route)
{
	struct rtentry entry = {
		.rt_flags = route->flags,
		.rt_metric = route->metric + 1, /* the call takes one off */
		.rt_dev = device,
	};

	set_address(&entry.rt_dst, route->target);
	set_address(&entry.rt_gateway, route->gateway);
	set_address(&entry.rt_genmask, route->mask);
	return ioctl(fd, SIOCADDRT, &entry);
}

/* Those to neighbours come first: gateways are reached by them. Returns what is missing. */
static int restore_routes(int fd, const struct routes *before)
{
	static struct routes now;
	int missing = 0;

	read_routes(&now);
	for (int by_gateway = 0; by_gateway < 2; by_gateway++) {
		for (int i = 0; i < before->count; i++) {
			const struct route *route = &before->list[i];

			if (!(route->flags & RTF_GATEWAY) == !by_gateway &&
			    !is_there(&now, route) && add_route(fd, route) < 0)
				missing++;
		}
	}
	return missing;
}

/* The file that says whether addresses of IPv6 survive. */
static void keep_addresses(char *before, size_t room, bool keep)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/keep_addr_on_down", device);
	if (keep && text_read(path, before, room) < 0)
		before[0] = '\0';
	if (before[0])
		text_write(path, keep ? "1" : before);
}

static bool has_gateway6(void)
{
	FILE *file = fopen("/proc/self/net/ipv6_route", "re");
	char line[512], name[64];
	unsigned int flags;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%*s %*x %*s %*x %*s %*x %*x %*x %x %63s", &flags,
			       name) == 2 &&
			!strcmp(name, device) && (flags & RTF_GATEWAY) &&
			!(flags & RTF_ADDRCONF);
	if (file)
		fclose(file);
	return found;
}

static int set_up(int fd, bool up)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, device, sizeof(device));
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -1;
	if (!up && !(request.ifr_flags & IFF_UP)) {
		errno = ENETDOWN;
		return -1;
	}
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= ~IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

void fault_network(const struct fault *fault, int told)
{
	static struct routes routes;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char before[16] = "";
	bool lossy;

	snprintf(device, sizeof(device), "%s", fault->interface);
	read_routes(&routes);
	lossy = has_gateway6();
	keep_addresses(before, sizeof(before), true);
	if (fd < 0 || set_up(fd, false) < 0) {
		int error = errno;

		keep_addresses(before, sizeof(before), false);
		hold_failed(told, "cannot take %s down: %s", device, strerror(error));
	}
	hold_begun(told, lossy ? "the routes of IPv6 by gateways will not come back" : "");
	while (!hold_wait(INT64_MAX / 4))
		;
	if (set_up(fd, true) < 0)
		hold_failed(told, "cannot bring %s up again: %s", device, strerror(errno));
	keep_addresses(before, sizeof(before), false);
	if (restore_routes(fd, &routes))
		hold_failed(told, "not all routes of %s could be put back", device);
}

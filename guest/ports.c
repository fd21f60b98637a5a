// SPDX-License-Identifier: GPL-2.0-or-later
/* Virtio-serial ports by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "ports.h"
#include "text.h"

#define PORTS_DIRECTORY "/sys/class/virtio-ports"
#define PORTS_WAIT_NS (20 * NS_PER_S)
#define PORTS_POLL_US 500

static int open_now(const char *name)
{
	DIR *directory = opendir(PORTS_DIRECTORY);
	struct dirent *entry;
	char path[512], found[256];
	int fd = -1;

	if (!directory)
		return -1;
	while (fd < 0 && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), PORTS_DIRECTORY "/%s/name", entry->d_name);
		if (text_read(path, found, sizeof(found)) < 0 || strcmp(found, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	closedir(directory);
	return fd;
}

int port_open(const char *name)
{
	uint64_t start = clock_virtual_ns();
	int fd;

	while ((fd = open_now(name)) < 0) {
		if (clock_virtual_ns() - start > PORTS_WAIT_NS)
			fatal("there is no virtio port %s", name);
		real_sleep_us(PORTS_POLL_US);
	}
	return fd;
}

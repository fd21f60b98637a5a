/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk whose medium is memory of the probe: what reaches it can be seen
 * without asking the kernel.
 */
#ifndef DYNACCEL_LOOP_H
#define DYNACCEL_LOOP_H

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "timed.h"

struct disk {
	char path[32];
	int fd;		       /* of the device */
	volatile char *medium; /* what has been written to it */
};

/* Needs <sys/mman.h> of _GNU_SOURCE. The device goes when its last user does. */
static inline struct disk disk_open(size_t size)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int backing = memfd_create("disk", MFD_CLOEXEC);
	struct disk disk;
	int number;

	must(control >= 0, "/dev/loop-control");
	must(backing >= 0 && !ftruncate(backing, size), "memory for a disk");
	disk.medium = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   backing, 0);
	must(disk.medium != MAP_FAILED, "mapping a disk");
	do {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		must(number >= 0, "a free loop device");
		snprintf(disk.path, sizeof(disk.path), "/dev/loop%d", number);
		disk.fd = open(disk.path, O_RDWR | O_CLOEXEC);
		must(disk.fd >= 0, "%s", disk.path);
		config.fd = backing;
		/* Another one may have taken it meanwhile. */
		if (!ioctl(disk.fd, LOOP_CONFIGURE, &config))
			break;
		must(errno == EBUSY, "%s", disk.path);
		close(disk.fd);
	} while (1);
	close(backing);
	close(control);
	return disk;
}

/*
 * Nobody may mount what another one has open for writing, where the kernel was
 * built without BLK_DEV_WRITE_MOUNTED.
 */
static inline void disk_close_writer(struct disk *disk)
{
	int reader = open(disk->path, O_RDONLY | O_CLOEXEC);

	must(reader >= 0, "%s", disk->path);
	close(disk->fd);
	disk->fd = reader;
}

#endif /* DYNACCEL_LOOP_H */

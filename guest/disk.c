// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding the root file system on a disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "disk.h"

#define DISK "/dev/vda"
#define PARTITIONS 128

static bool mount_as(const char *device, const char *target, const char *type,
		     bool *read_only)
{
	*read_only = false;
	if (mount(device, target, type, 0, NULL) == 0)
		return true;
	if (errno != EROFS && errno != EACCES)
		return false;
	*read_only = true;
	return mount(device, target, type, MS_RDONLY, NULL) == 0;
}

/* Try every file system of this kernel that lives on a block device. */
static bool mount_device(const char *device, const char *target, bool *read_only)
{
	FILE *types = fopen("/proc/filesystems", "re");
	char line[128];
	bool mounted = false;

	while (types && !mounted && fgets(line, sizeof(line), types)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\t') /* else "nodev" */
			mounted = mount_as(device, target, line + 1, read_only);
	}
	if (types)
		fclose(types);
	return mounted;
}

static bool holds_root(const char *target)
{
	static const char *const names[] = { "bin", "usr", "sbin" };
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", target, names[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

const char *disk_mount(const char *target, bool *read_only)
{
	char device[32] = DISK;

	if (access(DISK, F_OK) < 0)
		return "the guest has no disk " DISK;
	for (int partition = 0; partition <= PARTITIONS; partition++) {
		if (partition)
			snprintf(device, sizeof(device), DISK "%d", partition);
		if (access(device, F_OK) < 0 ||
		    !mount_device(device, target, read_only))
			continue;
		if (holds_root(target))
			return NULL;
		umount(target);
	}
	return "neither the disk nor a partition of it holds a root file system "
	       "(with /bin, /sbin or /usr) that this kernel can read";
}

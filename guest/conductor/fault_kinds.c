// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that is taken, disks that are full: in a process that holds them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "faults_inside.h"
#include "moment.h"

#define FULL_NAME ".dynaccel-full"
#define CHUNK (1 << 20)
/* How often memory is used again, so that it stays in use; virtual. */
#define USE_NS (10 * NS_PER_MINUTE)

static void use(volatile char *memory, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	for (size_t at = 0; at < size; at += page)
		memory[at]++;
}

void fault_memory(const struct fault *fault, int told)
{
	size_t size = fault->size;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED)
		hold_failed(told, "cannot take %zu bytes: %s", size, strerror(errno));
	use(memory, size);
	hold_begun(told, "");
	while (!hold_wait(USE_NS))
		use(memory, size);
}

/* What of the file system nobody has, not even root; -1 with errno. */
static int64_t free_bytes(const char *path)
{
	struct statvfs disk;

	if (statvfs(path, &disk) < 0)
		return -1;
	return (int64_t)disk.f_bfree * disk.f_frsize;
}

/* Returns 0, or -1 with errno; ENOSPC: it is full. */
static int grow(int fd, int64_t at, int64_t size)
{
	static char zeros[CHUNK];

	if (fallocate(fd, 0, at, size) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -1;
	while (size > 0) {
		ssize_t written = pwrite(fd, zeros, size < CHUNK ? size : CHUNK, at);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			at += written;
			size -= written;
		}
	}
	return 0;
}

/*
 * What the file's own blocks need comes off as it grows, and what is deleted
 * elsewhere comes on: so in several steps, halved where they are too large.
 */
static int fill(int fd, const char *path, int64_t leave)
{
	int64_t at = 0, part = INT64_MAX;

	while (!hold_wait(0)) {
		int64_t size = free_bytes(path) - leave;

		if (size > part)
			size = part;
		if (size <= 0)
			return 0;
		if (grow(fd, at, size) == 0) {
			at += size;
			continue;
		}
		if (errno != ENOSPC && errno != EDQUOT)
			return -1;
		part = size / 2;
		if (part < 4096)
			return 0;
	}
	return 0;
}

static void remove_own(const char *path, int fd)
{
	ftruncate(fd, 0);
	unlink(path);
	close(fd);
}

void fault_disk(const struct fault *fault, int told)
{
	char path[4200], message[80];
	int fd;

	snprintf(path, sizeof(path), "%.4096s/" FULL_NAME, fault->path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		hold_failed(told, "cannot make %.300s: %s", path, strerror(errno));
	if (fill(fd, fault->path, fault->size) < 0) {
		int error = errno;

		remove_own(path, fd);
		hold_failed(told, "cannot fill %.300s: %s", path, strerror(error));
	}
	snprintf(message, sizeof(message), "%lld bytes are free",
		 (long long)free_bytes(fault->path));
	hold_begun(told, message);
	while (!hold_wait(INT64_MAX / 4))
		;
	remove_own(path, fd);
}

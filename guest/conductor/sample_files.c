// SPDX-License-Identifier: GPL-2.0-or-later
/* File systems and files. A directory is walked by a process of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moment.h"
#include "out.h"
#include "samples_inside.h"

#define DEPTH_MAX 100

void sample_disks(struct sample *sample)
{
	bool well = true;

	for (size_t i = 0; i < sample->path.count; i++) {
		const char *path = sample->path.list[i];
		struct statvfs disk;

		if (statvfs(path, &disk) < 0) {
			sample_failed(sample, "cannot look at %s: %s", path, strerror(errno));
			well = false;
			continue;
		}
		sample_begin(sample, path);
		sample_count("used", (int64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize);
		sample_count("free", (int64_t)disk.f_bavail * disk.f_frsize);
		sample_count("inodes_used", disk.f_files - disk.f_ffree);
		out_end();
	}
	if (well)
		sample_worked(sample);
}

static void tell(const struct sample *sample, const char *path, int64_t size, int64_t count)
{
	sample_begin(sample, path);
	sample_count("size", size);
	sample_count("count", count);
	out_end();
}

struct total {
	int64_t size;
	int64_t count;
	dev_t device;
};

/* Takes the descriptor. What cannot be read, or is gone by now, counts nothing. */
static void walk(int fd, struct total *total, int depth)
{
	DIR *directory = fdopendir(fd);
	struct dirent *entry;
	struct stat status;

	while (directory && (entry = readdir(directory))) {
		int below;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    status.st_dev != total->device)
			continue;
		if (!S_ISDIR(status.st_mode)) {
			total->size += status.st_size;
			total->count++;
			continue;
		}
		below = openat(dirfd(directory), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0 && depth < DEPTH_MAX)
			walk(below, total, depth + 1);
		else if (below >= 0)
			close(below);
	}
	if (directory)
		closedir(directory);
	else
		close(fd);
}

static void walk_and_print(struct ask *ask, int out)
{
	int fd = open(ask->subject, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct total total = { 0 };
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		_exit(1);
	total.device = status.st_dev;
	walk(fd, &total, 0);
	dprintf(out, "%" PRId64 " %" PRId64 "\n", total.size, total.count);
}

static void handle_walked(struct ask *ask, int status)
{
	struct sample *sample = ask->owner;
	int64_t size, count;

	if (WIFEXITED(status) && !WEXITSTATUS(status) &&
	    sscanf(ask->text.data, "%" SCNd64 " %" SCNd64, &size, &count) == 2) {
		tell(sample, ask->subject, size, count);
		sample_worked(sample);
	} else {
		sample_failed(sample, "%s was not counted within %" PRId64 " ms", ask->subject,
			      sample->timeout_real_ms);
	}
}

static void measure_directory(struct sample *sample, struct ask *ask, const char *path)
{
	if (ask_runs(ask))
		return; /* still at it: this time is missed */
	ask->owner = sample;
	ask->subject = path;
	if (ask_function(ask, walk_and_print, sample->timeout_real_ms * NS_PER_MS,
			 handle_walked) < 0)
		sample_failed(sample, "cannot start a process: %s", strerror(errno));
}

/* A path that is not there is of size 0 and count 0. */
void sample_files(struct sample *sample)
{
	for (size_t i = 0; i < sample->path.count; i++) {
		const char *path = sample->path.list[i];
		struct stat status;

		if (stat(path, &status) < 0)
			tell(sample, path, 0, 0);
		else if (S_ISDIR(status.st_mode))
			measure_directory(sample, &sample->asks[i], path);
		else
			tell(sample, path, status.st_size, 1);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of /proc that stay open: to open them takes longer than to read most of them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "samples_inside.h"

static ssize_t read_open(int fd, char *text, size_t room)
{
	size_t all = 0;
	ssize_t size;

	while (all < room - 1 && (size = pread(fd, text + all, room - 1 - all, all)) > 0)
		all += size;
	text[all] = '\0';
	return all ? (ssize_t)all : -1;
}

ssize_t kept_read(struct kept *kept, char *text, size_t room)
{
	ssize_t size = -1;

	if (kept->fd >= 0)
		size = read_open(kept->fd, text, room);
	if (size >= 0)
		return size;
	if (kept->fd >= 0)
		close(kept->fd);
	kept->fd = open(kept->path, O_RDONLY | O_CLOEXEC);
	return kept->fd < 0 ? -1 : read_open(kept->fd, text, room);
}

int64_t text_find_number(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, length))
			return strtoll(text + length, NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return -1;
}

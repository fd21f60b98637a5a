// SPDX-License-Identifier: GPL-2.0-or-later
/* Small files, numbers, memory. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

int text_read(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return -1;
	size = read(fd, text, room - 1);
	close(fd);
	if (size < 0)
		return -1;
	while (size > 0 && isspace((unsigned char)text[size - 1]))
		size--;
	text[size] = '\0';
	return 0;
}

int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t size;
	int error;

	if (fd < 0)
		return -1;
	size = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return size < 0 ? -1 : 0;
}

bool text_u64(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

void *need_memory(void *old, size_t size)
{
	void *memory = realloc(old, size ? size : 1);

	if (!memory)
		fatal("out of memory (%zu bytes)", size);
	return memory;
}

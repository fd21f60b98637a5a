// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the host that the guest gets: owned by root, in directories that are made for them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"
#include "files.h"
#include "text.h"

#define PATH_ROOM 4096
#define MODE_MAX 07777

enum file_kind { KIND_DIRECTORY, KIND_FILE, KIND_LINK };

struct file {
	char *path;
	int kind;
	char *mode;
	char *target;
	int64_t offset;
	char *data;
};

static const char *const kinds[] = { "directory", "file", "link", NULL };
static const struct field fields[] = {
	FIELD(struct file, path, FIELD_TEXT),
	FIELD_WORDS(struct file, kind, kinds),
	FIELD(struct file, mode, FIELD_TEXT),
	FIELD(struct file, target, FIELD_TEXT),
	FIELD(struct file, offset, FIELD_COUNT),
	FIELD(struct file, data, FIELD_TEXT),
	{ 0 },
};

static bool failed;

static int value_of(char digit)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = digit ? strchr(digits, digit) : NULL;

	return found ? found - digits : -1;
}

/*
 * Base64 (RFC 4648) in place. Returns the number of bytes, or -1 when it is none.
 */
static ssize_t decode(char *text)
{
	size_t length = strlen(text);
	unsigned int bits = 0, held = 0;
	char *end = text;

	if (length % 4)
		return -1;
	while (length && text[length - 1] == '=')
		length--;
	for (size_t i = 0; i < length; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			*end++ = bits >> held;
		}
	}
	return end - text;
}

static int make_parents(const char *path)
{
	char part[PATH_ROOM];

	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t size, off_t offset)
{
	while (size) {
		ssize_t put = pwrite(fd, data, size, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data += put;
		size -= put;
		offset += put;
	}
	return 0;
}

static int make_file(const struct file *file, mode_t mode, ssize_t size)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (file->offset ? 0 : O_TRUNC);
	int fd, status;

	/* A program that runs, or a link to somewhere else, is not written into. */
	if (!file->offset && unlink(file->path) < 0 && errno != ENOENT)
		return -1;
	fd = open(file->path, flags, mode & 0700);
	if (fd < 0)
		return -1;
	status = write_all(fd, file->data, size, file->offset);
	if (!status)
		status = fchmod(fd, mode);
	if (close(fd) < 0)
		status = -1;
	return status;
}

static int make_link(const struct file *file)
{
	if (unlink(file->path) < 0 && errno != ENOENT)
		return -1;
	return symlink(file->target, file->path);
}

static int make_directory(const struct file *file, mode_t mode)
{
	if (mkdir(file->path, mode) < 0 && errno != EEXIST)
		return -1;
	return chmod(file->path, mode);
}

static const char *make(struct file *file)
{
	static char wrong[PATH_ROOM + 128];
	unsigned int mode = 0755;
	ssize_t size = 0;
	int status;

	if (!file->path || file->path[0] != '/')
		return "has no path";
	if (file->kind == KIND_LINK && !file->target)
		return "is a link without a target";
	if (file->mode && (sscanf(file->mode, "%o", &mode) != 1 || mode > MODE_MAX))
		return "has an impossible mode";
	if (file->kind == KIND_FILE) {
		size = file->data ? decode(file->data) : 0;
		if (size < 0)
			return "has data that is not base64";
	}
	status = make_parents(file->path);
	if (!status && file->kind == KIND_DIRECTORY)
		status = make_directory(file, mode);
	else if (!status && file->kind == KIND_LINK)
		status = make_link(file);
	else if (!status)
		status = make_file(file, mode, size);
	if (!status)
		return NULL;
	snprintf(wrong, sizeof(wrong), "cannot be made: %s", strerror(errno));
	return wrong;
}

const char *files_take(const struct frame *frame)
{
	struct file file = { .kind = KIND_FILE };
	const char *wrong = fields_read(&file, fields, frame);

	if (!wrong)
		wrong = make(&file);
	fields_free(&file, fields);
	failed = failed || wrong;
	return wrong;
}

bool files_failed(void)
{
	return failed;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "directories.h"

int make_directories(const char *path)
{
	char part[4096];
	struct stat status;

	if (strlen(path) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(part, path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(part, 0755);
		*slash = '/';
	}
	if (mkdir(part, 0755) == 0)
		return 0;
	if (errno == EEXIST && stat(part, &status) == 0 && !S_ISDIR(status.st_mode))
		errno = ENOTDIR;
	return errno == EEXIST ? 0 : -1;
}

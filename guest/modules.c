// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading modules before there is a root to load them from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "modules.h"

#define MODULES "/modules"

static bool used;

static int is_module(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void load(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), MODULES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		console("cannot load the module %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	/* It only takes room in the guest's memory from now on. */
	unlink(path);
}

void modules_load(void)
{
	struct dirent **list;
	int count = scandir(MODULES, &list, is_module, alphasort);

	used = count > 0;
	for (int i = 0; i < count; i++) {
		load(list[i]->d_name);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
}

bool modules_used(void)
{
	return used;
}

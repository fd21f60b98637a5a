// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading modules before there is a root to load them from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "directories.h"
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

/* A line of modules.devname: "tun net/tun c10:200". */
static void make_node(const char *line)
{
	unsigned int major, minor;
	char name[128], path[160], kind, *slash;

	if (sscanf(line, "%*s %127s %c%u:%u", name, &kind, &major, &minor) != 4)
		return;
	snprintf(path, sizeof(path), "/dev/%s", name);
	slash = strrchr(path, '/');
	*slash = '\0';
	make_directories(path);
	*slash = '/';
	if (mknod(path, (kind == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(major, minor)) < 0 &&
	    errno != EEXIST)
		console("cannot make %s: %s", path, strerror(errno));
}

void modules_make_nodes(const char *directory)
{
	char path[160], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/modules.devname", directory);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (line[0] != '#')
			make_node(line);
	fclose(file);
}

bool modules_used(void)
{
	return used;
}

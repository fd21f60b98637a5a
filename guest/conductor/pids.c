// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes of the system, by what /proc says. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pids.h"
#include "text.h"

void pids_add(struct pids *pids, pid_t pid)
{
	if (pids->count == pids->room) {
		pids->room = pids->room ? 2 * pids->room : 64;
		pids->list = need_memory(pids->list, pids->room * sizeof(*pids->list));
	}
	pids->list[pids->count++] = pid;
}

void pids_free(struct pids *pids)
{
	free(pids->list);
	*pids = (struct pids){ 0 };
}

void pids_all(struct pids *pids)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			pids_add(pids, atoi(entry->d_name));
	if (proc)
		closedir(proc);
}

void pids_named(struct pids *pids, const char *name)
{
	struct pids all = { 0 };
	char path[32], comm[32];

	pids_all(&all);
	for (size_t i = 0; i < all.count; i++) {
		snprintf(path, sizeof(path), "/proc/%d/comm", all.list[i]);
		if (text_read(path, comm, sizeof(comm)) == 0 && !strcmp(comm, name))
			pids_add(pids, all.list[i]);
	}
	pids_free(&all);
}

bool pid_relations(pid_t pid, pid_t *parent, pid_t *session)
{
	char path[32], text[1024];
	const char *rest;
	pid_t group;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (text_read(path, text, sizeof(text)) < 0)
		return false;
	rest = strrchr(text, ')'); /* a name may have anything in it */
	return rest && sscanf(rest, ") %*c %d %d %d", parent, &group, session) == 3;
}

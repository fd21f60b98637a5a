/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes of the system, by what /proc says. */
#ifndef PIDS_H
#define PIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pids {
	pid_t *list;
	size_t count;
	size_t room;
};

void pids_add(struct pids *pids, pid_t pid);
void pids_free(struct pids *pids);

/* Add all there are. */
void pids_all(struct pids *pids);

/* Add those of that name (comm). */
void pids_named(struct pids *pids, const char *name);

/* Parent and session of a process; false when it is gone. */
bool pid_relations(pid_t pid, pid_t *parent, pid_t *session);

#endif

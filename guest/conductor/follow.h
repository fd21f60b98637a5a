/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <sys/types.h>

#include "events.h"
#include "lines.h"
#include "timers.h"

/* A file that is read as it grows; all zero at first. */
struct follow {
	const char *path;
	struct lines lines;
	int fd;
	dev_t device;
	ino_t inode;
	off_t at;
	struct watch watch; /* of its directory */
	int directory;      /* inotify's number of it; -1: it is not watched */
	struct timer settle, again;
	bool follows;
};

/* Hand the lines that are written from now on to a sink. */
void follow_start(struct follow *follow, const char *path, struct sink *sink);

/* Read what is there, and no more. */
void follow_stop(struct follow *follow);

/* Read what is there. */
void follow_look(struct follow *follow);

#endif

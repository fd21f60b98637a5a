/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KMSG_H
#define KMSG_H

#include <stdbool.h>

#include "events.h"
#include "lines.h"

/* The kernel's log; all zero at first. */
struct kmsg {
	struct watch watch;
	struct sink *sink;
	struct buffer text;
	uint64_t next; /* number of the next message; 0: any */
	bool paused;
};

/* Hand over its lines, from those that the kernel still has. Returns 0 or -1 with errno. */
int kmsg_start(struct kmsg *kmsg, const char *path, struct sink *sink);

/* Read what is there, and no more. */
void kmsg_stop(struct kmsg *kmsg);

/* The host reads again. */
void kmsg_resume(struct kmsg *kmsg);

#endif

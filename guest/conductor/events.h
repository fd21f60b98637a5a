/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <stdint.h>

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

/* A file that the event loop waits for. */
struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT; what is ready is told again and again */
	void (*handle)(struct watch *watch);
};

void events_add(struct watch *watch);

/* Stop watching; the file stays open. */
void events_remove(struct watch *watch);

/* Stop watching and close, if it is open. */
void events_close(struct watch *watch);

/* Wait for one event and handle it. */
void events_turn(void);

#endif

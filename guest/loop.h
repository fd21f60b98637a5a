/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

/* Something that the event loop waits for. */
struct watch {
	int fd;
	void (*handle)(struct watch *watch);
};

/*
 * Call `watch->handle` when `watch->fd` becomes ready in either direction.
 * Edge-triggered: a handler goes on until it would block. That also keeps a
 * virtio port without a host (always EPOLLHUP) from turning into a busy loop.
 */
void loop_add(struct watch *watch);

/* Stop watching; the file stays open. */
void loop_remove(struct watch *watch);

/* Wait once and call the handlers; `idle` false: only look, do not wait. */
void loop_turn(int wait);

#endif

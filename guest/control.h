/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONTROL_H
#define CONTROL_H

#include "frame.h"

/* Open the control port; `received` is called for each frame that makes sense. */
void control_open(void (*received)(struct frame *frame));

/* Send one frame: begin, add records to it, send. Never blocks. */
struct buffer *control_begin(enum frame_type type);
void control_send(void);

/* A frame whose only record is `message`. */
void control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether the host has the port open at this moment. */
int control_connected(void);

/* Whether frames wait because the host does not read. */
int control_behind(void);

/* Try for a bounded time to get out what waits; before a power-off. */
void control_flush(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pipes with the output of programs. */
#ifndef READERS_H
#define READERS_H

#include "lines.h"

/*
 * Hand the lines that come out of a pipe to a sink; the pipe is closed when its
 * end comes. While the host does not read, neither is this.
 */
void readers_add(struct sink *sink, enum stream stream, int fd);

/* Read what is in a sink's pipes now. */
void readers_drain(const struct sink *sink);

/* The host reads again. */
void readers_resume(void);

#endif

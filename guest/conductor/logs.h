/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs of the guest that are read as they are written. */
#ifndef LOGS_H
#define LOGS_H

#include "frame.h"

/* Where the kernel's messages come from. */
extern const char *logs_kmsg_path;

/* Read a LOG. Returns NULL, or what is wrong. */
const char *logs_take(const struct frame *frame);

void logs_begin(void);

/* Read what has been written, and no more. */
void logs_end(void);

/* The host reads again. */
void logs_resume(void);

#endif

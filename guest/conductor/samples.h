/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is measured again and again. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "frame.h"

/* Read a SAMPLE. Returns NULL, or what is wrong. */
const char *samples_take(const struct frame *frame);

/* The first phase has begun: the first of each is due. */
void samples_begin(void);

void samples_end(void);

/* REALTIME was stepped: its clocks are compared anew. */
void sample_clocks_follow_date(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RAMP_H
#define RAMP_H

#include <stdint.h>

/* Go from the present ratio to another within `length_ns` after `begin_ns` (BOOTTIME). */
void ramp_start(int64_t begin_ns, int64_t length_ns, unsigned int ratio);

/* Stay where it is. */
void ramp_stop(void);

/* How many steps that takes: of 2 % at most, if 200 do. */
int ramp_steps(unsigned int from, unsigned int to);

/* The ratio after step `i` of `steps`. */
unsigned int ramp_ratio(unsigned int from, unsigned int to, int i, int steps);

#endif

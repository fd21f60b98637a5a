/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RATIO_H
#define RATIO_H

#include <stdbool.h>

#define RATIO_MAX 1000

/* The ratio as it was last seen; 1 where the kernel has none. */
unsigned int ratio_now(void);

/* Set it; a failure is told the host once for each number. `why` as in RATIO frames. */
void ratio_set(unsigned int ratio, const char *why);

/*
 * Set it without a word to the host, for a moment that counts in milliseconds;
 * ratio_tell() says it then.
 */
void ratio_set_quietly(unsigned int ratio);
void ratio_tell(const char *why);

/* Where the ratio stands. */
void ratio_open(const char *path);

#endif

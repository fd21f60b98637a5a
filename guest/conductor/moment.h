/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What time it is. */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define NS_PER_MINUTE (60 * NS_PER_S)

int64_t moment_boottime_ns(void);
int64_t moment_realtime_ns(void);

/*
 * BOOTTIME since the first phase began. Until it has, what has passed of the
 * hour before it: nobody knows yet when it will.
 */
int64_t moment_virtual_ns(void);

/* The first phase begins now. */
void moment_begin(void);
bool moment_has_begun(void);

/* BOOTTIME at so much virtual time after the begin of the first phase. */
int64_t moment_after_begin(int64_t virtual_ns);

/* The sum, or the largest number where it does not fit. */
int64_t moment_add(int64_t ns, int64_t more_ns);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two parts of edge share. */
#ifndef DYNACCEL_EDGE_H
#define DYNACCEL_EDGE_H

#include "timed.h"

/* What times() and /proc/PID/stat count in. */
#define USER_TICK_NS (NSEC_PER_SEC / sysconf(_SC_CLK_TCK))

/* Reads all clocks in turn until CLOCK_MONOTONIC shows @end_ns. */
void read_clocks(int64_t end_ns);

/* Prints a record of each. */
void print_clocks(void);

#endif /* DYNACCEL_EDGE_H */

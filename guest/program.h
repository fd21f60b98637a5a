/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the root that the agent asks something. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>

/*
 * Start a program, looked up on the usual PATH, and call `ended` with what it
 * printed (the first few KiB) when it has ended; with nothing when it cannot be
 * started. One at a time. The text may be changed, and lasts until the next one.
 */
void program_ask(const char *const arguments[], void (*ended)(char *text));

/* Whether an answer is still to come. */
bool program_runs(void);

#endif

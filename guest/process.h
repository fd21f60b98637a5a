/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of process the agent is, and what others become of it. */
#ifndef PROCESS_H
#define PROCESS_H

/*
 * Rank before what the guest runs and hear of children that end; with main()'s
 * arguments, the strings themselves.
 */
void process_begin(char **argv);

/*
 * Make process 1 the program `init` of the root; the agent goes on as its
 * child. Returns NULL, or what went wrong.
 */
const char *process_hand_over(const char *init);

/* Before a child becomes another program: no signal is blocked or ignored. */
void process_default_signals(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STREAMS_H
#define STREAMS_H

#include <stdbool.h>
#include <stdint.h>

/* Open the three ports. */
void streams_open(void);

/*
 * Make the command's ends of the three pipes (standard input, output and
 * error) and start to pump. Returns 0 or -1 with errno.
 */
int streams_start(int ends[3], unsigned int uid, unsigned int gid);

/* The command's standard input ends after that many bytes. */
void streams_stdin_end(uint64_t bytes);

/*
 * The command has ended: what is in the pipes now is still passed on, what is
 * left of its standard input is dropped.
 */
void streams_command_ended(void);

/* Whether all output has been handed to the host. */
bool streams_drained(void);

/* Bytes of standard output and standard error that were handed to the host. */
uint64_t streams_stdout_bytes(void);
uint64_t streams_stderr_bytes(void);

/* Pump a bounded amount; true when there is more to do at once. */
bool streams_pump(void);

#endif

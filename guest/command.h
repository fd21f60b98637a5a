/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMAND_H
#define COMMAND_H

#include <sys/types.h>

#include "job.h"

/*
 * Open the program of the agent's own that the job names, if it names one: it
 * lies in the initramfs, so this comes before the root is switched. Returns
 * NULL, or what is wrong.
 */
const char *command_open(const struct job *job);

/*
 * Load the command into a process of its own, which stops at its first
 * instruction (waitpid() tells) until command_release(): so what loading takes
 * does not count in accelerated time. It gets `streams` as its standard
 * streams; they are closed here. `*result` becomes a pipe that tells how
 * loading went, see command_result(). Returns the process id or -1 with errno.
 */
pid_t command_fork(const struct job *job, const int streams[3], int *result);

/*
 * Read the pipe of command_fork(): -1 when it is too early to tell, 0 when the
 * command is loaded, else the exit status (125, 126, 127) of one that cannot be,
 * with `message` filled in.
 */
int command_result(const struct job *job, int result, char *message, size_t room);

/* Let a loaded command go. */
void command_release(pid_t command);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMAND_H
#define COMMAND_H

#include <sys/types.h>

#include "job.h"

/*
 * Fork the command with `streams` as its standard streams, which are closed
 * here. `*result` becomes a pipe that tells how the start went, see
 * command_result(). Returns the process id or -1 with errno.
 */
pid_t command_fork(const struct job *job, const int streams[3], int *result);

/*
 * Read the pipe of command_fork(): -1 when it is too early to tell, 0 when the
 * command runs, else the exit status (125, 126, 127) of one that does not, with
 * `message` filled in.
 */
int command_result(const struct job *job, int result, char *message, size_t room);

#endif

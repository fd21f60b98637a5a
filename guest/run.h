/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_H
#define RUN_H

#include "frame.h"
#include "job.h"

/* Do what START asks for, up to FAILED or EXITED. */
void run_start(const struct frame *start);

/* Pass a signal on to the command. Returns false when there is none. */
bool run_signal(int number);

/* Children have ended or stopped: reap them all. */
void run_reap(void);

/* Look whether there is something to tell; after each turn of the event loop. */
void run_check(void);

/* Send FAILED. */
void run_fail(unsigned int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What START asked for; empty before. */
const struct job *run_job(void);

#endif

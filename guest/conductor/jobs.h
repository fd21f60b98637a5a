/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs of the plan. */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

enum job_kind { JOB_SETUP, JOB_SERVICE, JOB_ONCE, JOB_REPEAT, JOB_FINISH };

struct job;

/* Read a JOB. Returns NULL, or what is wrong. */
const char *jobs_take(const struct frame *frame);

struct job *job_find(const char *name);
const char *job_name(const struct job *job);

/* Whether it will never run again. */
bool job_is_over(const struct job *job);

/* Its process in the making, which is not yet the program that it will be; or 0. */
int job_starting_pid(const struct job *job);

/* Run all jobs of a kind, one after the other, up to the first that fails if `strictly`. */
void jobs_run_all(enum job_kind kind, bool strictly, void (*ended)(bool well));

/* Skip what is left of that, and end what runs of it. */
void jobs_cut_short(void);

/* The first phase has begun: the times of all others count from now. */
void jobs_begin(void);

/* Start nothing more by the clock, restart nothing. */
void jobs_close(void);

/* End all that runs; `stopped` when nothing does any more. */
void jobs_stop(void (*stopped)(void));

/* Tell how many runs were skipped up to now; once in a while. */
void jobs_tell_skipped(void);

/* REALTIME was stepped. */
void jobs_follow_date(int64_t step_ns);

/* Children have been reaped. */
void jobs_look(void);

/* Call when a job is over. */
void jobs_on_over(void (*over)(const struct job *job));

#endif

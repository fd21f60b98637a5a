/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the jobs share. */
#ifndef JOBS_INSIDE_H
#define JOBS_INSIDE_H

#include "children.h"
#include "cron.h"
#include "events.h"
#include "fields.h"
#include "jobs.h"
#include "lines.h"
#include "members.h"
#include "timers.h"

enum restart { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct job {
	/* the plan */
	char *name;
	int kind;
	struct strings arg;
	struct strings env;
	char *directory;
	char *user;
	int64_t after_ns;
	int64_t every_ns; /* 0: none */
	char *cron_text;
	struct cron cron;
	int restart;
	int64_t restart_delay_ns;
	int64_t timeout_ns; /* 0: none */
	int64_t stop_signal;
	struct job *next;

	/* the run that is on its way, if child.pid */
	struct child child;
	struct members members;
	struct watch start; /* tells whether the program could be started */
	bool starting;
	bool failed; /* it could not */
	bool timed_out;
	bool stopped; /* by us, for the end of the scenario */
	int64_t run;  /* its number, from 1 */
	int64_t begin_ns;
	struct timer timeout, killer;
	struct sink sink;

	/* from run to run */
	struct timer due;
	int64_t turn;      /* of a repeat: number of the next time that is due, from 0 */
	int64_t minute;    /* of cron: all times up to this minute are done with */
	int64_t skipped;   /* runs that were, and are not told yet */
	int64_t first_skipped;
	bool closed; /* starts no more */
	bool over;
};

/* jobs.c */

/* A run has ended, well or not: what comes next. */
void job_ran(struct job *job, bool well);

/* job_run.c */

/* Start run number `run`; none runs. */
void job_start(struct job *job, int64_t run);

/* End what runs: the job's signal, SIGKILL 10 real seconds later. */
void job_kill(struct job *job);

/* Begin a JOB frame, with name, run and state. */
void job_tell(const struct job *job, int64_t run, const char *state);

bool job_runs(const struct job *job);

/* job_times.c */

/* Make sure that the next run comes when it is due. */
void job_schedule(struct job *job);

/* A run has ended: what came due meanwhile is skipped, the next is waited for. */
void job_skip_due(struct job *job);

/* Begin with that. */
void job_schedule_first(struct job *job);

/* Tell of runs that were skipped up to now. */
void job_tell_skipped(struct job *job);

/* REALTIME was stepped. */
void job_follow_date(struct job *job, int64_t step_ns);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* The jobs of the plan, and what becomes of each after a run. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "jobs_inside.h"
#include "moment.h"
#include "out.h"
#include "ratio.h"
#include "text.h"

#define NAME_MAX_BYTES 100
/* A service that ends at once is not started more often than that. */
#define RESTART_REAL_NS (20 * NS_PER_MS)
/* After SIGKILL, how often and how long the end of all is waited for. */
#define STOP_LOOK_NS (100 * NS_PER_MS)
#define STOP_LOOKS 150

static const char *const kinds[] = { "setup", "service", "once", "repeat", "finish", NULL };
static const char *const restarts[] = { "no", "on-failure", "always", NULL };
static const struct field fields[] = {
	FIELD(struct job, name, FIELD_TEXT),
	FIELD_WORDS(struct job, kind, kinds),
	FIELD(struct job, arg, FIELD_STRINGS),
	FIELD(struct job, env, FIELD_STRINGS),
	FIELD(struct job, directory, FIELD_TEXT),
	FIELD(struct job, user, FIELD_TEXT),
	FIELD(struct job, after_ns, FIELD_COUNT),
	FIELD(struct job, every_ns, FIELD_COUNT),
	FIELD_OF(struct job, "cron", cron_text, FIELD_TEXT),
	FIELD_WORDS(struct job, restart, restarts),
	FIELD(struct job, restart_delay_ns, FIELD_COUNT),
	FIELD(struct job, timeout_ns, FIELD_COUNT),
	FIELD(struct job, stop_signal, FIELD_COUNT),
	{ 0 },
};

static struct job *jobs;
static void (*on_over)(const struct job *job);

/* A sequence of jobs that run one after the other. */
static struct {
	struct job *job; /* NULL: there is none */
	bool strictly;
	bool well;
	bool cut;
	void (*ended)(bool well);
	struct timer timer;
} sequence;

static struct {
	void (*stopped)(void); /* NULL: not yet, or done */
	int looks;
	struct timer timer;
} stopping;

struct job *job_find(const char *name)
{
	for (struct job *job = jobs; job; job = job->next)
		if (!strcmp(job->name, name))
			return job;
	return NULL;
}

const char *job_name(const struct job *job)
{
	return job->name;
}

bool job_is_over(const struct job *job)
{
	return job->over;
}

int job_starting_pid(const struct job *job)
{
	return job->starting ? job->child.pid : 0;
}

/* It names a directory of control groups. */
static bool is_name(const char *name)
{
	return name && *name && *name != '.' && strlen(name) <= NAME_MAX_BYTES &&
	       !strchr(name, '/');
}

static const char *judge(struct job *job)
{
	bool repeats = job->kind == JOB_REPEAT;

	if (!is_name(job->name))
		return "has a name that cannot be used";
	if (job_find(job->name))
		return "is there already";
	if (job->kind < 0)
		return "has no kind";
	if (!job->arg.count)
		return "has no command";
	if (repeats != (job->every_ns || job->cron_text) || (job->every_ns && job->cron_text))
		return "has not one of every_ns and cron, or has it without repeating";
	if (job->stop_signal < 1 || job->stop_signal >= NSIG)
		return "has an impossible stop_signal";
	return job->cron_text ? cron_read(&job->cron, job->cron_text) : NULL;
}

const char *jobs_take(const struct frame *frame)
{
	struct job *job = need_memory(NULL, sizeof(*job)), **last = &jobs;
	const char *wrong;

	*job = (struct job){
		.kind = -1, .restart_delay_ns = NS_PER_S, .stop_signal = SIGTERM,
		.start = { .fd = -1 },
	};
	wrong = fields_read(job, fields, frame);
	if (!wrong)
		wrong = judge(job);
	if (wrong) {
		fields_free(job, fields);
		free(job);
		return wrong;
	}
	sink_open(&job->sink, job->name);
	members_begin(&job->members, job->name);
	if (job->cron_text && cron_next(&job->cron, 0) < 0)
		out_error("the job %s never runs: no day is %s", job->name, job->cron_text);
	while (*last)
		last = &(*last)->next;
	*last = job;
	return NULL;
}

void jobs_on_over(void (*over)(const struct job *job))
{
	on_over = over;
}

static void end_for_good(struct job *job)
{
	job->over = true;
	if (on_over)
		on_over(job);
}

/* The next of the sequence, or its end; in a turn of its own. */
static void sequence_next(struct timer *timer)
{
	struct job *job = sequence.job;
	int kind = job->kind;

	(void)timer;
	do
		job = job->next;
	while (job && job->kind != kind);
	if (sequence.cut || (sequence.strictly && !sequence.well))
		job = NULL;
	sequence.job = job;
	if (job)
		job_start(job, 1);
	else
		sequence.ended(sequence.well);
}

void jobs_run_all(enum job_kind kind, bool strictly, void (*ended)(bool well))
{
	struct job *job = jobs;

	timer_off(&sequence.timer);
	sequence.strictly = strictly;
	sequence.ended = ended;
	sequence.well = true;
	sequence.cut = false;
	while (job && job->kind != (int)kind)
		job = job->next;
	sequence.job = job;
	if (job)
		job_start(job, 1);
	else
		ended(true);
}

void jobs_cut_short(void)
{
	sequence.cut = true;
	if (!sequence.job || !job_runs(sequence.job))
		return;
	sequence.job->stopped = true;
	job_kill(sequence.job);
}

static void handle_restart(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, due);

	/* What is left of the last run would be in the way. */
	members_signal(&job->members, SIGKILL);
	job_start(job, ++job->turn);
}

static void restart_or_not(struct job *job, bool well)
{
	int64_t least = RESTART_REAL_NS * ratio_now();
	int64_t delay = job->restart_delay_ns > least ? job->restart_delay_ns : least;

	if (job->closed || job->restart == RESTART_NO ||
	    (well && job->restart == RESTART_ON_FAILURE)) {
		end_for_good(job);
		return;
	}
	job_tell(job, job->run + 1, "restarting");
	out_end();
	timer_at(&job->due, moment_add(moment_boottime_ns(), delay), handle_restart);
}

void job_ran(struct job *job, bool well)
{
	switch (job->kind) {
	case JOB_SETUP:
	case JOB_FINISH:
		end_for_good(job);
		if (job != sequence.job)
			break;
		sequence.well &= well;
		timer_at(&sequence.timer, 0, sequence_next);
		break;
	case JOB_SERVICE:
		restart_or_not(job, well);
		break;
	case JOB_ONCE:
		end_for_good(job);
		break;
	default:
		date_look();
		job_skip_due(job);
		job_tell_skipped(job);
	}
}

void jobs_begin(void)
{
	for (struct job *job = jobs; job; job = job->next)
		job_schedule_first(job);
}

void jobs_close(void)
{
	for (struct job *job = jobs; job; job = job->next) {
		job_tell_skipped(job);
		job->closed = true;
		timer_off(&job->due);
	}
}

void jobs_tell_skipped(void)
{
	for (struct job *job = jobs; job; job = job->next)
		job_tell_skipped(job);
}

void jobs_follow_date(int64_t step_ns)
{
	for (struct job *job = jobs; job; job = job->next)
		job_follow_date(job, step_ns);
}

/* Whether any process of a job is left; `number`: the signal that it gets, or 0. */
static bool any_left(int number)
{
	bool left = false;

	for (struct job *job = jobs; job; job = job->next) {
		int signal_number = number < 0 ? (int)job->stop_signal : number;

		left |= job_runs(job);
		left |= members_signal(&job->members, signal_number) > 0;
	}
	return left;
}

static void all_stopped(void)
{
	void (*stopped)(void) = stopping.stopped;

	stopping.stopped = NULL;
	timer_off(&stopping.timer);
	for (struct job *job = jobs; job; job = job->next)
		members_end(&job->members);
	stopped();
}

static void stop_look(struct timer *timer)
{
	/* SIGKILL after two thirds of them: 10 real seconds. */
	bool kills = ++stopping.looks >= STOP_LOOKS * 2 / 3;

	if (!any_left(kills ? SIGKILL : 0)) {
		all_stopped();
	} else if (stopping.looks >= STOP_LOOKS) {
		out_error("some processes of jobs do not end, not even by SIGKILL");
		all_stopped();
	} else {
		timer_real(timer, STOP_LOOK_NS, stop_look);
	}
}

void jobs_stop(void (*stopped)(void))
{
	jobs_close();
	for (struct job *job = jobs; job; job = job->next)
		job->stopped = job_runs(job);
	stopping.stopped = stopped;
	any_left(-1);
	timer_real(&stopping.timer, stopping.looks = 0, stop_look);
}

void jobs_look(void)
{
	if (stopping.stopped && !any_left(0))
		all_stopped();
}

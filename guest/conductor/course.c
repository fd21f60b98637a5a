// SPDX-License-Identifier: GPL-2.0-or-later
/* The course of a run: set-up, phase after phase, finish, the end. */
#include <stdlib.h>
#include <string.h>

#include "appear.h"
#include "course.h"
#include "date.h"
#include "events.h"
#include "faults.h"
#include "files.h"
#include "fields.h"
#include "jobs.h"
#include "lines.h"
#include "logs.h"
#include "moment.h"
#include "out.h"
#include "ramp.h"
#include "ratio.h"
#include "samples.h"
#include "text.h"

enum state { STATE_PLAN, STATE_SETUP, STATE_PHASES, STATE_FINISH, STATE_STOP, STATE_DONE };

struct phase {
	char *name;
	int64_t ratio;
	int64_t ramp_ns;
	int64_t for_ns;   /* -1: it has another end */
	int64_t until_ns; /* of REALTIME; -1 likewise */
	int64_t limit_ns; /* -1: none */
	char *until_file;
	char *until_job;
	int index;
	int64_t begin_ns;
	struct phase *next;
};

static const struct field fields[] = {
	FIELD(struct phase, name, FIELD_TEXT),
	FIELD(struct phase, ratio, FIELD_COUNT),
	FIELD(struct phase, ramp_ns, FIELD_COUNT),
	FIELD(struct phase, for_ns, FIELD_COUNT),
	FIELD(struct phase, until_ns, FIELD_COUNT),
	FIELD(struct phase, limit_ns, FIELD_COUNT),
	FIELD(struct phase, until_file, FIELD_TEXT),
	FIELD(struct phase, until_job, FIELD_TEXT),
	{ 0 },
};

static enum state state;
static struct phase *phases, *phase;
static bool has_date;
static int64_t first_date;
static const char *reason = "finished";
static struct timer end_timer, limit_timer;
static struct appear file;
static bool host_gone, skip_finish;

static void phase_start(struct phase *next, int64_t begin_ns);
static void finish(const char *why);

static const char *judge_phase(const struct phase *candidate)
{
	int ends = (candidate->for_ns >= 0) + (candidate->until_ns >= 0) +
		   !!candidate->until_file + !!candidate->until_job;

	if (!candidate->name)
		return "has no name";
	if (candidate->ratio < 1 || candidate->ratio > RATIO_MAX)
		return "has no ratio from 1 to 1000";
	if (ends != 1)
		return "has not one of for_ns, until_ns, until_file, until_job";
	if (candidate->until_file && candidate->until_file[0] != '/')
		return "waits for a file without a whole path";
	return NULL;
}

const char *course_take_phase(const struct frame *frame)
{
	struct phase *taken = need_memory(NULL, sizeof(*taken));
	struct phase **last = &phases;
	const char *wrong;

	*taken = (struct phase){ .for_ns = -1, .until_ns = -1, .limit_ns = -1 };
	wrong = fields_read(taken, fields, frame);
	if (!wrong)
		wrong = judge_phase(taken);
	if (wrong) {
		fields_free(taken, fields);
		free(taken);
		return wrong;
	}
	while (*last) {
		taken->index = (*last)->index + 1;
		last = &(*last)->next;
	}
	*last = taken;
	return NULL;
}

static void tell_phase(const char *what, const char *ended_by)
{
	out_begin(REPORT_PHASE);
	out_text("name", phase->name);
	out_number("index", phase->index);
	out_text("state", what);
	if (ended_by)
		out_text("ended_by", ended_by);
	out_end();
}

static void phase_leave(const char *ended_by)
{
	timer_off(&end_timer);
	timer_off(&limit_timer);
	appear_stop(&file);
	ramp_stop();
	tell_phase("ended", ended_by);
}

/* `at_ns`: BOOTTIME as it ended by rights, whenever that was noticed. */
static void phase_end(const char *ended_by, int64_t at_ns)
{
	phase_leave(ended_by);
	if (phase->next)
		phase_start(phase->next, at_ns);
	else
		finish("finished");
}

static void handle_time(struct timer *timer)
{
	phase_end("time", timer->due_ns);
}

static void handle_date(struct timer *timer)
{
	(void)timer;
	phase_end("date", moment_boottime_ns());
}

static void handle_file(struct appear *appear)
{
	(void)appear;
	phase_end("file", moment_boottime_ns());
}

static void handle_job(struct timer *timer)
{
	(void)timer;
	phase_end("job", moment_boottime_ns());
}

static void handle_limit(struct timer *timer)
{
	(void)timer;
	tell_phase("limit", NULL);
	phase_leave("limit");
	finish("limit");
}

static void handle_over(const struct job *job)
{
	/* In a turn of its own: the job has still something to tell. */
	if (state == STATE_PHASES && phase->until_job &&
	    !strcmp(phase->until_job, job_name(job)))
		timer_at(&end_timer, 0, handle_job);
}

static void wait_for_job(void)
{
	struct job *job = job_find(phase->until_job);

	if (!job)
		out_error("the phase %s waits for %s, and there is no such job", phase->name,
			  phase->until_job);
	if (!job || job_is_over(job))
		timer_at(&end_timer, 0, handle_job);
}

static void arm_end(void)
{
	if (phase->for_ns >= 0)
		timer_at(&end_timer, moment_add(phase->begin_ns, phase->for_ns), handle_time);
	else if (phase->until_ns >= 0)
		timer_date(&end_timer, phase->until_ns, handle_date);
	else if (phase->until_file)
		appear_start(&file, phase->until_file, handle_file);
	else
		wait_for_job();
	if (phase->limit_ns >= 0)
		timer_at(&limit_timer, moment_add(phase->begin_ns, phase->limit_ns),
			 handle_limit);
}

static void phase_start(struct phase *next, int64_t begin_ns)
{
	phase = next;
	phase->begin_ns = begin_ns;
	tell_phase("begun", NULL);
	if (phase->ramp_ns)
		ramp_start(begin_ns, phase->ramp_ns, phase->ratio);
	else
		ratio_set(phase->ratio, "phase");
	ratio_tell("phase");
	arm_end();
}

/*
 * The date comes after the ratio: to set the ratio takes milliseconds, and they
 * may be seconds afterwards.
 */
static void first_phase(void)
{
	if (!phases) {
		moment_begin();
		finish("finished");
		return;
	}
	state = STATE_PHASES;
	if (!phases->ramp_ns)
		ratio_set_quietly(phases->ratio);
	if (has_date && date_set(first_date) < 0)
		out_error("the date stays as it is: %m");
	moment_begin();
	phase_start(phases, moment_after_begin(0));
	jobs_begin();
	samples_begin();
	faults_begin();
}

static void setup_ended(bool well)
{
	if (state != STATE_SETUP)
		return;
	if (well)
		first_phase();
	else
		finish("setup_failed");
}

void course_begin(const int64_t *realtime_ns)
{
	state = STATE_SETUP;
	has_date = realtime_ns != NULL;
	if (has_date)
		first_date = *realtime_ns;
	jobs_on_over(handle_over);
	logs_begin();
	ratio_set(1, "phase");
	if (files_failed())
		finish("setup_failed");
	else
		jobs_run_all(JOB_SETUP, true, setup_ended);
}

bool course_has_begun(void)
{
	return state != STATE_PLAN;
}

const char *course_set_ratio(unsigned int ratio)
{
	if (state != STATE_PHASES)
		return "there is no phase whose ratio could be changed";
	ramp_stop();
	ratio_set(ratio, "host");
	return NULL;
}

const char *course_next_phase(void)
{
	if (state != STATE_PHASES)
		return "there is no phase that could be ended";
	phase_end("host", moment_boottime_ns());
	return NULL;
}

static void all_stopped(void)
{
	logs_end();
	sinks_flush();
	out_begin(REPORT_DONE);
	out_text("reason", reason);
	out_end();
	state = STATE_DONE;
}

static void stop(void)
{
	state = STATE_STOP;
	samples_end();
	jobs_stop(all_stopped);
}

static void finish_ended(bool well)
{
	(void)well;
	if (state == STATE_FINISH)
		stop();
}

static void faults_ended(void)
{
	if (skip_finish)
		stop();
	else
		jobs_run_all(JOB_FINISH, false, finish_ended);
}

/* What was broken is mended first, so that the finish jobs find all as it should be. */
static void finish(const char *why)
{
	state = STATE_FINISH;
	reason = why;
	jobs_close();
	ratio_set(1, "finish");
	faults_end(faults_ended);
}

void course_end(void)
{
	switch (state) {
	case STATE_PLAN:
		state = STATE_FINISH;
		reason = "ended";
		stop();
		break;
	case STATE_SETUP:
		state = STATE_FINISH;
		jobs_cut_short();
		finish("ended");
		break;
	case STATE_PHASES:
		phase_leave("host");
		finish("ended");
		break;
	case STATE_FINISH:
		skip_finish = true;
		jobs_cut_short();
		break;
	default:
		break;
	}
}

void course_host_gone(void)
{
	if (host_gone)
		return;
	host_gone = true;
	course_end();
	if (state == STATE_FINISH)
		course_end();
}

bool course_is_done(void)
{
	return state == STATE_DONE;
}

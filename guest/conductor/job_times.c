// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When jobs run again. A time that is due while the last run goes on, or that a
 * late turn finds together with an earlier one, is skipped: nothing ever queues.
 */
#include "jobs_inside.h"
#include "moment.h"
#include "out.h"

/* The steps of the date that cron(8) of Debian takes for a correction. */
#define CORRECTION_MINUTES (3 * 60)
#define CORRECTION_NS (CORRECTION_MINUTES * NS_PER_MINUTE)

static void handle_due(struct timer *timer);

static void skip(struct job *job, int64_t run, int64_t count)
{
	if (count <= 0)
		return;
	if (!job->skipped)
		job->first_skipped = run;
	job->skipped += count;
}

void job_tell_skipped(struct job *job)
{
	/* What has come due meanwhile; no timer counts it. */
	if (job->kind == JOB_REPEAT && job_runs(job))
		job_schedule(job);
	if (!job->skipped)
		return;
	job_tell(job, job->first_skipped, "skipped");
	out_number("count", job->skipped);
	out_end();
	job->skipped = 0;
}

static int64_t minute_now(void)
{
	return moment_realtime_ns() / NS_PER_MINUTE;
}

/* BOOTTIME of the turn that is next. */
static int64_t turn_ns(const struct job *job)
{
	int64_t after;

	if (__builtin_mul_overflow(job->turn, job->every_ns, &after))
		return INT64_MAX;
	return moment_after_begin(moment_add(job->after_ns, after));
}

/* How many turns have come due, up to now; they are done with after that. */
static int64_t take_turns(struct job *job)
{
	int64_t late = moment_boottime_ns() - turn_ns(job);
	int64_t count = late < 0 ? 0 : late / job->every_ns + 1;

	job->turn += count;
	return count;
}

static int64_t take_minutes(struct job *job)
{
	int64_t now = minute_now(), count = 0;

	for (;;) {
		int64_t next = cron_next(&job->cron, job->minute);

		if (next < 0 || next > now)
			break;
		job->minute = next;
		count++;
	}
	if (job->minute < now)
		job->minute = now;
	job->turn += count;
	return count;
}

static void arm(struct job *job)
{
	int64_t next;

	if (job->closed)
		return;
	if (!job->cron_text) {
		timer_at(&job->due, turn_ns(job), handle_due);
		return;
	}
	next = cron_next(&job->cron, job->minute);
	if (next >= 0)
		timer_date(&job->due, next * NS_PER_MINUTE, handle_due);
}

static int64_t take_due(struct job *job)
{
	return job->cron_text ? take_minutes(job) : take_turns(job);
}

void job_schedule(struct job *job)
{
	int64_t count, run;

	if (job->kind != JOB_REPEAT || job->closed)
		return;
	count = take_due(job);
	run = job->turn - count + 1;
	if (!job_runs(job) && count) {
		job_start(job, run++);
		count--;
	}
	skip(job, run, count);
	/* While it runs, its end and the tick do the counting. */
	if (!job_runs(job))
		arm(job);
	else
		timer_off(&job->due);
}

void job_skip_due(struct job *job)
{
	int64_t count = job->closed ? 0 : take_due(job);

	skip(job, job->turn - count + 1, count);
	arm(job);
}

static void handle_due(struct timer *timer)
{
	job_schedule(container_of(timer, struct job, due));
}

static void handle_first(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, due);

	if (job->kind == JOB_REPEAT) {
		/* Of cron: from now on, so this very minute is over already. */
		job->minute = minute_now();
		job_schedule(job);
	} else {
		job_start(job, ++job->turn);
	}
}

void job_schedule_first(struct job *job)
{
	if (job->kind == JOB_REPEAT || job->kind == JOB_ONCE || job->kind == JOB_SERVICE)
		timer_at(&job->due, moment_after_begin(job->after_ns), handle_first);
}

/*
 * As cron(8) of Debian: a step forward by up to three hours runs what it leapt
 * over, once; one back by up to three hours repeats nothing with a fixed time;
 * after a larger one all goes by the new date, as if nothing had been.
 */
void job_follow_date(struct job *job, int64_t step_ns)
{
	int64_t now = minute_now(), count;

	if (job->kind != JOB_REPEAT || !job->cron_text || job->closed || !job->minute)
		return;
	if (step_ns > CORRECTION_NS || step_ns < -CORRECTION_NS ||
	    (step_ns < 0 && job->cron.wild))
		job->minute = now - 1;
	if (step_ns > 0 && !job_runs(job)) {
		/* All that was leapt over counts as one time. */
		count = take_minutes(job);
		job->turn -= count ? count - 1 : 0;
		if (count)
			job_start(job, job->turn);
	}
	job_schedule(job);
}

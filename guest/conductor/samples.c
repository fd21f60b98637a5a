// SPDX-License-Identifier: GPL-2.0-or-later
/* What is measured again and again: the plan, and when. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "moment.h"
#include "out.h"
#include "samples.h"
#include "samples_inside.h"
#include "text.h"

#define STARTING_NS (10 * NS_PER_MS)

static const char *const kinds[] = {
	"system", "process", "disk", "file", "command", "clocks", NULL,
};
enum { KIND_SYSTEM, KIND_PROCESS, KIND_DISK, KIND_FILE, KIND_COMMAND, KIND_CLOCKS };

static void (*const measures[])(struct sample *sample) = {
	sample_system, sample_processes, sample_disks, sample_files, sample_command,
	sample_clocks,
};

static const struct field fields[] = {
	FIELD(struct sample, name, FIELD_TEXT),
	FIELD_WORDS(struct sample, kind, kinds),
	FIELD(struct sample, every_ns, FIELD_COUNT),
	FIELD_OF(struct sample, "job", job_name, FIELD_TEXT),
	FIELD_OF(struct sample, "process", process_name, FIELD_TEXT),
	FIELD(struct sample, path, FIELD_STRINGS),
	FIELD(struct sample, arg, FIELD_STRINGS),
	FIELD(struct sample, timeout_real_ms, FIELD_COUNT),
	FIELD(struct sample, pss, FIELD_COUNT),
	{ 0 },
};

static struct sample *samples;

static const char *judge(const struct sample *sample)
{
	bool files = sample->kind == KIND_DISK || sample->kind == KIND_FILE;

	if (!sample->name || !*sample->name)
		return "has no name";
	if (sample->kind < 0)
		return "has no kind";
	if (sample->every_ns < 1)
		return "has no every_ns";
	if (sample->kind == KIND_PROCESS && !sample->job_name == !sample->process_name)
		return "has not one of job and process";
	if (files && !sample->path.count)
		return "has no path";
	if (sample->kind == KIND_COMMAND && !sample->arg.count)
		return "has no command";
	return NULL;
}

const char *samples_take(const struct frame *frame)
{
	struct sample *sample = need_memory(NULL, sizeof(*sample)), **last = &samples;
	size_t asks;
	const char *wrong;

	*sample = (struct sample){ .kind = -1, .timeout_real_ms = 30000 };
	wrong = fields_read(sample, fields, frame);
	if (!wrong)
		wrong = judge(sample);
	if (wrong) {
		fields_free(sample, fields);
		free(sample);
		return wrong;
	}
	asks = sample->path.count + 1;
	sample->asks = need_memory(NULL, asks * sizeof(*sample->asks));
	memset(sample->asks, 0, asks * sizeof(*sample->asks));
	if (sample->kind == KIND_COMMAND)
		sink_open(&sample->sink, sample->name);
	while (*last)
		last = &(*last)->next;
	*last = sample;
	return NULL;
}

static void handle_due(struct timer *timer);

/* What a late turn has missed is missed. */
static void arm(struct sample *sample)
{
	int64_t due;

	if (__builtin_mul_overflow(sample->turn, sample->every_ns, &due))
		due = INT64_MAX;
	timer_at(&sample->due, moment_after_begin(due), handle_due);
}

static void handle_due(struct timer *timer)
{
	struct sample *sample = container_of(timer, struct sample, due);

	/* What is just being started is not yet the program that it will be. */
	if (sample->job && job_starting_pid(sample->job)) {
		timer_real(timer, STARTING_NS, handle_due);
		return;
	}
	measures[sample->kind](sample);
	sample->turn = moment_virtual_ns() / sample->every_ns + 1;
	arm(sample);
}

void samples_begin(void)
{
	for (struct sample *sample = samples; sample; sample = sample->next) {
		if (sample->job_name && !(sample->job = job_find(sample->job_name)))
			out_error("the sample %s: there is no job %s", sample->name,
				  sample->job_name);
		else
			arm(sample);
	}
}

void samples_end(void)
{
	for (struct sample *sample = samples; sample; sample = sample->next) {
		timer_off(&sample->due);
		for (size_t i = 0; i < sample->path.count + 1; i++)
			ask_stop(&sample->asks[i]);
	}
}

void sample_begin(const struct sample *sample, const char *subject)
{
	out_begin(REPORT_SAMPLE);
	out_text("name", sample->name);
	out_text("subject", subject);
}

void sample_count(const char *metric, int64_t value)
{
	char text[80];

	snprintf(text, sizeof(text), "%.50s %" PRId64, metric, value);
	out_text("value", text);
}

void sample_seconds(const char *metric, double seconds)
{
	char text[80];

	if (fabs(seconds) < 0.005)
		seconds = 0; /* rather than "-0.00" */
	snprintf(text, sizeof(text), "%.50s %.2f", metric, seconds);
	out_text("value", text);
}

void sample_failed(struct sample *sample, const char *format, ...)
{
	char message[512];
	va_list args;

	if (sample->failed)
		return;
	sample->failed = true;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	out_error("the sample %s: %s", sample->name, message);
}

void sample_worked(struct sample *sample)
{
	sample->failed = false;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes wrong on purpose: the plan, and when. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults_inside.h"
#include "fields.h"
#include "jobs_inside.h"
#include "moment.h"
#include "out.h"
#include "pids.h"
#include "text.h"

static const char *const kinds[] = {
	"date-step", "leap-second", "memory-pressure", "disk-full", "kill", "network-cut",
	"pause", NULL,
};
enum { KIND_DATE_STEP, KIND_LEAP_SECOND, KIND_MEMORY, KIND_DISK, KIND_KILL, KIND_NETWORK,
       KIND_PAUSE };

static const struct field fields[] = {
	FIELD(struct fault, name, FIELD_TEXT),
	FIELD_WORDS(struct fault, kind, kinds),
	FIELD(struct fault, after_ns, FIELD_COUNT),
	FIELD(struct fault, at_ns, FIELD_COUNT),
	FIELD(struct fault, every_ns, FIELD_COUNT),
	FIELD(struct fault, step_ns, FIELD_NUMBER),
	FIELD(struct fault, duration_ns, FIELD_COUNT),
	FIELD(struct fault, size, FIELD_COUNT),
	FIELD(struct fault, path, FIELD_TEXT),
	FIELD(struct fault, signal, FIELD_COUNT),
	FIELD_OF(struct fault, "job", job_name, FIELD_TEXT),
	FIELD_OF(struct fault, "process", process_name, FIELD_TEXT),
	FIELD(struct fault, interface, FIELD_TEXT),
	{ 0 },
};

static struct fault *faults;
static void (*on_ended)(void);

static const char *judge(const struct fault *fault)
{
	bool dates = fault->kind == KIND_DATE_STEP || fault->kind == KIND_LEAP_SECOND;

	if (!fault->name || !*fault->name)
		return "has no name";
	if (fault->kind < 0)
		return "has no kind";
	if ((fault->after_ns < 0) == (fault->at_ns < 0))
		return "has not one of after_ns and at_ns";
	if (dates && !fault->step_ns)
		return "has no step_ns";
	if (fault->kind == KIND_MEMORY && !fault->size)
		return "has no size";
	if (fault->kind == KIND_DISK && (!fault->path || fault->path[0] != '/'))
		return "has no whole path";
	if (fault->kind == KIND_KILL && !fault->job_name == !fault->process_name)
		return "has not one of job and process";
	if (fault->kind == KIND_KILL && (fault->signal < 1 || fault->signal >= NSIG))
		return "has an impossible signal";
	if (fault->kind == KIND_NETWORK && (!fault->interface || !*fault->interface))
		return "has no interface";
	return NULL;
}

const char *faults_take(const struct frame *frame)
{
	struct fault *fault = need_memory(NULL, sizeof(*fault)), **last = &faults;
	const char *wrong;

	*fault = (struct fault){ .kind = -1, .after_ns = -1, .at_ns = -1, .signal = SIGKILL };
	wrong = fields_read(fault, fields, frame);
	if (!wrong)
		wrong = judge(fault);
	if (wrong) {
		fields_free(fault, fields);
		free(fault);
		return wrong;
	}
	while (*last)
		last = &(*last)->next;
	*last = fault;
	return NULL;
}

void fault_tell(const struct fault *fault, enum fault_state state, const char *message)
{
	static const char *const states[] = { "wanted", "begun", "ended", "failed" };

	out_begin(REPORT_FAULT);
	out_text("name", fault->name);
	out_text("kind", kinds[fault->kind]);
	out_text("state", states[state]);
	if (message)
		out_text("message", message);
	out_end();
}

static size_t kill_named(const struct fault *fault)
{
	struct pids pids = { 0 };
	size_t count;

	pids_named(&pids, fault->process_name);
	count = pids.count;
	for (size_t i = 0; i < count; i++)
		kill(pids.list[i], fault->signal);
	pids_free(&pids);
	return count;
}

static void fault_kill(struct fault *fault)
{
	struct job *job = fault->job_name ? job_find(fault->job_name) : NULL;
	char message[160];
	size_t count;

	if (fault->job_name && !job) {
		fault_tell(fault, FAULT_FAILED, "there is no such job");
		return;
	}
	count = job ? members_signal(&job->members, fault->signal) : kill_named(fault);
	if (!count) {
		fault_tell(fault, FAULT_FAILED, "there is no such process");
		return;
	}
	snprintf(message, sizeof(message), "signal %d to %zu process%s", (int)fault->signal,
		 count, count > 1 ? "es" : "");
	fault_tell(fault, FAULT_BEGUN, message);
	fault_tell(fault, FAULT_ENDED, NULL);
}

static void begin(struct fault *fault)
{
	switch (fault->kind) {
	case KIND_DATE_STEP:
		fault_date_step(fault);
		break;
	case KIND_LEAP_SECOND:
		fault_leap_second(fault);
		break;
	case KIND_MEMORY:
		fault_hold(fault, fault_memory);
		break;
	case KIND_DISK:
		fault_hold(fault, fault_disk);
		break;
	case KIND_KILL:
		fault_kill(fault);
		break;
	case KIND_NETWORK:
		fault_hold(fault, fault_network);
		break;
	default:
		fault_tell(fault, FAULT_WANTED, NULL);
	}
}

static void handle_due(struct timer *timer);

/* The next time after now; those that a late turn has missed are missed. */
static void arm_next(struct fault *fault)
{
	int64_t late = moment_boottime_ns() - fault->due_ns;

	if (!fault->every_ns)
		return;
	if (late < 0)
		late = 0;
	fault->due_ns = moment_add(fault->due_ns,
				   (late / fault->every_ns + 1) * fault->every_ns);
	timer_at(&fault->due, fault->due_ns, handle_due);
}

static void handle_due(struct timer *timer)
{
	struct fault *fault = container_of(timer, struct fault, due);

	fault->due_ns = timer->kind == TIMER_DATE ? moment_boottime_ns() : timer->due_ns;
	if (fault->child.pid)
		fault_tell(fault, FAULT_FAILED, "the last one still goes on");
	else
		begin(fault);
	arm_next(fault);
}

void faults_begin(void)
{
	for (struct fault *fault = faults; fault; fault = fault->next) {
		if (fault->after_ns >= 0)
			timer_at(&fault->due, moment_after_begin(fault->after_ns), handle_due);
		else
			timer_date(&fault->due, fault->at_ns, handle_due);
	}
}

/* In a turn of its own, so that whoever asked is done with what he does. */
static void look_ended(struct timer *timer)
{
	void (*ended)(void) = on_ended;

	(void)timer;
	for (struct fault *fault = faults; fault; fault = fault->next)
		if (fault->child.pid)
			return;
	on_ended = NULL;
	if (ended)
		ended();
}

void faults_look(void)
{
	static struct timer timer;

	if (on_ended)
		timer_at(&timer, 0, look_ended);
}

void faults_end(void (*ended)(void))
{
	on_ended = ended;
	for (struct fault *fault = faults; fault; fault = fault->next) {
		timer_off(&fault->due);
		fault_mend(fault);
	}
	faults_look();
}

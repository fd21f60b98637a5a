// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes from the host: the plan, and what it asks for on the way. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "course.h"
#include "events.h"
#include "faults.h"
#include "fields.h"
#include "files.h"
#include "frame.h"
#include "host.h"
#include "jobs.h"
#include "lines.h"
#include "logs.h"
#include "out.h"
#include "ratio.h"
#include "samples.h"
#include "text.h"

#define READ_SIZE (64u << 10)

struct part {
	enum order_type type;
	const char *name;
	const char *key; /* of what it is called by */
	const char *(*take)(const struct frame *frame);
};

static const struct part parts[] = {
	{ ORDER_JOB, "job", "name", jobs_take },
	{ ORDER_SAMPLE, "sample", "name", samples_take },
	{ ORDER_LOG, "log", "name", logs_take },
	{ ORDER_FAULT, "fault", "name", faults_take },
	{ ORDER_PHASE, "phase", "name", course_take_phase },
	{ ORDER_FILE, "file", "path", files_take },
};

static struct watch watch;
static struct buffer input;

static const struct part *find_part(unsigned int type)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].type == type)
			return &parts[i];
	return NULL;
}

static void take_part(const struct part *part, const struct frame *frame)
{
	const char *found = frame_value(frame, part->key);
	char name[256];
	const char *wrong;

	snprintf(name, sizeof(name), "%s", found ? found : "");
	if (course_has_begun())
		wrong = "comes after BEGIN";
	else
		wrong = part->take(frame);
	if (wrong)
		out_error("the %s %s %s", part->name, name, wrong);
}

static void take_begin(const struct frame *frame)
{
	const char *text = frame_value(frame, "realtime_ns");
	int64_t realtime;

	if (course_has_begun())
		out_error("BEGIN came twice");
	else if (text && !text_s64(text, &realtime))
		out_error("BEGIN has an impossible realtime_ns: %.60s", text);
	else
		course_begin(text ? &realtime : NULL);
}

static void take_ratio(const struct frame *frame)
{
	const char *text = frame_value(frame, "ratio");
	const char *wrong = "SET_RATIO names no ratio from 1 to 1000";
	uint64_t ratio;

	if (text && text_u64(text, &ratio) && ratio >= 1 && ratio <= RATIO_MAX)
		wrong = course_set_ratio(ratio);
	if (wrong)
		out_error("%s", wrong);
}

static void take_next_phase(void)
{
	const char *wrong = course_next_phase();

	if (wrong)
		out_error("%s", wrong);
}

static void take_hold(void)
{
	sinks_flush();
	out_hold();
}

static void take(const struct frame *frame)
{
	const struct part *part = find_part(frame->type);

	if (part) {
		take_part(part, frame);
		return;
	}
	switch (frame->type) {
	case ORDER_BEGIN:
		take_begin(frame);
		break;
	case ORDER_SET_RATIO:
		take_ratio(frame);
		break;
	case ORDER_HOLD:
		take_hold();
		break;
	case ORDER_GO:
		out_go();
		break;
	case ORDER_END:
		course_end();
		break;
	case ORDER_NEXT_PHASE:
		take_next_phase();
		break;
	default:
		out_error("frames of type %u are not known here", frame->type);
	}
}

static void leave(void)
{
	events_remove(&watch);
	out_go(); /* nobody will say it any more */
	course_host_gone();
}

/* Returns false after what can be no frame. */
static bool understand(void)
{
	struct frame frame;
	enum frame_state state;

	while ((state = frame_look(&input, &frame)) != FRAME_PARTIAL) {
		if (state == FRAME_LOST) {
			out_error("the host sent a frame of an impossible length");
			return false;
		}
		if (state == FRAME_MALFORMED)
			out_error("a frame of type %u has malformed records", frame.type);
		else
			take(&frame);
		buffer_drop(&input, frame.whole);
	}
	return true;
}

static void handle_input(struct watch *ready)
{
	ssize_t size = read(ready->fd, buffer_room(&input, READ_SIZE), READ_SIZE);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size > 0)
		input.size += size;
	if (size <= 0 || !understand())
		leave();
}

static void say_ready(void)
{
	struct sysinfo info;
	cpu_set_t cpus;

	sysinfo(&info);
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	out_begin(REPORT_READY);
	out_number("cpus", CPU_COUNT(&cpus));
	out_number("page_size", sysconf(_SC_PAGESIZE));
	out_number("hz", sysconf(_SC_CLK_TCK));
	out_number("memory_bytes", (int64_t)info.totalram * info.mem_unit);
	out_end();
}

void host_open(void)
{
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	watch = (struct watch){ .fd = STDIN_FILENO, .events = EPOLLIN, .handle = handle_input };
	events_add(&watch);
	say_ready();
}

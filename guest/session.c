// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said with the host: HELLO, heartbeats, and the answers to its frames. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>

#include "clock.h"
#include "control.h"
#include "log.h"
#include "mounts.h"
#include "power.h"
#include "run.h"
#include "session.h"
#include "streams.h"
#include "text.h"

#define HEARTBEAT_NS NS_PER_S
/* A host that is gone for so many heartbeats will not come back. */
#define HOST_PATIENCE 20

static struct real_timer heartbeat;

static void tell_fatal(const char *message)
{
	run_fail(125, "%s", message);
	control_flush();
}

static void add_stamps(struct buffer *frame)
{
	frame_add_number(frame, "ratio", clock_ratio());
	frame_add_number(frame, "virtual_ns", clock_virtual_ns());
	frame_add_number(frame, "realtime_ns", clock_realtime_ns());
}

static void power_off_guest(void)
{
	power_end_processes();
	mounts_release(run_job());
	power_off();
}

static void beat(void)
{
	static int alone;

	alone = control_connected() ? 0 : alone + 1;
	if (alone > HOST_PATIENCE) {
		console("the host is gone; powering off");
		power_off_guest();
	}
	/* A host that does not read gets no pile of old heartbeats. */
	if (!control_behind()) {
		add_stamps(control_begin(FRAME_HEARTBEAT));
		control_send();
	}
	real_timer_arm(&heartbeat, HEARTBEAT_NS, beat);
}

static void answer_ratio(const struct frame *request, int error)
{
	const char *number = frame_value(request, "request");
	struct buffer *frame = control_begin(FRAME_RATIO);

	if (number)
		frame_add(frame, "request", number);
	add_stamps(frame);
	if (error) {
		frame_add_number(frame, "errno", error);
		frame_add(frame, "message", error == ENOENT ?
			  "this kernel cannot accelerate: it has no kernel.accel" :
			  strerror(error));
	}
	control_send();
}

static void set_ratio(const struct frame *frame)
{
	const char *ratio = frame_value(frame, "ratio");
	int error = EINVAL;

	if (ratio)
		error = clock_set_ratio(ratio) < 0 ? errno : 0;
	answer_ratio(frame, error);
}

static void take_signal(const struct frame *frame)
{
	const char *text = frame_value(frame, "signal");
	uint64_t number;

	if (!text || !text_u64(text, &number) || number < 1 || number >= NSIG)
		control_error("SIGNAL names no signal");
	else if (!run_signal(number))
		control_error("there is no command to signal");
}

static void take_stdin_end(const struct frame *frame)
{
	const char *text = frame_value(frame, "bytes");
	uint64_t bytes;

	if (text && text_u64(text, &bytes))
		streams_stdin_end(bytes);
	else
		control_error("STDIN_END names no number of bytes");
}

static void handle_frame(struct frame *frame)
{
	switch (frame->type) {
	case FRAME_START:
		run_start(frame);
		break;
	case FRAME_SIGNAL:
		take_signal(frame);
		break;
	case FRAME_STDIN_END:
		take_stdin_end(frame);
		break;
	case FRAME_SET_RATIO:
		set_ratio(frame);
		break;
	case FRAME_GET_RATIO:
		answer_ratio(frame, 0);
		break;
	case FRAME_POWEROFF:
		power_off_guest();
		break;
	default:
		control_error("frames of type %u are not known here", frame->type);
	}
}

static void greet(void)
{
	struct buffer *frame = control_begin(FRAME_HELLO);
	struct utsname name;
	cpu_set_t cpus;

	uname(&name);
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	frame_add_number(frame, "protocol", 1);
	frame_add(frame, "release", name.release);
	frame_add_number(frame, "ratio", clock_ratio());
	frame_add_number(frame, "cpus", CPU_COUNT(&cpus));
	control_send();
}

void session_open(void)
{
	control_open(handle_frame);
	fatal_hook = tell_fatal;
	greet();
	streams_open();
	real_timer_arm(&heartbeat, HEARTBEAT_NS, beat);
}

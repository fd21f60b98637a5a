// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of a run: from HELLO over START and EXITED to POWEROFF. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "control.h"
#include "job.h"
#include "log.h"
#include "mounts.h"
#include "net.h"
#include "power.h"
#include "session.h"
#include "streams.h"
#include "text.h"

#define HEARTBEAT_NS NS_PER_S
/* A host that is gone for so many heartbeats will not come back. */
#define HOST_PATIENCE 20
#define SETTLE_POLL_NS (5 * NS_PER_MS)
#define SETTLE_POLLS 600
#define KILL_AFTER_NS (10 * NS_PER_S)

enum state {
	STATE_IDLE,     /* before START, and after FAILED */
	STATE_SETTLING, /* the root is there; the clocksource is not yet */
	STATE_STARTING, /* forked, not known to run */
	STATE_RUNNING,
	STATE_DRAINING, /* ended; its output is still on the way */
	STATE_ENDED,
};

static enum state state;
static struct job job;
static pid_t command;
static struct watch start_result;
static bool exited;
static int exit_status;
static uint64_t start_virtual_ns, exit_virtual_ns;
static bool ended_by_for;
static bool started_once;
static uint64_t early_signals; /* bit N - 1: signal N came before the command */
static int settle_polls;
static struct real_timer heartbeat, settle, killer;
static struct watch for_timer;

static void fail(unsigned int status, const char *message)
{
	struct buffer *frame = control_begin(FRAME_FAILED);

	frame_add_number(frame, "status", status);
	frame_add(frame, "message", message);
	control_send();
	state = STATE_IDLE;
}

static void tell_fatal(const char *message)
{
	fail(125, message);
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
	mounts_release(&job);
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

static void signal_command(int number)
{
	/* The group is there as soon as the child has made its session. */
	if (kill(-command, number) < 0)
		kill(command, number);
}

static void kill_command(void)
{
	if (state == STATE_RUNNING)
		signal_command(SIGKILL);
}

static void handle_for(struct watch *watch)
{
	uint64_t times;

	if (read(watch->fd, &times, sizeof(times)) != sizeof(times))
		return;
	if (state != STATE_RUNNING && state != STATE_STARTING)
		return;
	ended_by_for = true;
	signal_command(SIGTERM);
	real_timer_arm(&killer, KILL_AFTER_NS, kill_command);
}

static void check_start(struct watch *watch)
{
	char message[4352];
	int result = command_result(&job, watch->fd, message, sizeof(message));
	struct buffer *frame;

	if (result < 0)
		return;
	loop_remove(watch);
	close(watch->fd);
	if (result > 0) {
		fail(result, message);
		return;
	}
	frame = control_begin(FRAME_STARTED);
	frame_add_number(frame, "pid", command);
	frame_add_number(frame, "virtual_ns", start_virtual_ns);
	frame_add_number(frame, "ratio", clock_ratio());
	control_send();
	state = STATE_RUNNING;
}

static void launch(void)
{
	char message[256];
	int ends[3];

	if (streams_start(ends, job.uid, job.gid) < 0) {
		snprintf(message, sizeof(message), "cannot make pipes: %s", strerror(errno));
		fail(125, message);
		return;
	}
	if (job.has_realtime && clock_set_realtime(job.realtime_ns) < 0) {
		snprintf(message, sizeof(message),
			 "Linux does not let its clock start at that date: %s "
			 "(1970 plus the time since boot is the earliest)", strerror(errno));
		fail(125, message);
		return;
	}
	clock_watch_ratio();
	if (clock_set_ratio(job.ratio) < 0 && strcmp(job.ratio, "1")) {
		if (errno == ENOENT)
			snprintf(message, sizeof(message),
				 "this kernel cannot accelerate: it has no kernel.accel");
		else
			snprintf(message, sizeof(message), "the kernel refuses the ratio %.30s: %s",
				 job.ratio, strerror(errno));
		fail(125, message);
		return;
	}
	start_virtual_ns = clock_virtual_ns();
	command = command_fork(&job, ends, &start_result.fd);
	if (command < 0) {
		snprintf(message, sizeof(message), "cannot fork: %s", strerror(errno));
		fail(125, message);
		return;
	}
	state = STATE_STARTING;
	/* It has them all blocked until it has become the command. */
	for (int number = 1; number < NSIG; number++)
		if (early_signals & 1ull << (number - 1))
			kill(command, number);
	start_result.handle = check_start;
	loop_add(&start_result);
	if (job.for_ns)
		virtual_timer_arm(&for_timer, start_virtual_ns, job.for_ns, handle_for);
}

/*
 * The kernel ends its calibration of the TSC by comparing it with another
 * clock, which must happen in real time; that may take a second after boot.
 */
static void wait_settled(void)
{
	if (!clock_settled() && settle_polls++ < SETTLE_POLLS)
		real_timer_arm(&settle, SETTLE_POLL_NS, wait_settled);
	else
		launch();
}

static void start(const struct frame *frame)
{
	const char *problem;

	if (started_once) {
		control_error("START came twice");
		return;
	}
	started_once = true;
	problem = job_read(&job, frame);
	if (!problem && job.hostname && sethostname(job.hostname, strlen(job.hostname)) < 0)
		problem = "the host name is too long";
	if (!problem)
		problem = mounts_root(&job);
	if (!problem)
		problem = net_loopback();
	if (!problem && job.net_user)
		problem = net_user();
	if (problem) {
		fail(125, problem);
		return;
	}
	state = STATE_SETTLING;
	wait_settled();
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
	else if (state == STATE_SETTLING)
		early_signals |= 1ull << (number - 1);
	else if (state == STATE_STARTING || state == STATE_RUNNING)
		signal_command(number);
	else
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
		start(frame);
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

void session_open(void)
{
	struct buffer *frame;
	struct utsname name;
	cpu_set_t cpus;

	control_open(handle_frame);
	fatal_hook = tell_fatal;
	uname(&name);
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	frame = control_begin(FRAME_HELLO);
	frame_add_number(frame, "protocol", 1);
	frame_add(frame, "release", name.release);
	frame_add_number(frame, "ratio", clock_ratio());
	frame_add_number(frame, "cpus", CPU_COUNT(&cpus));
	control_send();
	streams_open();
	real_timer_arm(&heartbeat, HEARTBEAT_NS, beat);
}

void session_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command || exited)
			continue;
		exit_virtual_ns = clock_virtual_ns();
		exited = true;
		exit_status = status;
	}
}

static void tell_exited(void)
{
	struct buffer *frame = control_begin(FRAME_EXITED);

	if (WIFSIGNALED(exit_status))
		frame_add_number(frame, "signal", WTERMSIG(exit_status));
	else
		frame_add_number(frame, "status", WEXITSTATUS(exit_status));
	frame_add_number(frame, "virtual_ns", exit_virtual_ns);
	frame_add_number(frame, "stdout", streams_stdout_bytes());
	frame_add_number(frame, "stderr", streams_stderr_bytes());
	frame_add(frame, "ended_by", ended_by_for ? "for" : "itself");
	control_send();
}

void session_check(void)
{
	if (exited && state == STATE_STARTING)
		check_start(&start_result);
	if (exited && state == STATE_RUNNING) {
		state = STATE_DRAINING;
		real_timer_disarm(&killer);
		streams_command_ended();
	}
	if (state == STATE_DRAINING && streams_drained()) {
		state = STATE_ENDED;
		tell_exited();
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of the command: from START to EXITED. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "control.h"
#include "mounts.h"
#include "net.h"
#include "run.h"
#include "streams.h"
#include "system.h"

#define SETTLE_POLL_NS (5 * NS_PER_MS)
#define SETTLE_POLLS 600
#define KILL_AFTER_NS (10 * NS_PER_S)

enum state {
	STATE_IDLE,      /* before START, and after FAILED */
	STATE_BOOTING,   /* the root's system is on its way up */
	STATE_PREPARING, /* forked; loading, or the clocksource is not settled */
	STATE_RUNNING,
	STATE_DRAINING,  /* ended; its output is still on the way */
	STATE_ENDED,
};

static enum state state;
static struct job job;
static pid_t command;
static struct watch start_result;
static bool loaded;  /* at its first instruction, and held there */
static bool settled;
static bool exited;
static int exit_status;
static uint64_t early_signals; /* bit N - 1: signal N came before it ran */
static uint64_t exit_virtual_ns;
static bool ended_by_for;
static struct real_timer settle, killer;
static struct watch for_timer;
static const struct system_report *system_report; /* NULL: the agent is all there is */

const struct job *run_job(void)
{
	return &job;
}

void run_fail(unsigned int status, const char *format, ...)
{
	struct buffer *frame = control_begin(FRAME_FAILED);
	char message[4352];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	frame_add_number(frame, "status", status);
	frame_add(frame, "message", message);
	control_send();
	state = STATE_IDLE;
}

static void kill_command(void)
{
	if (state == STATE_RUNNING)
		kill(-command, SIGKILL);
}

static void handle_for(struct watch *watch)
{
	uint64_t times;

	if (read(watch->fd, &times, sizeof(times)) != sizeof(times) ||
	    state != STATE_RUNNING)
		return;
	ended_by_for = true;
	kill(-command, SIGTERM);
	real_timer_arm(&killer, KILL_AFTER_NS, kill_command);
}

bool run_signal(int number)
{
	if (state == STATE_BOOTING || state == STATE_PREPARING)
		early_signals |= 1ull << (number - 1);
	else if (state == STATE_RUNNING)
		kill(-command, number);
	else
		return false;
	return true;
}

static bool accelerate(void)
{
	clock_watch_ratio();
	if (clock_set_ratio(job.ratio) == 0 || !strcmp(job.ratio, "1"))
		return true;
	if (errno == ENOENT)
		run_fail(125, "this kernel cannot accelerate: it has no kernel.accel");
	else
		run_fail(125, "the kernel refuses the ratio %.30s: %s", job.ratio,
			 strerror(errno));
	return false;
}

static bool set_date(void)
{
	if (!job.has_realtime || clock_set_realtime(job.realtime_ns) == 0)
		return true;
	run_fail(125, "Linux does not let its clock start at that date: %s "
		 "(1970 plus the time since boot is the earliest)", strerror(errno));
	return false;
}

/*
 * The date comes after the ratio: to set the ratio takes milliseconds, and
 * they are seconds afterwards. A system has got it before it booted.
 */
static bool set_clocks(void)
{
	return accelerate() && (job.init || set_date());
}

static void tell_started(uint64_t start_ns)
{
	struct buffer *frame = control_begin(FRAME_STARTED);

	frame_add_number(frame, "pid", command);
	frame_add_number(frame, "virtual_ns", start_ns);
	frame_add_number(frame, "ratio", clock_ratio());
	frame_add_number(frame, "realtime_ns", clock_realtime_ns());
	if (system_report) {
		frame_add(frame, "system", system_report->state);
		for (int i = 0; system_report->failed[i]; i++)
			frame_add(frame, "failed", system_report->failed[i]);
	}
	control_send();
}

/* Set the clocks and let the command go. */
static void release(void)
{
	uint64_t start_ns;

	if (!set_clocks()) {
		kill(command, SIGKILL);
		return;
	}
	state = STATE_RUNNING;
	for (int number = 1; number < NSIG; number++)
		if (early_signals & 1ull << (number - 1))
			kill(-command, number);
	start_ns = clock_virtual_ns();
	command_release(command);
	if (job.for_ns)
		virtual_timer_arm(&for_timer, start_ns, job.for_ns, handle_for);
	tell_started(start_ns);
}

/*
 * The kernel ends its calibration of the TSC by comparing it with another
 * clock, which must happen in real time; that may take a second after boot.
 */
static void wait_settled(void)
{
	static int polls;

	settled = clock_settled() || polls++ >= SETTLE_POLLS;
	if (!settled)
		real_timer_arm(&settle, SETTLE_POLL_NS, wait_settled);
}

static void check_loading(struct watch *watch)
{
	char message[4352];
	int status = command_result(&job, watch->fd, message, sizeof(message));

	if (status < 0)
		return;
	loop_remove(watch);
	close(watch->fd);
	watch->fd = -1;
	if (status > 0 && state == STATE_PREPARING)
		run_fail(status, "%s", message);
}

static const char *prepare(const struct frame *start)
{
	const char *problem = job_read(&job, start);

	if (!problem && job.hostname && sethostname(job.hostname, strlen(job.hostname)) < 0)
		problem = "the host name is too long";
	if (!problem)
		problem = command_open(&job);
	if (!problem)
		problem = mounts_root(&job);
	if (!problem)
		problem = net_loopback();
	if (!problem && job.net_user)
		problem = net_user();
	return problem;
}

/* Load the command, with all that belongs to it alone. */
static void load_command(void)
{
	const char *problem = mounts_shares(&job);
	int ends[3];

	if (problem) {
		run_fail(125, "%s", problem);
		return;
	}
	if (streams_start(ends, job.uid, job.gid) < 0) {
		run_fail(125, "cannot make pipes: %s", strerror(errno));
		return;
	}
	command = command_fork(&job, ends, &start_result.fd);
	if (command < 0) {
		run_fail(125, "cannot fork: %s", strerror(errno));
		return;
	}
	state = STATE_PREPARING;
	start_result.handle = check_loading;
	loop_add(&start_result);
	wait_settled();
}

static void system_came_up(const struct system_report *report)
{
	system_report = report;
	if (report->problem)
		run_fail(125, "%s", report->problem);
	else
		load_command();
}

static void boot_system(void)
{
	const char *problem;

	if (!set_date())
		return;
	problem = system_start(&job, system_came_up);
	if (problem)
		run_fail(125, "%s", problem);
	else
		state = STATE_BOOTING;
}

void run_start(const struct frame *start)
{
	static bool once;
	const char *problem;

	if (once) {
		control_error("START came twice");
		return;
	}
	once = true;
	problem = prepare(start);
	if (problem)
		run_fail(125, "%s", problem);
	else if (job.init)
		boot_system();
	else
		load_command();
}

void run_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command || exited)
			continue;
		if (WIFSTOPPED(status)) {
			loaded = true;
			continue;
		}
		exit_virtual_ns = clock_virtual_ns();
		exited = true;
		exit_status = status;
	}
}

static const char *ended_by(void)
{
	if (ended_by_for)
		return "for";
	return job.init && system_ends() ? "shutdown" : "itself";
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
	frame_add(frame, "ended_by", ended_by());
	control_send();
}

void run_check(void)
{
	if (state == STATE_PREPARING && exited) {
		if (start_result.fd >= 0)
			check_loading(&start_result);
		if (state == STATE_PREPARING)
			run_fail(125, "the command's process was killed before it started");
	}
	if (state == STATE_PREPARING && loaded && settled)
		release();
	if (state == STATE_RUNNING && exited) {
		state = STATE_DRAINING;
		real_timer_disarm(&killer);
		streams_command_ended();
	}
	if (state == STATE_DRAINING && streams_drained()) {
		state = STATE_ENDED;
		tell_exited();
	}
}

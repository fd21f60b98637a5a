// SPDX-License-Identifier: GPL-2.0-or-later
/* One run of a job: its process, its output, its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobs_inside.h"
#include "moment.h"
#include "out.h"
#include "readers.h"
#include "spawn.h"
#include "text.h"

#define KILL_AFTER_NS (10 * NS_PER_S)

bool job_runs(const struct job *job)
{
	return job->child.pid != 0;
}

void job_tell(const struct job *job, int64_t run, const char *state)
{
	out_begin(REPORT_JOB);
	out_text("name", job->name);
	out_number("run", run);
	out_text("state", state);
}

static void tell_failed(const struct job *job, const char *message)
{
	job_tell(job, job->run, "failed_to_start");
	out_text("message", message);
	out_end();
}

/* How starting went; with the end of the process, at the latest, that is known. */
static void check_start(struct job *job)
{
	char message[600];
	int result = spawn_result(job->start.fd, message, sizeof(message));

	if (result < 0)
		return;
	events_close(&job->start);
	job->starting = false;
	job->failed = result;
	if (result) {
		tell_failed(job, message);
		return;
	}
	job_tell(job, job->run, "started");
	out_number("pid", job->child.pid);
	out_end();
}

static void handle_start(struct watch *watch)
{
	check_start(container_of(watch, struct job, start));
}

static void handle_killer(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, killer);

	members_signal(&job->members, SIGKILL);
}

void job_kill(struct job *job)
{
	members_signal(&job->members, job->stop_signal);
	timer_real(&job->killer, KILL_AFTER_NS, handle_killer);
}

static void handle_timeout(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, timeout);

	job->timed_out = true;
	job_tell(job, job->run, "timeout");
	out_end();
	job_kill(job);
}

static void tell_ended(const struct job *job, int status)
{
	job_tell(job, job->run, "ended");
	if (WIFSIGNALED(status))
		out_number("signal", WTERMSIG(status));
	else
		out_number("status", WEXITSTATUS(status));
	out_number("runtime_ns", moment_boottime_ns() - job->begin_ns);
	if (job->stopped)
		out_number("stopped", 1);
	out_end();
}

static void handle_end(struct child *child, int status)
{
	struct job *job = container_of(child, struct job, child);
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (job->starting)
		check_start(job);
	timer_off(&job->timeout);
	timer_off(&job->killer);
	job->members.main = 0;
	readers_drain(&job->sink);
	sink_flush(&job->sink);
	if (!job->failed)
		tell_ended(job, status);
	if (job->timed_out)
		members_signal(&job->members, SIGKILL);
	job_ran(job, well && !job->failed && !job->timed_out);
}

static void add_variable(struct strings *list, const char *name, const char *value)
{
	char *text = need_memory(NULL, strlen(name) + strlen(value) + 2);

	sprintf(text, "%s=%s", name, value);
	strings_add(list, text);
	free(text);
}

/* What the plan says comes last, and so counts where a name is there twice. */
static void make_environment(const struct job *job, const struct user *user,
			     struct strings *list)
{
	static const char path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *defaults[][2] = {
		{ "PATH", path }, { "HOME", user->home }, { "LANG", "C.UTF-8" },
		{ "USER", user->name }, { "LOGNAME", user->name },
		{ MEMBERS_VARIABLE, job->name },
	};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		size_t length = strlen(defaults[i][0]);
		bool given = false;

		for (size_t j = 0; j < job->env.count; j++)
			given |= !strncmp(job->env.list[j], defaults[i][0], length) &&
				 job->env.list[j][length] == '=';
		if (!given)
			add_variable(list, defaults[i][0], defaults[i][1]);
	}
	for (size_t j = 0; j < job->env.count; j++)
		strings_add(list, job->env.list[j]);
}

static void strings_free(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->list[i]);
	free(strings->list);
}

/* Returns NULL, or what is wrong. */
static const char *start_program(struct job *job)
{
	static char wrong[160];
	struct strings environment = { 0 };
	struct user user;
	int out[2], err[2], result;
	const char *problem = user_find(&user, job->user ? job->user : "root");
	struct spawn what = {
		.arguments = job->arg.list,
		.directory = job->directory ? job->directory : "/",
		.user = &user,
		.group = job->members.procs,
	};
	pid_t pid;

	if (problem)
		return problem;
	if (spawn_pipe(out) < 0)
		goto failed;
	if (spawn_pipe(err) < 0) {
		close(out[0]);
		close(out[1]);
		goto failed;
	}
	make_environment(job, &user, &environment);
	what.environment = environment.list;
	what.out = out[1];
	what.err = err[1];
	job->begin_ns = moment_boottime_ns();
	pid = spawn(&what, &result);
	strings_free(&environment);
	close(out[1]);
	close(err[1]);
	if (pid < 0) {
		close(out[0]);
		close(err[0]);
		goto failed;
	}
	readers_add(&job->sink, STREAM_OUT, out[0]);
	readers_add(&job->sink, STREAM_ERR, err[0]);
	children_add(&job->child, pid, handle_end);
	job->start = (struct watch){ .fd = result, .events = EPOLLIN, .handle = handle_start };
	events_add(&job->start);
	return NULL;
failed:
	snprintf(wrong, sizeof(wrong), "cannot start a process: %s", strerror(errno));
	return wrong;
}

void job_start(struct job *job, int64_t run)
{
	const char *problem;

	job->run = run;
	job->failed = job->timed_out = job->stopped = false;
	problem = start_program(job);
	if (problem) {
		tell_failed(job, problem);
		job_ran(job, false);
		return;
	}
	job->starting = true;
	job->members.main = job->members.session = job->child.pid;
	if (job->timeout_ns)
		timer_at(&job->timeout, moment_add(job->begin_ns, job->timeout_ns),
			 handle_timeout);
}

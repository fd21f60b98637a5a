// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that are run for what they print. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ask.h"
#include "readers.h"
#include "spawn.h"

#define TEXT_MAX (64u << 10)
#define READS_MAX 100

/* Returns whether there may be more. */
static bool read_some(struct ask *ask)
{
	char rest[4096];
	ssize_t size = read(ask->out.fd, rest, sizeof(rest));

	if (size > 0 && ask->text.size + size < TEXT_MAX)
		buffer_add(&ask->text, rest, size);
	if (size == 0)
		events_close(&ask->out);
	return size > 0;
}

static void handle_out(struct watch *watch)
{
	read_some(container_of(watch, struct ask, out));
}

static void handle_limit(struct timer *timer)
{
	struct ask *ask = container_of(timer, struct ask, limit);

	ask->timed_out = true;
	kill(-ask->child.pid, SIGKILL);
	kill(ask->child.pid, SIGKILL);
}

static void handle_end(struct child *child, int status)
{
	struct ask *ask = container_of(child, struct ask, child);

	timer_off(&ask->limit);
	/* Whoever it left behind may keep the pipe open: what is there now counts. */
	for (int i = 0; i < READS_MAX && ask->out.fd >= 0 && read_some(ask); i++)
		;
	events_close(&ask->out);
	buffer_add(&ask->text, "", 1);
	if (ask->answered)
		ask->answered(ask, status);
	free(ask->text.data);
	ask->text = (struct buffer){ 0 };
}

static void begin(struct ask *ask, pid_t pid, int out, int64_t limit_real_ns,
		  void (*answered)(struct ask *ask, int status))
{
	ask->answered = answered;
	ask->timed_out = false;
	ask->out = (struct watch){ .fd = out, .events = EPOLLIN, .handle = handle_out };
	events_add(&ask->out);
	children_add(&ask->child, pid, handle_end);
	timer_real(&ask->limit, limit_real_ns, handle_limit);
}

int ask_program(struct ask *ask, char *const arguments[], struct sink *complaints,
		int64_t limit_real_ns, void (*answered)(struct ask *ask, int status))
{
	struct spawn what = { .arguments = arguments, .directory = "/" };
	int out[2], err[2], result;
	pid_t pid;

	if (spawn_pipe(out) < 0)
		return -1;
	if (spawn_pipe(err) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	what.out = out[1];
	what.err = err[1];
	pid = spawn(&what, &result);
	close(out[1]);
	close(err[1]);
	if (pid < 0) {
		close(out[0]);
		close(err[0]);
		return -1;
	}
	/* A program that is not there ends with status 127, as in a shell. */
	close(result);
	readers_add(complaints, STREAM_ERR, err[0]);
	begin(ask, pid, out[0], limit_real_ns, answered);
	return 0;
}

int ask_function(struct ask *ask, void (*work)(struct ask *ask, int fd),
		 int64_t limit_real_ns, void (*answered)(struct ask *ask, int status))
{
	int out[2];
	pid_t pid;

	if (spawn_pipe(out) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		child_begin_helper("cond-files");
		work(ask, out[1]);
		_exit(0);
	}
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return -1;
	}
	begin(ask, pid, out[0], limit_real_ns, answered);
	return 0;
}

bool ask_runs(const struct ask *ask)
{
	return ask->child.pid != 0;
}

void ask_stop(struct ask *ask)
{
	ask->answered = NULL;
	if (!ask_runs(ask))
		return;
	kill(-ask->child.pid, SIGKILL);
	kill(ask->child.pid, SIGKILL);
}

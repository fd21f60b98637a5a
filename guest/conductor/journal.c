// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal, by the program that can read it. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "journal.h"
#include "moment.h"
#include "out.h"
#include "ratio.h"
#include "readers.h"
#include "spawn.h"

#define AGAIN_NS NS_PER_MINUTE
#define AGAIN_REAL_NS NS_PER_S

static void run(struct journal *journal);

static void tell(struct journal *journal, const char *message)
{
	if (!journal->told)
		out_error("the log %s: %s", journal->sink->name, message);
	journal->told = 1;
}

static void handle_again(struct timer *timer)
{
	run(container_of(timer, struct journal, again));
}

static void try_again(struct journal *journal)
{
	int64_t wait = AGAIN_REAL_NS * ratio_now();

	if (journal->stopped)
		return;
	timer_at(&journal->again,
		 moment_boottime_ns() + (wait > AGAIN_NS ? wait : AGAIN_NS), handle_again);
}

static void check_start(struct journal *journal)
{
	char message[600];
	int result = spawn_result(journal->start.fd, message, sizeof(message));

	if (result < 0)
		return;
	events_close(&journal->start);
	if (result)
		tell(journal, message);
}

static void handle_start(struct watch *watch)
{
	check_start(container_of(watch, struct journal, start));
}

static void handle_end(struct child *child, int status)
{
	struct journal *journal = container_of(child, struct journal, child);

	(void)status;
	if (journal->start.fd >= 0)
		check_start(journal);
	readers_drain(journal->sink);
	try_again(journal);
}

static void run(struct journal *journal)
{
	static char *const arguments[] = {
		"journalctl", "--follow", "--lines=0", "--output=short-unix", "--no-pager", NULL,
	};
	struct spawn what = { .arguments = arguments };
	int ends[2], result;
	pid_t pid = -1;

	if (spawn_pipe(ends) == 0) {
		what.out = what.err = ends[1];
		pid = spawn(&what, &result);
		close(ends[1]);
		if (pid < 0)
			close(ends[0]);
	}
	if (pid < 0) {
		tell(journal, strerror(errno));
		try_again(journal);
		return;
	}
	readers_add(journal->sink, STREAM_LINE, ends[0]);
	children_add(&journal->child, pid, handle_end);
	journal->start =
		(struct watch){ .fd = result, .events = EPOLLIN, .handle = handle_start };
	events_add(&journal->start);
}

void journal_start(struct journal *journal, struct sink *sink)
{
	journal->sink = sink;
	run(journal);
}

void journal_stop(struct journal *journal)
{
	journal->stopped = 1;
	timer_off(&journal->again);
	if (!journal->sink)
		return;
	readers_drain(journal->sink);
	if (journal->child.pid)
		kill(journal->child.pid, SIGTERM);
}

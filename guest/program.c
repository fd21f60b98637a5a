// SPDX-License-Identifier: GPL-2.0-or-later
/* Run a program of the root for what it prints. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "process.h"
#include "program.h"

static struct watch output;
static char text[16384];
static size_t size;
static bool runs;
static void (*on_end)(char *text);

static void child(const char *const arguments[], int standard_output)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", NULL,
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(standard_output, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	process_default_signals();
	execvpe(arguments[0], (char *const *)arguments, (char *const *)environment);
	_exit(127);
}

static void handle_output(struct watch *watch)
{
	char rest[4096];
	ssize_t got;

	do {
		size_t room = sizeof(text) - 1 - size;

		got = room ? read(watch->fd, text + size, room) :
			     read(watch->fd, rest, sizeof(rest));
		if (got > 0 && room)
			size += got;
	} while (got > 0);
	if (got < 0)
		return; /* EAGAIN: there is more to come */
	loop_remove(watch);
	close(watch->fd);
	text[size] = '\0';
	runs = false;
	on_end(text);
}

void program_ask(const char *const arguments[], void (*ended)(char *text))
{
	int ends[2];
	pid_t pid;

	on_end = ended;
	size = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		fatal("cannot make a pipe for %s: %s", arguments[0], strerror(errno));
	pid = fork();
	if (pid < 0)
		fatal("cannot fork for %s: %s", arguments[0], strerror(errno));
	if (pid == 0)
		child(arguments, ends[1]);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	runs = true;
	output = (struct watch){ .fd = ends[0], .handle = handle_output };
	loop_add(&output);
}

bool program_runs(void)
{
	return runs;
}

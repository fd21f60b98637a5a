// SPDX-License-Identifier: GPL-2.0-or-later
/* From the conductor's process to another program. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "children.h"
#include "spawn.h"
#include "text.h"

extern char **environ;

static void fail(int result, const char *what, const char *name) __attribute__((noreturn));

static void fail(int result, const char *what, const char *name)
{
	char message[512];
	int error = errno;
	int size = snprintf(message, sizeof(message), "%s %.200s: %s", what, name,
			    strerror(error));

	if (write(result, message, size) < 0)
		_exit(125);
	_exit(error == ENOENT ? 127 : 126);
}

static void child(const struct spawn *what, int result)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	child_begin();
	setsid();
	prctl(PR_SET_NAME, "starting");
	umask(022);
	if (what->group)
		text_write(what->group, "0");
	dup2(null, STDIN_FILENO);
	dup2(what->out, STDOUT_FILENO);
	dup2(what->err, STDERR_FILENO);
	if (what->user && user_become(what->user) < 0)
		fail(result, "cannot become user", what->user->name);
	if (what->directory && chdir(what->directory) < 0)
		fail(result, "cannot enter the directory", what->directory);
	if (what->environment)
		environ = (char **)what->environment;
	execvp(what->arguments[0], what->arguments);
	fail(result, "cannot run", what->arguments[0]);
}

pid_t spawn(const struct spawn *what, int *result)
{
	int ends[2];
	pid_t pid;

	if (spawn_pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		child(what, ends[1]);
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*result = ends[0];
	return pid;
}

int spawn_result(int result, char *message, size_t room)
{
	ssize_t size = read(result, message, room - 1);

	if (size < 0)
		return -1;
	message[size] = '\0';
	return size > 0;
}

int spawn_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

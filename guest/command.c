// SPDX-License-Identifier: GPL-2.0-or-later
/* From the agent's process to the command's. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"
#include "process.h"
#include "system.h"

enum step { STEP_CREDENTIALS, STEP_DIRECTORY, STEP_EXEC };

/* How far a command came that could not be started; goes through a pipe. */
struct failure {
	enum step step;
	int error;
};

extern char **environ;

static int own_program = -1;

const char *command_open(const struct job *job)
{
	static char wrong[256];
	char path[128];

	if (!job->program)
		return NULL;
	snprintf(path, sizeof(path), "/%s", job->program);
	own_program = open(path, O_PATH | O_CLOEXEC);
	if (own_program >= 0)
		return NULL;
	snprintf(wrong, sizeof(wrong), "the guest's image has no program %.60s: %s",
		 job->program, strerror(errno));
	return wrong;
}

static void become(const struct job *job)
{
	if (job->program)
		syscall(SYS_execveat, own_program, "", job->args.list, environ, AT_EMPTY_PATH);
	else
		execvp(job->args.list[0], job->args.list);
}

static int take_credentials(const struct job *job)
{
	if (setgroups(job->group_count, job->groups) < 0 ||
	    setresgid(job->gid, job->gid, job->gid) < 0)
		return -1;
	return setresuid(job->uid, job->uid, job->uid);
}

static void child(const struct job *job, const int streams[3], int result)
{
	/* What a login gives; process 1 has 4096 at most, too few for some. */
	static const struct rlimit files = { 1024, 1 << 20 };
	struct failure failure = { .step = STEP_CREDENTIALS };

	setsid();
	if (job->init)
		system_place_command();
	setrlimit(RLIMIT_NOFILE, &files);
	umask(job->umask);
	for (int i = 0; i < 3; i++)
		dup2(streams[i], i);
	/*
	 * A traced process stops as soon as it has become another program. While
	 * it is still root, or a set-user-ID program would get no other user.
	 */
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || take_credentials(job) < 0)
		goto failed;
	failure.step = STEP_DIRECTORY;
	if (chdir(job->cwd) < 0)
		goto failed;
	failure.step = STEP_EXEC;
	environ = job->env.list;
	process_default_signals();
	become(job);
failed:
	failure.error = errno;
	if (write(result, &failure, sizeof(failure)) < 0)
		_exit(125);
	_exit(125);
}

/* Descriptors 0 to 2 of the agent are open, so none of `streams` is one. */
pid_t command_fork(const struct job *job, const int streams[3], int *result)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		child(job, streams, ends[1]);
	close(ends[1]);
	for (int i = 0; i < 3; i++)
		close(streams[i]);
	*result = ends[0];
	return pid;
}

void command_release(pid_t command)
{
	ptrace(PTRACE_DETACH, command, NULL, NULL);
}

int command_result(const struct job *job, int result, char *message, size_t room)
{
	struct failure failure;

	ssize_t size = read(result, &failure, sizeof(failure));

	if (size < 0)
		return -1;
	if (size != sizeof(failure))
		return 0;
	switch (failure.step) {
	case STEP_CREDENTIALS:
		snprintf(message, room, "cannot become user %u: %s", job->uid,
			 strerror(failure.error));
		return 125;
	case STEP_DIRECTORY:
		snprintf(message, room, "cannot enter the working directory %s: %s",
			 job->cwd, strerror(failure.error));
		return 125;
	default:
		snprintf(message, room, "cannot run %s: %s",
			 job->program ? job->program : job->args.list[0], strerror(failure.error));
		return failure.error == ENOENT ? 127 : 126;
	}
}

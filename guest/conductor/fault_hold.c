// SPDX-License-Identifier: GPL-2.0-or-later
/* Faults that last, each held by a process that mends it in the end. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults_inside.h"
#include "moment.h"
#include "spawn.h"

#define KILL_AFTER_NS (10 * NS_PER_S)

static void handle_killer(struct timer *timer)
{
	struct fault *fault = container_of(timer, struct fault, killer);

	kill(fault->child.pid, SIGKILL);
}

static void mend(struct fault *fault)
{
	if (!fault->child.pid || fault->mending)
		return;
	fault->mending = true;
	timer_off(&fault->end);
	kill(fault->child.pid, SIGTERM);
	timer_real(&fault->killer, KILL_AFTER_NS, handle_killer);
}

void fault_mend(struct fault *fault)
{
	mend(fault);
	fault_leap_second_end(fault);
}

static void handle_end_of_duration(struct timer *timer)
{
	mend(container_of(timer, struct fault, end));
}

static void take_told(struct fault *fault)
{
	char message[512];
	ssize_t size = read(fault->told.fd, message, sizeof(message) - 1);

	if (size < 0)
		return;
	if (size == 0) {
		events_close(&fault->told);
		return;
	}
	message[size] = '\0';
	fault->begun = message[0] == '+';
	if (!fault->begun) {
		fault_tell(fault, FAULT_FAILED, message);
		fault->mending = true; /* nothing to say at its end */
		return;
	}
	fault_tell(fault, FAULT_BEGUN, message[1] ? message + 1 : NULL);
	if (!fault->mending)
		timer_at(&fault->end, moment_add(moment_boottime_ns(), fault->duration_ns),
			 handle_end_of_duration);
}

static void handle_told(struct watch *watch)
{
	take_told(container_of(watch, struct fault, told));
}

static void handle_gone(struct child *child, int status)
{
	struct fault *fault = container_of(child, struct fault, child);
	char message[80];

	for (int i = 0; i < 2 && fault->told.fd >= 0; i++)
		take_told(fault);
	events_close(&fault->told);
	timer_off(&fault->end);
	timer_off(&fault->killer);
	snprintf(message, sizeof(message), "what held it was ended by signal %d",
		 WTERMSIG(status));
	if (WIFSIGNALED(status) && !(fault->mending && WTERMSIG(status) == SIGTERM))
		fault_tell(fault, FAULT_FAILED, message);
	else if (fault->begun)
		fault_tell(fault, FAULT_ENDED, NULL);
	faults_look();
}

void fault_hold(struct fault *fault, void (*work)(const struct fault *fault, int told))
{
	int ends[2];
	pid_t pid = -1;

	fault->begun = fault->mending = false;
	if (spawn_pipe(ends) == 0)
		pid = fork();
	if (pid == 0) {
		sigset_t terminate;

		child_begin_helper("cond-fault");
		sigemptyset(&terminate);
		sigaddset(&terminate, SIGTERM);
		sigprocmask(SIG_BLOCK, &terminate, NULL);
		work(fault, ends[1]);
		_exit(0);
	}
	if (pid < 0) {
		fault_tell(fault, FAULT_FAILED, strerror(errno));
		return;
	}
	close(ends[1]);
	children_add(&fault->child, pid, handle_gone);
	fault->told = (struct watch){ .fd = ends[0], .events = EPOLLIN, .handle = handle_told };
	events_add(&fault->told);
}

void hold_begun(int told, const char *message)
{
	if (dprintf(told, "+%s", message) < 0)
		return;
}

void hold_failed(int told, const char *format, ...)
{
	char message[400];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (size >= (int)sizeof(message))
		size = sizeof(message) - 1;
	if (write(told, message, size) < 0)
		_exit(1);
	_exit(0);
}

bool hold_wait(int64_t virtual_ns)
{
	struct timespec limit = {
		.tv_sec = virtual_ns / NS_PER_S, .tv_nsec = virtual_ns % NS_PER_S,
	};
	sigset_t terminate;

	sigemptyset(&terminate);
	sigaddset(&terminate, SIGTERM);
	return sigtimedwait(&terminate, NULL, &limit) == SIGTERM;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent as a process: its rank, its signals, and how it ceases to be process 1. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "power.h"
#include "process.h"
#include "run.h"
#include "text.h"

static char **arguments;
static struct watch signals;

/*
 * Ahead of everything that the command may do to the CPUs, or a guest under
 * load would look like a dead one. Children start as ordinary processes.
 */
static void take_priority(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) < 0)
		console("cannot raise the priority: %s", strerror(errno));
}

static void handle_signals(struct watch *watch)
{
	struct signalfd_siginfo info[16];

	while (read(watch->fd, info, sizeof(info)) > 0)
		;
	run_reap();
}

static void watch_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	signals.handle = handle_signals;
	signals.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.fd < 0)
		fatal("signalfd: %s", strerror(errno));
	loop_add(&signals);
}

void process_begin(char **argv)
{
	sigset_t mask;

	arguments = argv;
	take_priority();
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	watch_signals();
}

void process_default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Process 1 becomes the system's. Of the kernel's command line it gets what the
 * kernel would have given it.
 */
static void become_init(const char *init, int result) __attribute__((noreturn));

static void become_init(const char *init, int result)
{
	struct sched_param param = { 0 };
	sigset_t all;
	int error;

	sched_setscheduler(0, SCHED_OTHER, &param);
	process_default_signals();
	arguments[0] = (char *)init;
	execv(init, arguments);
	error = errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* The agent tells the host; without process 1 there would be no guest. */
	if (write(result, &error, sizeof(error)) < 0)
		power_off();
	while (wait(NULL) > 0)
		;
	power_off();
}

/*
 * A child of process 1 that neither the shutdown of a system nor the
 * out-of-memory killer may end. systemd spares whose first argument starts with
 * '@': https://systemd.io/ROOT_STORAGE_DAEMONS
 */
static void become_child(void)
{
	arguments[0][0] = '@';
	prctl(PR_SET_NAME, "dynaccel");
	setsid();
	text_write("/proc/self/oom_score_adj", "-1000");
	take_priority();
	/* The event loop hears of the signals of the process that asked: process 1. */
	loop_remove(&signals);
	close(signals.fd);
	watch_signals();
}

const char *process_hand_over(const char *init)
{
	static char wrong[4352];
	int ends[2], error = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return "cannot make a pipe for process 1";
	pid = fork();
	if (pid < 0)
		return "cannot fork from process 1";
	if (pid > 0)
		become_init(init, ends[1]);
	become_child();
	close(ends[1]);
	if (read(ends[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(ends[0]);
	if (!error)
		return NULL;
	snprintf(wrong, sizeof(wrong), "the root's system cannot be booted: cannot run %s: %s",
		 init, strerror(error));
	return wrong;
}

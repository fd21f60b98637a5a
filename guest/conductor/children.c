// SPDX-License-Identifier: GPL-2.0-or-later
/* Signals, and processes that are waited for. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "events.h"
#include "log.h"
#include "text.h"

/* Files of /proc stay open between samples. */
#define FILES 16384
/* Ahead of what the guest runs, so that times are kept; little is done. */
#define NICE (-10)

static struct child *children;
static struct watch signals;
static struct rlimit inherited_files;
static int inherited_nice;
static void (*on_asked_to_end)(void);
static void (*on_reaped)(void);

void children_add(struct child *child, pid_t pid,
		  void (*ended)(struct child *child, int status))
{
	child->pid = pid;
	child->ended = ended;
	child->next = children;
	children = child;
}

static void tell_ended(pid_t pid, int status)
{
	for (struct child **at = &children; *at; at = &(*at)->next) {
		struct child *child = *at;

		if (child->pid != pid)
			continue;
		*at = child->next;
		child->pid = 0;
		child->ended(child, status);
		return;
	}
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		tell_ended(pid, status);
	on_reaped();
}

static void handle_signals(struct watch *watch)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			ended = true;
		else
			on_asked_to_end();
	}
	if (ended)
		reap();
}

static void take_rank(void)
{
	struct rlimit files;

	errno = 0;
	inherited_nice = getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_PROCESS, 0, NICE);
	getrlimit(RLIMIT_NOFILE, &inherited_files);
	files = inherited_files;
	if (files.rlim_cur < FILES)
		files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
	setrlimit(RLIMIT_NOFILE, &files);
	text_write("/proc/self/oom_score_adj", "-1000");
}

void children_open(void (*asked_to_end)(void), void (*reaped)(void))
{
	sigset_t mask;

	on_asked_to_end = asked_to_end;
	on_reaped = reaped;
	take_rank();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.fd < 0)
		fatal("signalfd: %s", strerror(errno));
	signals.events = EPOLLIN;
	signals.handle = handle_signals;
	events_add(&signals);
}

static void leave_rank(void)
{
	setpriority(PRIO_PROCESS, 0, inherited_nice);
	setrlimit(RLIMIT_NOFILE, &inherited_files);
	text_write("/proc/self/oom_score_adj", "0");
}

void child_begin(void)
{
	sigset_t none;

	leave_rank();
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_begin_helper(const char *name)
{
	pid_t parent = getppid();

	child_begin();
	setsid();
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It may have ended before it could be told to us. */
	if (getppid() != parent)
		_exit(1);
}

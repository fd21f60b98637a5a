// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent: process 1 of a dynaccel guest. It runs one command in the root
 * that the host names, passes its streams on, and reports how it ended. What
 * it says to the host is in docs/protocol.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "modules.h"
#include "mounts.h"
#include "run.h"
#include "session.h"
#include "streams.h"

/* The three standard descriptors must be taken, come what may. */
static void open_console(void)
{
	int fd = fcntl(STDERR_FILENO, F_GETFD);

	if (fd >= 0)
		return; /* the kernel has opened all three */
	fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < STDERR_FILENO)
		fd = dup(fd);
}

/*
 * Ahead of everything that the command may do to the CPUs, or a guest under
 * load would look like a dead one. Children start as ordinary processes.
 * Process 1 needs no protection from the out-of-memory killer.
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

static void take_signals(void)
{
	static struct watch watch = { .handle = handle_signals };
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	watch.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch.fd < 0)
		fatal("signalfd: %s", strerror(errno));
	loop_add(&watch);
}

int main(void)
{
	mounts_early();
	open_console();
	modules_load();
	take_priority();
	take_signals();
	session_open();
	for (;;) {
		int busy = streams_pump();

		loop_turn(!busy);
		run_check();
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent: process 1 of a dynaccel guest, or its child when the guest boots a
 * system of its own. It runs one command in the root that the host names, passes
 * its streams on, and reports how it ended. What it says to the host is in
 * docs/protocol.md.
 */
#include <fcntl.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "modules.h"
#include "mounts.h"
#include "process.h"
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

int main(int count, char **arguments)
{
	(void)count;
	fatal_powers_off = getpid() == 1;
	mounts_early();
	open_console();
	modules_load();
	process_begin(arguments);
	session_open();
	for (;;) {
		int busy = streams_pump();

		loop_turn(!busy);
		run_check();
	}
}

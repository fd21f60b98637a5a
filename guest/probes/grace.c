// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grace ROUNDS: how long a grace period of RCU takes, by membarrier(2): who asks
 * for private barriers while another task shares its memory waits for one, when
 * it is the first time (kernel/sched/membarrier.c). The command GLOBAL waits for
 * one as well, but not where CPUs may be without a tick. Asked for is nothing:
 * what counts is that acceleration does not make it longer in real time.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "timed.h"

#define LIMIT_SEC 60

static void *share_memory(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* In a process of its own, for it is once in a process's life. */
static void time_one(void)
{
	struct moment start;
	pthread_t thread;

	limit_real(ratio_now(), LIMIT_SEC);
	must(!pthread_create(&thread, NULL, share_memory, NULL), "pthread_create");
	start = moment();
	must(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0),
	     "membarrier");
	report("grace", 0, start, moment());
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (int round = 0; round < atoi(argv[1]); round++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			time_one();
		must(child > 0 && waitpid(child, &status, 0) == child && !status,
		     "a process that waits for a grace period");
	}
	return 0;
}

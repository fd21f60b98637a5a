// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grace ROUNDS: how long a grace period of RCU takes, by membarrier(2), whose
 * command GLOBAL is one synchronize_rcu(). Asked for is nothing: what counts is
 * that acceleration does not make it longer in real time.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "timed.h"

#define LIMIT_SEC 60

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	limit_real(ratio_now(), LIMIT_SEC);
	for (int round = 0; round < atoi(argv[1]); round++) {
		struct moment start = moment();

		must(!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0),
		     "membarrier");
		report("grace", 0, start, moment());
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of the guest. */
#include <errno.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "power.h"

#define END_POLL_US 1000
#define END_POLLS 1000

void power_end_processes(void)
{
	if (kill(-1, SIGKILL) < 0)
		return; /* there is none */
	/* Those of a system are process 1's to wait for; it cannot be killed. */
	for (int i = 0; i < END_POLLS; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (errno == ECHILD)
			return;
		real_sleep_us(END_POLL_US);
	}
}

void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

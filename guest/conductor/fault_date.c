// SPDX-License-Identifier: GPL-2.0-or-later
/* The date: steps, and leap seconds. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "date.h"
#include "faults_inside.h"
#include "moment.h"

#define DAY_NS (24 * 60 * NS_PER_MINUTE)
/* It comes at midnight, by a tick of the kernel's; look a little later. */
#define LATER_NS (3 * NS_PER_S)

void fault_date_step(struct fault *fault)
{
	char message[160];

	if (date_step(fault->step_ns) < 0) {
		snprintf(message, sizeof(message), "the date cannot be stepped: %s",
			 strerror(errno));
		fault_tell(fault, FAULT_FAILED, message);
		return;
	}
	snprintf(message, sizeof(message), "REALTIME went by %" PRId64 " ns", fault->step_ns);
	fault_tell(fault, FAULT_BEGUN, message);
	fault_tell(fault, FAULT_ENDED, NULL);
}

/* Set or clear what the kernel shall do at midnight. */
static int set_leap(int flag)
{
	struct timex state = { 0 };

	if (date_is_not_ours) {
		errno = EPERM;
		return -1;
	}
	if (adjtimex(&state) < 0)
		return -1;
	state.modes = ADJ_STATUS;
	state.status = (state.status & ~(STA_INS | STA_DEL)) | flag;
	return adjtimex(&state) < 0 ? -1 : 0;
}

static void handle_midnight(struct timer *timer)
{
	struct fault *fault = container_of(timer, struct fault, end);
	int64_t went = date_offset_ns() - fault->due_offset_ns;
	int64_t wanted = fault->step_ns > 0 ? -NS_PER_S : NS_PER_S;
	char message[160];

	date_look();
	date_expect(0);
	set_leap(0);
	fault->begun = false;
	snprintf(message, sizeof(message), "REALTIME went by %+.3f s against BOOTTIME",
		 (double)went / NS_PER_S);
	/* Slewing, and the reading itself, add something. */
	if (went > wanted - NS_PER_S / 2 && went < wanted + NS_PER_S / 2)
		fault_tell(fault, FAULT_ENDED, message);
	else
		fault_tell(fault, FAULT_FAILED, message);
}

void fault_leap_second(struct fault *fault)
{
	int64_t midnight = (moment_realtime_ns() / DAY_NS + 1) * DAY_NS;
	char message[160];

	fault->due_offset_ns = date_offset_ns();
	if (set_leap(fault->step_ns > 0 ? STA_INS : STA_DEL) < 0) {
		snprintf(message, sizeof(message), "the kernel takes no leap second: %s",
			 strerror(errno));
		fault_tell(fault, FAULT_FAILED, message);
		return;
	}
	date_expect(fault->step_ns > 0 ? -NS_PER_S : NS_PER_S);
	fault->begun = true;
	fault_tell(fault, FAULT_BEGUN, "it comes at the next midnight");
	timer_date(&fault->end, midnight + LATER_NS, handle_midnight);
}

void fault_leap_second_end(struct fault *fault)
{
	if (!fault->begun || fault->end.kind != TIMER_DATE || !fault->end.armed)
		return;
	timer_off(&fault->end);
	set_leap(0);
	date_expect(0);
	fault->begun = false;
	fault_tell(fault, FAULT_FAILED, "the run ended before midnight");
}

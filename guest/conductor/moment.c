// SPDX-License-Identifier: GPL-2.0-or-later
/* What time it is. */
#include <time.h>

#include "moment.h"

#define SETUP_NS (60 * NS_PER_MINUTE)

static int64_t begin_ns;
static bool begun;

static int64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t moment_boottime_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

int64_t moment_realtime_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int64_t moment_virtual_ns(void)
{
	int64_t now = moment_boottime_ns();

	if (begun)
		return now - begin_ns;
	if (!begin_ns)
		begin_ns = now;
	now -= begin_ns + SETUP_NS;
	return now < 0 ? now : -1;
}

void moment_begin(void)
{
	begin_ns = moment_boottime_ns();
	begun = true;
}

bool moment_has_begun(void)
{
	return begun;
}

int64_t moment_add(int64_t ns, int64_t more_ns)
{
	int64_t sum;

	if (__builtin_add_overflow(ns, more_ns, &sum))
		return INT64_MAX;
	return sum;
}

int64_t moment_after_begin(int64_t virtual_ns)
{
	return moment_add(begin_ns, virtual_ns);
}

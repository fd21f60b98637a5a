// SPDX-License-Identifier: GPL-2.0-or-later
/* REALTIME, as far as it does not simply go on. */
#include <errno.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#include "date.h"
#include "moment.h"
#include "out.h"

/* A step of others that is worth a word: it may have been a slew over hours. */
#define JUMP_NS NS_PER_MINUTE
/* The offset is read while time goes on; below this it is the same. */
#define SAME_NS (NS_PER_S / 4)

bool date_is_not_ours;

static int64_t known_offset, known_boottime;
static bool known;
static int64_t expected;
static void (*on_step)(int64_t step_ns);

/* The offset, with how much it may be wrong. */
static int64_t read_offset(int64_t *doubt)
{
	int64_t offset = 0, best = INT64_MAX;

	/* At a high ratio a moment between two readings is long. */
	for (int i = 0; i < 5 && best > SAME_NS / 4; i++) {
		int64_t before = moment_boottime_ns();
		int64_t date = moment_realtime_ns();
		int64_t took = moment_boottime_ns() - before;

		if (took < best) {
			best = took;
			offset = date - before - took / 2;
		}
	}
	*doubt = best;
	return offset;
}

int64_t date_offset_ns(void)
{
	int64_t doubt;

	return read_offset(&doubt);
}

void date_tell_back(const char *clock, int64_t back_ns)
{
	out_begin(REPORT_CLOCK);
	out_text("clock", clock);
	out_number("back_ns", back_ns);
	out_end();
}

static bool is_expected(int64_t step, int64_t doubt)
{
	if (!expected || llabs(step - expected) > SAME_NS + doubt)
		return false;
	expected = 0;
	return true;
}

static void look(bool ours)
{
	int64_t doubt, offset = read_offset(&doubt);
	int64_t boottime = moment_boottime_ns();
	int64_t step = known ? offset - known_offset : 0;

	if (known && boottime < known_boottime)
		date_tell_back("boottime", known_boottime - boottime);
	known_boottime = boottime;
	if (known && llabs(step) <= SAME_NS + doubt) {
		/* Slow changes are taken along, an unsure reading is not. */
		if (doubt <= SAME_NS / 4)
			known_offset = offset;
		return;
	}
	known_offset = offset;
	if (!known) {
		known = true;
		return;
	}
	if (!ours && !is_expected(step, doubt) && (step < 0 || step > JUMP_NS))
		date_tell_back("realtime", -step);
	if (on_step)
		on_step(step);
}

void date_look(void)
{
	look(false);
}

int date_set(int64_t realtime_ns)
{
	struct timespec then = {
		.tv_sec = realtime_ns / NS_PER_S, .tv_nsec = realtime_ns % NS_PER_S,
	};

	if (date_is_not_ours) {
		errno = EPERM;
		return -1;
	}
	date_look();
	if (clock_settime(CLOCK_REALTIME, &then) < 0)
		return -1;
	look(true);
	return 0;
}

int date_step(int64_t step_ns)
{
	struct timex change = { .modes = ADJ_SETOFFSET | ADJ_NANO };

	if (date_is_not_ours) {
		errno = EPERM;
		return -1;
	}
	date_look();
	change.time.tv_sec = step_ns / NS_PER_S;
	change.time.tv_usec = step_ns % NS_PER_S;
	if (change.time.tv_usec < 0) {
		change.time.tv_sec--;
		change.time.tv_usec += NS_PER_S;
	}
	if (adjtimex(&change) < 0)
		return -1;
	look(true);
	return 0;
}

void date_expect(int64_t step_ns)
{
	expected = step_ns;
}

void date_on_step(void (*stepped)(int64_t step_ns))
{
	on_step = stepped;
}

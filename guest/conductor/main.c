// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conductor of a scenario: it runs phases, jobs, samples, logs and faults in
 * the guest, by the guest's own clocks, and tells the host what happens. What
 * the two say is in docs/conductor.md.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "children.h"
#include "course.h"
#include "date.h"
#include "events.h"
#include "host.h"
#include "jobs.h"
#include "logs.h"
#include "members.h"
#include "moment.h"
#include "out.h"
#include "ratio.h"
#include "readers.h"
#include "samples.h"
#include "timers.h"

#define TICK_NS NS_PER_S

static const char *ratio_file = "/proc/sys/kernel/accel";
static const char *groups;
static struct timer tick_timer;

static void read_options(int count, char **arguments)
{
	static const struct option options[] = {
		{ "ratio-file", required_argument, NULL, 'r' },
		{ "cgroups", required_argument, NULL, 'g' },
		{ "kmsg", required_argument, NULL, 'k' },
		{ "no-clock", no_argument, NULL, 'c' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(count, arguments, "", options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			ratio_file = optarg;
			break;
		case 'g':
			groups = optarg;
			break;
		case 'k':
			logs_kmsg_path = optarg;
			break;
		case 'c':
			date_is_not_ours = true;
			break;
		default:
			exit(2);
		}
	}
}

/* Once in a real second. */
static void tick(struct timer *timer)
{
	date_look();
	jobs_tell_skipped();
	if (!out_count() && !course_is_done()) {
		out_begin(REPORT_ALIVE);
		out_end();
		out_count();
	}
	timer_real(timer, TICK_NS, tick);
}

static void date_was_stepped(int64_t step_ns)
{
	sample_clocks_follow_date();
	jobs_follow_date(step_ns);
}

static void host_reads_again(void)
{
	readers_resume();
	logs_resume();
}

static void is_broken(void)
{
	static bool told;

	if (told || !out_is_broken())
		return;
	told = true;
	course_host_gone();
}

int main(int count, char **arguments)
{
	read_options(count, arguments);
	prctl(PR_SET_NAME, "conductor");
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	timers_open(date_look);
	ratio_open(ratio_file);
	children_open(course_end, jobs_look);
	members_open(groups);
	date_on_step(date_was_stepped);
	date_look();
	out_on_room(host_reads_again);
	host_open();
	timer_real(&tick_timer, TICK_NS, tick);
	while (!course_is_done() || !out_is_empty()) {
		/* Either may lead to more for the other. */
		while (out_flush() | timers_prepare())
			;
		is_broken();
		if (!course_is_done() || !out_is_empty())
			events_turn();
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Booting the root's own system, and seeing when it is up. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "process.h"
#include "program.h"
#include "system.h"
#include "text.h"

/* An abstract name ('@'), as sd_notify(3) has it: no file system is needed. */
#define NOTIFY_SOCKET "@org.dynaccel.system"
/* For systems that are too old to tell, and for other states than "up". */
#define LOOK_NS (3 * NS_PER_S)
/* What process 1 gets that is not systemd, and so tells nobody when it is up. */
#define GRACE_NS (10 * NS_PER_S)
#define CGROUP "/sys/fs/cgroup"

static void (*on_up)(const struct system_report *report);
static struct system_report report;
static struct watch notify;
static struct real_timer next_look, limit;
static uint64_t limit_ns;
static uint64_t started_ns;
static bool again; /* look once more when the answer is there */
static bool over;  /* the limit is */
static char up_name[32]; /* what process 1 is called when all is up */

static void look(void);

static bool name_of_first(char *name, size_t room)
{
	return text_read("/proc/1/comm", name, room) == 0;
}

static bool is_systemd(void)
{
	char path[256];
	const char *name;
	ssize_t size;

	if (access("/run/systemd/system", F_OK) == 0)
		return true;
	size = readlink("/proc/1/exe", path, sizeof(path) - 1);
	if (size < 0)
		return false;
	path[size] = '\0';
	name = strrchr(path, '/');
	return name && !strncmp(name + 1, "systemd", strlen("systemd"));
}

static void finish(const char *state, const char *problem)
{
	void (*tell)(const struct system_report *report) = on_up;

	if (!tell)
		return;
	on_up = NULL;
	real_timer_disarm(&next_look);
	real_timer_disarm(&limit);
	name_of_first(up_name, sizeof(up_name));
	report.state = state;
	report.problem = problem;
	tell(&report);
}

/*
 * The first word that is a name, of each line that has `mark` in it. Old versions
 * begin a line with a bullet.
 */
static void read_names(char *text, const char *mark)
{
	size_t count = 0;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line && count < SYSTEM_FAILED_MAX;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *words = NULL;
		char *word = strstr(line, mark) ? strtok_r(line, " ", &words) : NULL;

		while (word && !strchr(word, '.'))
			word = strtok_r(NULL, " ", &words);
		if (word)
			report.failed[count++] = word;
	}
	report.failed[count] = NULL;
}

/* Add the names to `message`, as far as there is room. */
static void add_names(char *message, size_t room, const char *before)
{
	for (size_t i = 0; report.failed[i]; i++) {
		size_t size = strlen(message);

		snprintf(message + size, room - size, "%s%s", i ? ", " : before,
			 report.failed[i]);
	}
}

static void take_failed(char *text)
{
	read_names(text, "");
	finish("degraded", NULL);
}

static void take_failed_in_maintenance(char *text)
{
	static char message[1024];

	read_names(text, "");
	snprintf(message, sizeof(message), "the guest's system did not come up: "
		 "systemd went into rescue or emergency mode");
	add_names(message, sizeof(message), "; failed: ");
	finish("maintenance", message);
}

static void take_jobs(char *text)
{
	static char message[1024];

	/* The others wait for these. */
	read_names(text, " running");
	snprintf(message, sizeof(message), "the guest's system was not up within %llu s",
		 (unsigned long long)(limit_ns / NS_PER_S));
	add_names(message, sizeof(message), "; systemd still waits for ");
	finish("starting", message);
}

static void ask_failed(void (*ended)(char *text))
{
	static const char *const command[] = {
		"systemctl", "list-units", "--state=failed", "--full", "--plain",
		"--no-legend", "--no-pager", NULL,
	};

	program_ask(command, ended);
}

static void ask_jobs(void)
{
	static const char *const command[] = {
		"systemctl", "list-jobs", "--full", "--plain", "--no-legend", "--no-pager", NULL,
	};

	program_ask(command, take_jobs);
}

static void take_state(char *text)
{
	char *state = strchr(text, '=');

	state = state ? state + 1 : text;
	state[strcspn(state, "\n")] = '\0';
	if (!strcmp(state, "running"))
		finish("running", NULL);
	else if (!strcmp(state, "degraded"))
		ask_failed(take_failed);
	else if (!strcmp(state, "maintenance"))
		ask_failed(take_failed_in_maintenance);
	else if (!strcmp(state, "stopping"))
		finish("stopping", "the guest's system ended before it was up");
	else if (over)
		ask_jobs();
	else if (again)
		look();
	else
		real_timer_arm(&next_look, LOOK_NS, look);
}

/* See how far the system is. */
static void look(void)
{
	/* Not is-system-running: this one asks systemd itself, where there is no D-Bus. */
	static const char *const command[] = {
		"systemctl", "show", "--property=SystemState", NULL,
	};

	again = program_runs();
	if (!on_up || again)
		return;
	if (is_systemd())
		program_ask(command, take_state);
	else if (clock_virtual_ns() - started_ns >= GRACE_NS)
		finish("unknown", NULL);
	else
		real_timer_arm(&next_look, NS_PER_S, look);
}

static void take_limit(void)
{
	over = true;
	look();
}

/* Read on for as long as the guest lives, or process 1 would have to wait. */
static void handle_notify(struct watch *watch)
{
	char message[4096];
	ssize_t size;

	while ((size = recv(watch->fd, message, sizeof(message) - 1, 0)) >= 0) {
		message[size] = '\0';
		if (strstr(message, "READY=1"))
			look();
	}
}

static void open_notify(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(NOTIFY_SOCKET);

	memcpy(address.sun_path + 1, NOTIFY_SOCKET + 1, strlen(NOTIFY_SOCKET) - 1);
	notify.handle = handle_notify;
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify.fd < 0 || bind(notify.fd, (struct sockaddr *)&address, size) < 0) {
		console("cannot hear when the system is up: %s", strerror(errno));
		return;
	}
	loop_add(&notify);
	setenv("NOTIFY_SOCKET", NOTIFY_SOCKET, 1);
}

const char *system_start(const struct job *job,
			 void (*came_up)(const struct system_report *report))
{
	const char *problem;

	open_notify();
	problem = process_hand_over(job->init);
	if (problem)
		return problem;
	on_up = came_up;
	started_ns = clock_virtual_ns();
	limit_ns = job->init_limit_ns;
	if (limit_ns)
		real_timer_arm(&limit, limit_ns, take_limit);
	real_timer_arm(&next_look, LOOK_NS, look);
	return NULL;
}

/*
 * systemd has put the agent into a group of its own, init.scope. The command gets
 * one beside those of the system, so that no unit's end is the command's.
 */
void system_place_command(void)
{
	const char *base = CGROUP;
	char path[64];

	text_write("/proc/self/oom_score_adj", "0");
	if (access(CGROUP "/cgroup.procs", F_OK) < 0)
		base = CGROUP "/systemd"; /* version 1, of older systems */
	snprintf(path, sizeof(path), "%s/dynaccel", base);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/dynaccel/cgroup.procs", base);
	text_write(path, "0");
}

/* systemd ends a guest by becoming another program, systemd-shutdown. */
bool system_ends(void)
{
	char name[32];

	return up_name[0] && name_of_first(name, sizeof(name)) && strcmp(name, up_name);
}

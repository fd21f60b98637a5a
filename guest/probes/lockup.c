// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lockup LIMIT_COUNTS REPORT[,REPORT...] DEED...: do what the kernel's detectors
 * have to notice and say when they report it. It takes LIMIT_COUNTS of the counter
 * at most, and is over once each REPORT named came; "-" names none.
 *
 * Deeds, in turn:
 * hung		a task sleeps for ever and no signal wakes it
 * soft		a task runs on the last CPU for ever with preemption off
 * hard		the same with interrupts off
 * fifo		a task runs on the last CPU for ever at the highest priority: the
 *		kernel's workers get no turn there, what stops the machine does
 * busy		an ordinary process runs on each CPU for ever
 * ratio=N	time flows N times faster from now on
 * after=COUNTS	go on when so many counts have passed since the last deed
 *
 * Reports: hung (of that task alone), soft, workqueue, rcu.
 *
 * Prints {"deed": NAME, "counter": C} and {"report": NAME, "counter": C}. The CPU
 * stays lost after "soft" and "hard": only what was moved to the first one runs on.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/membarrier.h>

#include "here.h"

#define PROVOKE "/sys/kernel/debug/provoke-crash"
#define LOOK_MSEC 10 /* of real time; the log wakes us, too */
#define MAX_CHILDREN 32

static const struct {
	const char *name, *text;
} reports[] = {
	{ "soft", "soft lockup - CPU#" },
	{ "workqueue", "workqueue lockup - pool" },
	{ "rcu", " detected stalls on CPUs/tasks" },
	{ "rcu", " self-detected stall on CPU" },
};

static volatile uint64_t *began; /* shared with the child that does a deed */
static pid_t children[MAX_CHILDREN], hung;
static int child_count;
static int64_t ratio;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Let everything that can be moved, and each interrupt, live on the first CPU. */
static void leave_last_cpu(void)
{
	struct dirent *entry;
	char path[64];
	cpu_set_t set;
	DIR *all;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	all = opendir("/proc");
	while (all && (entry = readdir(all))) {
		struct dirent *task;
		DIR *tasks;

		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/task", entry->d_name);
		tasks = opendir(path);
		while (tasks && (task = readdir(tasks)))
			if (atoi(task->d_name) > 0)
				sched_setaffinity(atoi(task->d_name),
						  sizeof(set), &set);
		if (tasks)
			closedir(tasks);
	}
	if (all)
		closedir(all);
	all = opendir("/proc/irq");
	while (all && (entry = readdir(all))) {
		snprintf(path, sizeof(path), "/proc/irq/%.16s", entry->d_name);
		put(path, "smp_affinity", "1\n");
	}
	if (all)
		closedir(all);
}

static void write_again(const char *directory, const char *file)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (read_text(path, text, sizeof(text)) || put(directory, file, text))
		fail(path);
}

/*
 * A CPU that never gets to its ksoftirqd does not look after timers either, in
 * any Linux. Those of the detectors that are not there for one CPU are armed
 * anew on this one, and stay.
 */
static void keep_timers(void)
{
	put("/proc/sys/kernel", "timer_migration", "0\n");
	write_again("/proc/sys/kernel", "hung_task_timeout_secs");
	write_again("/sys/module/workqueue/parameters", "watchdog_thresh");
}

/* Returns 0 in the child, which holds no stream of ours open. */
static pid_t child(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid) {
		close(null);
		if (child_count < MAX_CHILDREN)
			children[child_count++] = pid;
		return pid;
	}
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	return 0;
}

static void provoke(const char *what)
{
	*began = counter();
	if (put(PROVOKE, "DIRECT", what))
		*began = UINT64_MAX;
	_exit(1);
}

static void run_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	*began = counter();
	for (;;)
		;
}

/* What some detectors need: a grace period that is awaited, work for each CPU. */
static void ask_all_cpus(void)
{
	char text[16];

	if (!child())
		for (;;)
			syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	if (!child())
		for (;;)
			read_text("/proc/sys/vm/stat_refresh", text, sizeof(text));
}

static void on_last_cpu(const char *what)
{
	if (!child()) {
		pin(last_cpu());
		provoke(what);
	}
}

static void fifo(void)
{
	struct sched_param top = { .sched_priority = 98 };

	put("/proc/sys/kernel", "sched_rt_runtime_us", "-1\n");
	if (!child()) {
		pin(last_cpu());
		if (sched_setscheduler(0, SCHED_FIFO, &top))
			*began = UINT64_MAX;
		run_for_ever();
	}
}

static void busy(void)
{
	for (long cpu = 0; cpu <= last_cpu(); cpu++)
		if (!child()) {
			struct sched_param none = { 0 };

			sched_setscheduler(0, SCHED_OTHER, &none);
			pin(cpu);
			run_for_ever();
		}
}

static void say(const char *kind, const char *name, uint64_t count)
{
	printf("{\"%s\": \"%s\", \"counter\": %llu}\n", kind, name,
	       (unsigned long long)count);
	fflush(stdout);
}

/* Returns when the deed was done; it begins in a child, which says so. */
static uint64_t act(const char *deed)
{
	int asks = 0;

	*began = 0;
	if (!strcmp(deed, "hung")) {
		hung = child();
		if (!hung)
			provoke("HUNG_TASK");
	} else if (!strcmp(deed, "soft")) {
		on_last_cpu("SOFTLOCKUP");
		asks = 1;
	} else if (!strcmp(deed, "hard")) {
		on_last_cpu("HARDLOCKUP");
		asks = 1;
	} else if (!strcmp(deed, "fifo")) {
		fifo();
		asks = 1;
	} else if (!strcmp(deed, "busy")) {
		busy();
	} else if (sscanf(deed, "ratio=%" SCNd64, &ratio) == 1) {
		*began = counter();
		if (set_ratio(ratio))
			fail("the ratio");
	} else {
		errno = EINVAL;
		fail(deed);
	}
	while (!*began)
		nap_real(NSEC_PER_SEC / 1000, ratio);
	if (*began == UINT64_MAX) {
		errno = EIO;
		fail(deed);
	}
	/* Not before: the work shall meet a CPU that is lost already. */
	if (asks)
		ask_all_cpus();
	return *began;
}

/* Returns the name of the report that a line of the log makes, or NULL. */
static const char *report_of(const char *line)
{
	char sign[64];

	snprintf(sign, sizeof(sign), ":%d blocked for more than", hung);
	if (hung && strstr(line, sign))
		return "hung";
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (strstr(line, reports[i].text))
			return reports[i].name;
	return NULL;
}

/* Takes @name out of the list of names between commas. */
static void strike(char *list, const char *name)
{
	char *found = strstr(list, name);

	if (found)
		memset(found, ',', strlen(name));
}

/* Waits until that count, or until each report of @wanted came; says if it did. */
static int watch(int log, char *wanted, uint64_t until)
{
	struct pollfd wait = { .fd = log, .events = POLLIN };
	char line[8192];

	while (counter() < until) {
		ssize_t length = read(log, line, sizeof(line) - 1);
		const char *name;

		if (length < 0 && errno == EPIPE)
			continue; /* Lines were lost, the next ones are there. */
		if (length < 0) {
			poll(&wait, 1, LOOK_MSEC * ratio);
			continue;
		}
		line[length] = '\0';
		name = report_of(line);
		if (!name)
			continue;
		say("report", name, counter());
		strike(wanted, name);
		if (wanted[strspn(wanted, ",")] == '\0')
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 50 };
	uint64_t end, last;
	int log, over = 0;

	if (argc < 4)
		return 2;
	ratio = current_ratio();
	began = mmap(NULL, sizeof(*began), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (began == MAP_FAILED || log < 0 || lseek(log, 0, SEEK_END) < 0)
		fail("/dev/kmsg");
	/* No deed shall keep us from looking; those of others stay ordinary. */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		fail("priority");
	leave_last_cpu();
	keep_timers();
	end = counter() + strtoull(argv[1], NULL, 10);
	last = counter();
	for (int i = 3; i < argc && !over; i++) {
		if (!strncmp(argv[i], "after=", 6)) {
			over = watch(log, argv[2],
				     last + strtoull(argv[i] + 6, NULL, 10));
			continue;
		}
		last = act(argv[i]);
		say("deed", argv[i], last);
	}
	if (!over)
		watch(log, argv[2], end);
	for (int i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	return 0;
}

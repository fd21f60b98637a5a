// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes: each, and all of a job or of a name together. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jobs_inside.h"
#include "moment.h"
#include "out.h"
#include "pids.h"
#include "samples_inside.h"
#include "text.h"

#define KIB 1024
/* Of more than so many processes only the sum is told. */
#define SUBJECTS_MAX 64

/* A process with its files open: so its number cannot become another one's. */
struct process {
	pid_t pid;
	int stat;
	int status;
	int descriptors;
	bool seen;
	struct process *next;
};

struct values {
	char comm[32];
	int64_t rss, pss, anonymous, virtual, swap, descriptors, threads, children;
	double cpu_seconds, age_seconds;
	bool has_memory, has_pss, has_descriptors;
};

static char text[16384];

static int open_file(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC | flags);
}

static struct process *open_process(pid_t pid)
{
	struct process *process = need_memory(NULL, sizeof(*process));

	*process = (struct process){
		.pid = pid,
		.stat = open_file(pid, "stat", 0),
		.status = open_file(pid, "status", 0),
		.descriptors = open_file(pid, "fd", O_DIRECTORY),
	};
	return process;
}

static void close_process(struct process *process)
{
	if (process->stat >= 0)
		close(process->stat);
	if (process->status >= 0)
		close(process->status);
	if (process->descriptors >= 0)
		close(process->descriptors);
	free(process);
}

static bool read_file(int fd)
{
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	if (size <= 0)
		return false;
	text[size] = '\0';
	return true;
}

/* "812 (nginx) S ...": the name may have anything in it. */
static bool read_stat(const struct process *process, struct values *values)
{
	long ticks = sysconf(_SC_CLK_TCK);
	unsigned long long user, system, start;
	char *open, *close;

	if (!read_file(process->stat))
		return false;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close ||
	    sscanf(close, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d "
		   "%*d %lld %*d %llu", &user, &system, (long long *)&values->threads,
		   &start) != 4)
		return false;
	*close = '\0';
	snprintf(values->comm, sizeof(values->comm), "%s", open + 1);
	for (char *at = values->comm; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	values->cpu_seconds = (double)(user + system) / ticks;
	values->age_seconds = (double)moment_boottime_ns() / NS_PER_S - (double)start / ticks;
	if (values->age_seconds < 0)
		values->age_seconds = 0;
	return true;
}

static void read_status(const struct process *process, struct values *values)
{
	if (!read_file(process->status))
		return;
	values->rss = text_find_number(text, "VmRSS:") * KIB;
	if (values->rss < 0) {
		values->rss = 0;
		return; /* a thread of the kernel's, or one that is ending */
	}
	values->has_memory = true;
	values->virtual = text_find_number(text, "VmSize:") * KIB;
	values->anonymous = text_find_number(text, "RssAnon:") * KIB;
	values->swap = text_find_number(text, "VmSwap:") * KIB;
	if (values->swap < 0)
		values->swap = 0; /* a kernel without swap */
}

/* Since 6.2 the directory's size says it; before, its entries must be counted. */
static void count_descriptors(const struct process *process, struct values *values)
{
	struct stat status;
	int64_t count = 0;
	long size;

	if (process->descriptors < 0 || fstat(process->descriptors, &status) < 0)
		return;
	values->has_descriptors = true;
	values->descriptors = status.st_size;
	if (status.st_size > 0)
		return;
	lseek(process->descriptors, 0, SEEK_SET);
	while ((size = syscall(SYS_getdents64, process->descriptors, text, sizeof(text))) > 0)
		for (long at = 0; at < size; count++)
			at += *(unsigned short *)(text + at + 16);
	values->descriptors = count > 2 ? count - 2 : 0; /* "." and ".." */
}

static void read_pss(const struct process *process, struct values *values)
{
	int fd = open_file(process->pid, "smaps_rollup", 0);

	if (fd < 0)
		return;
	if (read_file(fd)) {
		values->pss = text_find_number(text, "Pss:") * KIB;
		values->has_pss = values->pss >= 0;
	}
	/* While at it: these are exact, the others lag by up to 64 pages before 6.2. */
	if (values->has_pss) {
		values->rss = text_find_number(text, "Rss:") * KIB;
		values->anonymous = text_find_number(text, "Anonymous:") * KIB;
	}
	close(fd);
}

static bool measure(const struct sample *sample, const struct process *process,
		    struct values *values)
{
	*values = (struct values){ 0 };
	if (process->stat < 0 || !read_stat(process, values))
		return false;
	read_status(process, values);
	count_descriptors(process, values);
	if (sample->pss && values->has_memory)
		read_pss(process, values);
	return true;
}

static void add(struct values *sum, const struct values *values)
{
	sum->children++;
	sum->rss += values->rss;
	sum->pss += values->pss;
	sum->anonymous += values->anonymous;
	sum->virtual += values->virtual;
	sum->swap += values->swap;
	sum->descriptors += values->descriptors;
	sum->threads += values->threads;
	sum->cpu_seconds += values->cpu_seconds;
	sum->has_pss |= values->has_pss;
	sum->has_descriptors |= values->has_descriptors;
}

static void tell_memory(const struct values *values)
{
	sample_count("rss", values->rss);
	if (values->has_pss)
		sample_count("pss", values->pss);
	sample_count("anonymous", values->anonymous);
	sample_count("virtual", values->virtual);
	sample_count("swap", values->swap);
}

static void tell_rest(const struct values *values)
{
	if (values->has_descriptors)
		sample_count("descriptors", values->descriptors);
	sample_count("threads", values->threads);
	sample_seconds("cpu_seconds", values->cpu_seconds);
}

static void tell_process(const struct sample *sample, pid_t pid, const struct values *values)
{
	char subject[64];

	snprintf(subject, sizeof(subject), "%s[%d]", values->comm, pid);
	sample_begin(sample, subject);
	if (values->has_memory)
		tell_memory(values);
	tell_rest(values);
	sample_seconds("age_seconds", values->age_seconds);
	out_end();
}

static void tell_sum(const struct sample *sample, const struct values *sum)
{
	sample_begin(sample, sample->job ? sample->job_name : sample->process_name);
	sample_count("children", sum->children);
	if (sum->children) {
		tell_memory(sum);
		tell_rest(sum);
	}
	out_end();
}

static struct process *find_process(struct sample *sample, pid_t pid)
{
	struct process *process = sample->processes;

	while (process && process->pid != pid)
		process = process->next;
	if (process)
		return process;
	process = open_process(pid);
	process->next = sample->processes;
	sample->processes = process;
	return process;
}

/* Forget those that are gone. */
static void forget(struct sample *sample)
{
	struct process **at = &sample->processes;

	while (*at) {
		struct process *process = *at;

		if (process->seen) {
			process->seen = false;
			at = &process->next;
			continue;
		}
		*at = process->next;
		close_process(process);
	}
}

static bool measure_pid(struct sample *sample, pid_t pid, struct values *values)
{
	struct process *process = find_process(sample, pid);

	if (measure(sample, process, values)) {
		process->seen = true;
		return true;
	}
	/* Its files have fallen silent: the number may be another process's by now. */
	process->pid = 0;
	process = find_process(sample, pid);
	process->seen = measure(sample, process, values);
	return process->seen;
}

void sample_processes(struct sample *sample)
{
	struct pids pids = { 0 };
	struct values sum = { 0 }, values;
	int told = 0;

	if (sample->job)
		members_list(&sample->job->members, &pids);
	else
		pids_named(&pids, sample->process_name);
	for (size_t i = 0; i < pids.count; i++) {
		if (!measure_pid(sample, pids.list[i], &values))
			continue;
		add(&sum, &values);
		if (told++ < SUBJECTS_MAX)
			tell_process(sample, pids.list[i], &values);
	}
	forget(sample);
	tell_sum(sample, &sum);
	pids_free(&pids);
}

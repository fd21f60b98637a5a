/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything in the kernel that tells the time to a program, behind one call
 * each. A sample is a value and the two counts between which it was true.
 */
#ifndef DYNACCEL_SOURCES_H
#define DYNACCEL_SOURCES_H

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>

#include "here.h"

struct sample {
	int64_t ns;
	uint64_t low, high;
};

/*
 * FINE moves with every read. EDGE stands still in between, but is exact when
 * it moves; SECONDS too, and may stand for a whole second. TICK moves up to a
 * tick after its time. CPU counts what a spinning thread uses, STAT adds up
 * ticks, IDLE the naps of an idle CPU.
 */
enum kind { FINE, EDGE, SECONDS, TICK, CPU, STAT, IDLE };

struct source {
	const char *name;
	enum kind kind;
	/* Returns 0, or -1 with errno set where there is no such source. */
	int (*read)(long argument, struct sample *sample);
	long argument;
};

static inline int sampled(int64_t ns, uint64_t low, struct sample *sample)
{
	sample->high = counter();
	sample->low = low;
	sample->ns = ns;
	return ns < 0 ? -1 : 0;
}

static int read_vdso(long clock, struct sample *sample)
{
	uint64_t low = counter();

	return sampled(now(clock), low, sample);
}

static int read_syscall(long clock, struct sample *sample)
{
	struct timespec time;
	uint64_t low = counter();

	if (syscall(SYS_clock_gettime, clock, &time))
		return -1;
	return sampled(ns_of(time), low, sample);
}

static int read_gettimeofday(long by_syscall, struct sample *sample)
{
	struct timeval time;
	uint64_t low = counter();

	if (by_syscall ? syscall(SYS_gettimeofday, &time, NULL) :
			 gettimeofday(&time, NULL))
		return -1;
	return sampled(time.tv_sec * NSEC_PER_SEC + time.tv_usec * 1000LL, low, sample);
}

static int read_time(long by_syscall, struct sample *sample)
{
	uint64_t low = counter();

	if (by_syscall) {
#ifdef SYS_time
		return sampled(syscall(SYS_time, NULL) * NSEC_PER_SEC, low, sample);
#else
		errno = ENOSYS; /* as on all architectures that are younger than it */
		return -1;
#endif
	}
	return sampled(time(NULL) * NSEC_PER_SEC, low, sample);
}

static int read_times(long unused, struct sample *sample)
{
	struct tms tms;
	uint64_t low = counter();
	clock_t ticks = times(&tms);

	(void)unused;
	return sampled(ticks * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK)), low, sample);
}

static int read_sysinfo(long unused, struct sample *sample)
{
	struct sysinfo info;
	uint64_t low = counter();

	(void)unused;
	if (sysinfo(&info))
		return -1;
	return sampled(info.uptime * NSEC_PER_SEC, low, sample);
}

static int read_uptime(long unused, struct sample *sample)
{
	char text[64];
	uint64_t low = counter();

	(void)unused;
	if (read_text("/proc/uptime", text, sizeof(text)))
		return -1;
	return sampled((int64_t)(strtod(text, NULL) * 100 + 0.5) * (NSEC_PER_SEC / 100),
		       low, sample);
}

static int read_stat(long cpu, struct sample *sample)
{
	uint64_t low = counter();

	return sampled(stat_ns(cpu, STAT_ALL), low, sample);
}

static int read_mtime(long unused, struct sample *sample)
{
	static int fd = -1;
	struct stat status;
	uint64_t low;

	(void)unused;
	if (fd < 0)
		fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	low = counter();
	if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || fstat(fd, &status))
		return -1;
	return sampled(ns_of(status.st_mtim), low, sample);
}

static int read_kmsg(long unused, struct sample *sample)
{
	static unsigned int serial;
	static int fd = -1;
	char mark[64], record[1024];
	unsigned long long us;
	ssize_t got;

	(void)unused;
	if (fd < 0)
		fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	lseek(fd, 0, SEEK_END);
	/* Level 7: for the log, not for the console. */
	snprintf(mark, sizeof(mark), "<7>probe %d of the clocks, %u.\n", getpid(), ++serial);
	sample->low = counter();
	if (write(fd, mark, strlen(mark)) < 0)
		return -1;
	sample->high = counter();
	mark[strlen(mark) - 1] = '\0';
	while ((got = read(fd, record, sizeof(record) - 1)) > 0) {
		record[got] = '\0';
		if (strstr(record, mark + 3) &&
		    sscanf(record, "%*u,%*u,%llu,", &us) == 1) {
			sample->ns = us * 1000;
			return 0;
		}
	}
	errno = ENODATA;
	return -1;
}

#define TRACING "/sys/kernel/tracing/instances"

static const char *const trace_clocks[] = { "local", "global", "mono" };

static void trace_directory(long which, char *path, size_t size)
{
	snprintf(path, size, TRACING "/dynaccel-%d-%s", getpid(), trace_clocks[which]);
}

/* A trace of its own for each clock, so that nobody's trace is touched. */
static int read_trace(long which, struct sample *sample)
{
	static int pipes[3] = { -1, -1, -1 }, markers[3];
	char directory[96], path[128], line[512], *stamp;
	ssize_t got;

	trace_directory(which, directory, sizeof(directory));
	if (pipes[which] < 0) {
		if (mkdir(directory, 0700) && errno != EEXIST)
			return -1;
		put(directory, "buffer_size_kb", "16");
		if (put(directory, "trace_clock", trace_clocks[which]) ||
		    put(directory, "tracing_on", "1"))
			return -1;
		snprintf(path, sizeof(path), "%s/trace_marker", directory);
		markers[which] = open(path, O_WRONLY | O_CLOEXEC);
		snprintf(path, sizeof(path), "%s/trace_pipe", directory);
		pipes[which] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	sample->low = counter();
	if (write(markers[which], "x\n", 2) < 0)
		return -1;
	sample->high = counter();
	got = read(pipes[which], line, sizeof(line) - 1);
	if (got <= 0)
		return -1;
	line[got] = '\0';
	/* "task-pid [cpu] flags seconds.microseconds: tracing_mark_write: x" */
	stamp = strstr(line, ": tracing_mark_write");
	if (!stamp) {
		errno = EBADMSG;
		return -1;
	}
	*stamp = '\0';
	stamp = strrchr(line, ' ');
	sample->ns = (int64_t)(strtod(stamp ? stamp : "0", NULL) * USEC_PER_SEC + 0.5) * 1000;
	return 0;
}

/*
 * The clock of perf as a program reckons it from the counter, by what the kernel
 * tells in an event's page; it may say that this cannot be done.
 */
static int read_perf(long unused, struct sample *sample)
{
	static volatile struct perf_event_mmap_page *page;
	uint64_t low, count, whole, rest;
	uint32_t lock;

	(void)unused;
	if (!page) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY,
			.size = sizeof(attr),
		};
		int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
		void *mapped;

		if (fd < 0)
			return -1;
		mapped = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
		if (mapped == MAP_FAILED)
			return -1;
		page = mapped;
	}
	do {
		lock = page->lock;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!page->cap_user_time || !page->cap_user_time_zero) {
			errno = EOPNOTSUPP;
			return -1;
		}
		low = count = counter();
		if (page->cap_user_time_short)
			count = page->time_cycles +
				((count - page->time_cycles) & page->time_mask);
		whole = count >> page->time_shift;
		rest = count & ((1ULL << page->time_shift) - 1);
		sample->ns = page->time_zero + whole * page->time_mult +
			     (rest * page->time_mult >> page->time_shift);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (page->lock != lock);
	return sampled(sample->ns, low, sample);
}

static void close_traces(void)
{
	char directory[96];

	/* The files are open until the process ends; the directory is not. */
	for (long which = 0; which < 3; which++) {
		trace_directory(which, directory, sizeof(directory));
		rmdir(directory);
	}
}

#endif /* DYNACCEL_SOURCES_H */

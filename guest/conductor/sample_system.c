// SPDX-License-Identifier: GPL-2.0-or-later
/* The system as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "pids.h"
#include "samples_inside.h"
#include "text.h"

#define KIB 1024
#define SECTOR_BYTES 512

/* Large enough for /proc/stat of a machine with thousands of interrupts. */
static char text[128 << 10];

static void measure_memory(void)
{
	static struct kept file = { "/proc/meminfo", -1 };
	int64_t total, available;
	static const char *const metrics[][2] = {
		{ "memory_free", "MemFree:" },
		{ "memory_available", "MemAvailable:" },
		{ "slab", "Slab:" },
		{ "slab_unreclaimable", "SUnreclaim:" },
		{ "kernel_stack", "KernelStack:" },
		{ "page_tables", "PageTables:" },
	};

	if (kept_read(&file, text, sizeof(text)) < 0)
		return;
	total = text_find_number(text, "MemTotal:");
	available = text_find_number(text, "MemAvailable:");
	sample_count("memory_used", (total - available) * KIB);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		sample_count(metrics[i][0], text_find_number(text, metrics[i][1]) * KIB);
	sample_count("memory_cached", (text_find_number(text, "Cached:") +
				       text_find_number(text, "Buffers:")) * KIB);
	sample_count("swap_used", (text_find_number(text, "SwapTotal:") -
				   text_find_number(text, "SwapFree:")) * KIB);
}

static void measure_load(void)
{
	static struct kept file = { "/proc/loadavg", -1 };
	struct pids pids = { 0 };
	double load;
	int threads;

	if (kept_read(&file, text, sizeof(text)) < 0 ||
	    sscanf(text, "%lf %*f %*f %*d/%d", &load, &threads) != 2)
		return;
	sample_seconds("load_1", load);
	pids_all(&pids);
	sample_count("processes", pids.count);
	sample_count("threads", threads);
	pids_free(&pids);
}

static void measure_files_and_sockets(void)
{
	static struct kept files = { "/proc/sys/fs/file-nr", -1 };
	static struct kept sockets = { "/proc/self/net/sockstat", -1 };
	static struct kept sockets6 = { "/proc/self/net/sockstat6", -1 };
	int64_t tcp, waiting = 0;
	const char *found;

	if (kept_read(&files, text, sizeof(text)) > 0)
		sample_count("file_handles", strtoll(text, NULL, 10));
	if (kept_read(&sockets, text, sizeof(text)) < 0)
		return;
	sample_count("sockets", text_find_number(text, "sockets: used "));
	tcp = text_find_number(text, "TCP: inuse ");
	found = strstr(text, " tw ");
	if (found)
		waiting = strtoll(found + 4, NULL, 10);
	if (kept_read(&sockets6, text, sizeof(text)) > 0 &&
	    text_find_number(text, "TCP6: inuse ") > 0)
		tcp += text_find_number(text, "TCP6: inuse ");
	sample_count("tcp_sockets", tcp);
	sample_count("tcp_time_wait", waiting);
}

static void measure_cpus(void)
{
	static struct kept file = { "/proc/stat", -1 };
	unsigned long long user, nice, system, irq, softirq, steal;

	if (kept_read(&file, text, sizeof(text)) < 0)
		return;
	sample_count("context_switches", text_find_number(text, "ctxt "));
	sample_count("forks", text_find_number(text, "processes "));
	sample_count("interrupts", text_find_number(text, "intr "));
	if (sscanf(text, "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user, &nice, &system,
		   &irq, &softirq, &steal) == 6)
		sample_seconds("cpu_seconds",
			       (double)(user + nice + system + irq + softirq + steal) /
				       sysconf(_SC_CLK_TCK));
}

/*
 * Disks of their own: what lies on another one would count twice. Remembered by
 * name, for that is asked each time.
 */
static bool is_disk(const char *name)
{
	static struct seen {
		char name[32];
		bool disk;
		struct seen *next;
	} *all;
	static const char *const others[] = { "loop", "ram", "zram", "dm-", "md", "nbd", "fd" };
	struct seen *seen;
	char path[64];

	for (seen = all; seen; seen = seen->next)
		if (!strcmp(seen->name, name))
			return seen->disk;
	seen = need_memory(NULL, sizeof(*seen));
	snprintf(seen->name, sizeof(seen->name), "%s", name);
	snprintf(path, sizeof(path), "/sys/block/%.32s", name);
	seen->disk = access(path, F_OK) == 0; /* a partition is not there */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		seen->disk &= strncmp(name, others[i], strlen(others[i])) != 0;
	seen->next = all;
	all = seen;
	return seen->disk;
}

static void measure_disks(void)
{
	static struct kept file = { "/proc/diskstats", -1 };
	int64_t read_sectors = 0, written_sectors = 0;
	char *rest = NULL, *line;

	if (kept_read(&file, text, sizeof(text)) < 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long long sectors_in, sectors_out;
		char name[32];

		if (sscanf(line, "%*u %*u %31s %*u %*u %llu %*u %*u %*u %llu", name,
			   &sectors_in, &sectors_out) != 3 || !is_disk(name))
			continue;
		read_sectors += sectors_in;
		written_sectors += sectors_out;
	}
	sample_count("disk_read_bytes", read_sectors * SECTOR_BYTES);
	sample_count("disk_written_bytes", written_sectors * SECTOR_BYTES);
}

void sample_system(struct sample *sample)
{
	sample_begin(sample, "system");
	measure_memory();
	measure_load();
	measure_files_and_sockets();
	measure_cpus();
	measure_disks();
	out_end();
}

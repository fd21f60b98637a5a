// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ticks COUNTS GAP: compute on the last CPU that is to have a tick for COUNTS of
 * the counter and tell how many interrupts of its timer came meanwhile. A busy
 * CPU has one for each tick, and few others. GAP is how many counts the CPU may
 * be away before the host is said to have stolen them.
 */
#define _GNU_SOURCE
#include "here.h"

/* What /proc/interrupts calls the timer of a CPU on x86, and on arm64. */
static const char *const timer_names[] = { "Local timer interrupts", "arch_timer" };

static int is_timer(const char *line)
{
	for (size_t i = 0; i < sizeof(timer_names) / sizeof(*timer_names); i++)
		if (strstr(line, timer_names[i]))
			return 1;
	return 0;
}

/* The interrupts of a CPU's timer until now; -1 where none is listed. */
static long long timer_interrupts(long cpu)
{
	static char text[65536];
	long long count = -1;
	size_t size = 0;
	ssize_t got;
	char *rest;
	int fd;

	/* A file of several records comes in several reads. */
	fd = open("/proc/interrupts", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += got;
	close(fd);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *field = strchr(line, ':');

		if (!field || !is_timer(line))
			continue;
		field++;
		for (long column = 0; column <= cpu; column++)
			count = strtoll(field, &field, 10);
	}
	return count;
}

int main(int argc, char **argv)
{
	struct looks looks = { 0 };
	long long before, after;
	uint64_t begin, end;
	long cpu = last_ticking_cpu();

	if (argc != 3) {
		fprintf(stderr, "usage: ticks COUNTS GAP\n");
		return 2;
	}
	looks.gap = strtoull(argv[2], NULL, 10);
	pin(cpu);
	before = timer_interrupts(cpu);
	begin = counter();
	end = begin + strtoull(argv[1], NULL, 10);
	while (look_at_counter(&looks) < end)
		;
	after = timer_interrupts(cpu);
	if (before < 0 || after < 0) {
		printf("{\"missing\": \"a timer in /proc/interrupts\"}\n");
		return 0;
	}
	printf("{\"interrupts\": %lld, \"counts\": %llu, \"stolen_counts\": %llu}\n",
	       after - before, (unsigned long long)(counter() - begin),
	       (unsigned long long)looks.stolen);
	return 0;
}

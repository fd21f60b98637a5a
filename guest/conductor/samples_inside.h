/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the samples share. */
#ifndef SAMPLES_INSIDE_H
#define SAMPLES_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ask.h"
#include "fields.h"
#include "jobs.h"
#include "lines.h"
#include "timers.h"

struct process;

struct sample {
	/* the plan */
	char *name;
	int kind;
	int64_t every_ns;
	char *job_name;
	char *process_name;
	struct strings path;
	struct strings arg;
	int64_t timeout_real_ms;
	int64_t pss;
	struct sample *next;

	struct job *job;
	int64_t turn; /* number of the next time that is due, from 0 */
	struct timer due;
	struct process *processes; /* those of the last time, with their files open */
	struct ask *asks;          /* one for each path, or for the command */
	struct sink sink;          /* what the command complains of */
	bool failed;               /* the last time; told once */
};

void sample_system(struct sample *sample);
void sample_processes(struct sample *sample);
void sample_disks(struct sample *sample);
void sample_files(struct sample *sample);
void sample_command(struct sample *sample);
void sample_clocks(struct sample *sample);

/* One frame: begin, values, out_end(). */
void sample_begin(const struct sample *sample, const char *subject);
void sample_count(const char *metric, int64_t value);
void sample_seconds(const char *metric, double seconds);

/* It could not be measured: an ERROR, unless the last time was the same. */
void sample_failed(struct sample *sample, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sample_worked(struct sample *sample);

/* A file of /proc that stays open and is read anew each time. */
struct kept {
	const char *path;
	int fd; /* -1: it must be opened */
};

/* Read it whole, as far as there is room, as a string; returns its size or -1. */
ssize_t kept_read(struct kept *kept, char *text, size_t room);

/* The number after `key`, where a line begins with that; -1: there is none. */
int64_t text_find_number(const char *text, const char *key);

#endif

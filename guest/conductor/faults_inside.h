/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the faults share. */
#ifndef FAULTS_INSIDE_H
#define FAULTS_INSIDE_H

#include <stdbool.h>

#include "children.h"
#include "events.h"
#include "faults.h"
#include "jobs.h"
#include "timers.h"

struct fault {
	/* the plan */
	char *name;
	int kind;
	int64_t after_ns; /* -1: by date */
	int64_t at_ns;    /* -1: by time */
	int64_t every_ns; /* 0: once */
	int64_t step_ns;
	int64_t duration_ns;
	int64_t size;
	char *path;
	int64_t signal;
	char *job_name;
	char *process_name;
	char *interface;
	struct fault *next;

	int64_t due_ns;       /* BOOTTIME of the last time by rights */
	struct timer due;
	struct timer end;     /* of its duration */
	struct timer killer;
	struct child child;   /* who holds it, while it lasts */
	struct watch told;    /* what that says */
	bool begun;
	bool mending;
	int64_t due_offset_ns; /* REALTIME - BOOTTIME before a leap second */
};

enum fault_state { FAULT_WANTED, FAULT_BEGUN, FAULT_ENDED, FAULT_FAILED };

/* A FAULT frame; `message` may be NULL. */
void fault_tell(const struct fault *fault, enum fault_state state, const char *message);

/*
 * Faults that last are held by a process of their own, which mends what it broke
 * when it gets SIGTERM, also when the conductor dies. It says "+" and a message
 * when the fault has begun, a message alone when it cannot.
 */
void fault_hold(struct fault *fault, void (*work)(const struct fault *fault, int told));

/* End it, if it goes on. */
void fault_mend(struct fault *fault);

/* One has ended: perhaps that was the last that faults_end() waits for. */
void faults_look(void);

/* In such a process: wait so long for the end; returns whether it has come. */
bool hold_wait(int64_t virtual_ns);

/* In such a process. */
void hold_begun(int told, const char *message);
void hold_failed(int told, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

void fault_memory(const struct fault *fault, int told);
void fault_disk(const struct fault *fault, int told);
void fault_network(const struct fault *fault, int told);

void fault_date_step(struct fault *fault);
void fault_leap_second(struct fault *fault);

/* Let no leap second come that has not. */
void fault_leap_second_end(struct fault *fault);

#endif

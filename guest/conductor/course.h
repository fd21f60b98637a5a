/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The course of a run: set-up, phase after phase, finish, the end. */
#ifndef COURSE_H
#define COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

/* Read a PHASE. Returns NULL, or what is wrong. */
const char *course_take_phase(const struct frame *frame);

/* BEGIN: the plan is complete. `realtime_ns`: the date of the first phase, or NULL. */
void course_begin(const int64_t *realtime_ns);
bool course_has_begun(void);

/* What the host asks for on the way. Return NULL, or what is wrong. */
const char *course_set_ratio(unsigned int ratio);
const char *course_next_phase(void);

/* End: finish jobs, stop all. The second time nothing but stop all. */
void course_end(void);

/* The host is gone: stop all at once. */
void course_host_gone(void);

/* Whether DONE is said. */
bool course_is_done(void);

#endif

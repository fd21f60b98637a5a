/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The five fields of cron(8), in UTC. */
#ifndef CRON_H
#define CRON_H

#include <stdbool.h>
#include <stdint.h>

struct cron {
	uint64_t minutes;
	uint64_t hours;
	uint64_t days;
	uint64_t months;
	uint64_t weekdays;
	bool any_day;     /* the field begins with '*' */
	bool any_weekday; /* likewise: else either of the two is enough */
	bool wild;        /* minute or hour begins with '*' */
};

/* Read five fields. Returns NULL, or what is wrong. */
const char *cron_read(struct cron *cron, const char *text);

/* The first minute (since 1970) after `minute` that matches; -1: none ever. */
int64_t cron_next(const struct cron *cron, int64_t minute);

#endif

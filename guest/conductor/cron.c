// SPDX-License-Identifier: GPL-2.0-or-later
/* The five fields of cron(8), in UTC. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cron.h"

#define MINUTES_PER_DAY (24 * 60)
/* 29 February may be twelve years away, as a certain day of the week forty. */
#define YEARS_MAX 45

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL,
};
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

struct range {
	const char *what;
	int low, high;
	const char *const *names;
};

static const struct range ranges[] = {
	{ "minute", 0, 59, NULL },
	{ "hour", 0, 23, NULL },
	{ "day of the month", 1, 31, NULL },
	{ "month", 1, 12, months },
	{ "day of the week", 0, 7, weekdays },
};

/* Read a number or a name; returns what follows, or NULL. */
static const char *read_number(const char *text, const struct range *range, int *number)
{
	char *end;
	long value;

	for (int i = 0; range->names && range->names[i]; i++) {
		if (strncasecmp(text, range->names[i], 3))
			continue;
		*number = range->low + i;
		return text + 3;
	}
	if (!isdigit((unsigned char)*text))
		return NULL;
	value = strtol(text, &end, 10);
	if (value < range->low || value > range->high)
		return NULL;
	*number = value;
	return end;
}

/* One of the parts between commas; returns what follows, or NULL. */
static const char *read_part(const char *text, const struct range *range, uint64_t *set)
{
	int low = range->low, high = range->high, step = 1;
	bool many = true;
	char *end;

	if (*text == '*') {
		text++;
	} else {
		text = read_number(text, range, &low);
		many = text && *text == '-';
		high = low;
		if (many)
			text = read_number(text + 1, range, &high);
	}
	if (text && *text == '/' && many && isdigit((unsigned char)text[1])) {
		long value = strtol(text + 1, &end, 10);

		step = value < 1 || value > 99 ? 0 : value;
		text = end;
	}
	if (!text || high < low || step < 1)
		return NULL;
	for (int i = low; i <= high; i += step)
		*set |= 1ull << i;
	return text;
}

static const char *read_field(const char *text, const struct range *range, uint64_t *set)
{
	*set = 0;
	for (;;) {
		text = read_part(text, range, set);
		if (!text || *text != ',')
			return text;
		text++;
	}
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

const char *cron_read(struct cron *cron, const char *text)
{
	static char wrong[160];
	uint64_t *const sets[] = {
		&cron->minutes, &cron->hours, &cron->days, &cron->months, &cron->weekdays,
	};
	const char *fields[5], *at = text;

	for (int i = 0; i < 5; i++) {
		fields[i] = skip_blanks(at);
		at = read_field(fields[i], &ranges[i], sets[i]);
		if (at && (i < 4 ? *at == ' ' || *at == '\t' : !*skip_blanks(at)))
			continue;
		snprintf(wrong, sizeof(wrong), "has an impossible %s in cron: %.60s",
			 ranges[i].what, text);
		return wrong;
	}
	if (cron->weekdays & 1 << 7) /* both are Sunday */
		cron->weekdays |= 1;
	cron->any_day = *fields[2] == '*';
	cron->any_weekday = *fields[4] == '*';
	cron->wild = *fields[0] == '*' || *fields[1] == '*';
	return NULL;
}

struct day {
	int64_t year;
	int month, day, weekday;
};

/* The civil calendar from days since 1970; eras of 400 years that begin in March. */
static struct day day_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int month = (5 * of_year + 2) / 153;
	struct day day = { .day = of_year - (153 * month + 2) / 5 + 1 };

	day.month = month < 10 ? month + 3 : month - 9;
	day.year = year + era * 400 + (day.month <= 2);
	day.weekday = ((days + 4) % 7 + 7) % 7;
	return day;
}

static bool has(uint64_t set, int number)
{
	return set >> number & 1;
}

static bool day_matches(const struct cron *cron, const struct day *day)
{
	bool by_day = has(cron->days, day->day);
	bool by_weekday = has(cron->weekdays, day->weekday);

	if (!has(cron->months, day->month))
		return false;
	if (cron->any_day || cron->any_weekday)
		return by_day && by_weekday;
	return by_day || by_weekday;
}

/* The first minute of the day that matches, from `minute` on; -1: none. */
static int minute_of_day(const struct cron *cron, int minute)
{
	for (; minute < MINUTES_PER_DAY; minute++) {
		if (!has(cron->hours, minute / 60))
			minute += 59 - minute % 60;
		else if (has(cron->minutes, minute % 60))
			return minute;
	}
	return -1;
}

int64_t cron_next(const struct cron *cron, int64_t minute)
{
	int64_t next = minute + 1;
	int64_t days = (next >= 0 ? next : next - MINUTES_PER_DAY + 1) / MINUTES_PER_DAY;
	int64_t last = days + YEARS_MAX * 366;
	int from = next - days * MINUTES_PER_DAY;

	for (; days <= last; days++, from = 0) {
		struct day day = day_of(days);
		int found = day_matches(cron, &day) ? minute_of_day(cron, from) : -1;

		if (found >= 0)
			return days * MINUTES_PER_DAY + found;
	}
	return -1;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * adjust WHAT COUNTS: do to the clock what NTP and an administrator do.
 *
 * frequency   adjtimex() by 0, +500 and -500 ppm, MONOTONIC against RAW, each
 *             over COUNTS
 * slew        adjtime() by what takes about COUNTS
 * step        clock_settime() and settimeofday() by an hour and back
 * leap        a leap second about COUNTS from now
 *
 * The clock is put right again by what MONOTONIC says.
 */
#define _GNU_SOURCE
#include <sys/time.h>
#include <sys/timex.h>

#include "here.h"

#define FREQUENCY_UNIT 65536 /* adjtimex() counts in 2^-16 ppm */
#define FREQUENCY_PPM 500
#define SLEW_PPM 500 /* of adjtime(): MAX_TICKADJ in the kernel */
#define STEP_S 3600
#define DAY_S 86400
#define TRIES 200
#define NAP_REAL_NS 2000000LL

static int64_t ratio = 1;

/* A clock and MONOTONIC at the same time: the read that left least open. */
struct pair {
	int64_t ns, base_ns, open_ns;
};

static struct pair read_pair(clockid_t clock, clockid_t base)
{
	struct pair best = { .open_ns = INT64_MAX };

	for (int try = 0; try < TRIES; try++) {
		int64_t before = now(base), ns = now(clock), after = now(base);

		if (after - before < best.open_ns) {
			best.ns = ns;
			best.base_ns = before + (after - before) / 2;
			best.open_ns = after - before;
		}
	}
	return best;
}

static int64_t apart(clockid_t clock, int64_t *open_ns)
{
	struct pair pair = read_pair(clock, CLOCK_MONOTONIC);

	if (open_ns)
		*open_ns = pair.open_ns;
	return pair.ns - pair.base_ns;
}

/*
 * Never asleep for long: an idle kernel stops its tick and would go on at the
 * rate of the moment until it wakes.
 */
static void rest(int64_t real_ns)
{
	for (; real_ns > 0; real_ns -= NAP_REAL_NS)
		nap_real(NAP_REAL_NS, ratio);
}

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static int set_frequency(int ppm)
{
	struct timex change = { .modes = ADJ_FREQUENCY, .freq = (long)ppm * FREQUENCY_UNIT };

	return adjtimex(&change) < 0 ? -1 : 0;
}

static int frequency(uint64_t counts)
{
	static const int ppms[] = { 0, FREQUENCY_PPM, -FREQUENCY_PPM, 0 };
	int result = 0;

	for (size_t i = 0; i < sizeof(ppms) / sizeof(ppms[0]) && !result; i++) {
		struct pair first, last;
		uint64_t start;

		if (set_frequency(ppms[i]))
			result = fail("adjtimex");
		rest(10 * NAP_REAL_NS); /* some ticks: it takes effect with the next second */
		if (ratio == 1)
			rest(NSEC_PER_SEC);
		first = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW);
		start = counter();
		while (counter() - start < counts)
			nap_real(NAP_REAL_NS, ratio);
		last = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW);
		printf("{\"name\": \"frequency\", \"ppm\": %d, \"monotonic_ns\": %lld, \"raw_ns\": %lld, \"open_ns\": %lld}\n",
		       ppms[i], (long long)(last.ns - first.ns),
		       (long long)(last.base_ns - first.base_ns),
		       (long long)(first.open_ns / 2 + last.open_ns / 2));
	}
	set_frequency(0);
	return result;
}

/* How far the frequency alone takes MONOTONIC from RAW, to be told from a slew. */
static double drift_rate(uint64_t counts)
{
	struct pair first = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW), last;
	uint64_t start = counter();

	while (counter() - start < counts)
		rest(NAP_REAL_NS);
	last = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW);
	return (double)(last.ns - first.ns) / (last.base_ns - first.base_ns) - 1;
}

static int slew(uint64_t counts, double counts_per_second)
{
	const int64_t asked_us = counts / counts_per_second * SLEW_PPM * ratio;
	struct timeval delta = { .tv_sec = asked_us / USEC_PER_SEC,
				 .tv_usec = asked_us % USEC_PER_SEC };
	double drift = drift_rate(counts);
	struct pair first, last;
	struct timeval left;
	uint64_t start;
	int64_t raw_ns;

	first = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW);
	if (adjtime(&delta, NULL))
		return fail("adjtime");
	start = counter();
	do {
		nap_real(NAP_REAL_NS, ratio);
		if (adjtime(NULL, &left))
			return fail("adjtime");
	} while ((left.tv_sec || left.tv_usec) && counter() - start < 5 * counts);
	/* The last part is taken over the second that has begun. */
	rest(10 * NAP_REAL_NS);
	if (ratio < 100)
		rest(NSEC_PER_SEC * 3 / 2 / ratio);
	last = read_pair(CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW);
	raw_ns = last.base_ns - first.base_ns;
	printf("{\"name\": \"slew\", \"asked_ns\": %lld, \"gained_ns\": %.0f, \"left_ns\": %lld, \"open_ns\": %lld, \"counts\": %llu, \"drift\": %.9g}\n",
	       (long long)asked_us * 1000,
	       last.ns - first.ns - raw_ns * (1 + drift),
	       (long long)(left.tv_sec * USEC_PER_SEC + left.tv_usec) * 1000,
	       (long long)(first.open_ns / 2 + last.open_ns / 2),
	       (unsigned long long)(counter() - start), drift);
	return 0;
}

static int step_realtime(int64_t ns, int by_settimeofday)
{
	/* From MONOTONIC, so that a call more or less leaves no trace. */
	if (by_settimeofday) {
		struct timeval time;
		int64_t us = (now(CLOCK_REALTIME) + ns) / 1000;

		time.tv_sec = us / USEC_PER_SEC;
		time.tv_usec = us % USEC_PER_SEC;
		return settimeofday(&time, NULL);
	} else {
		struct timespec time = timespec_of(now(CLOCK_REALTIME) + ns);

		return clock_settime(CLOCK_REALTIME, &time);
	}
}

static int step(void)
{
	const int64_t start = apart(CLOCK_REALTIME, NULL);
	const int64_t tai = apart(CLOCK_TAI, NULL), boot = apart(CLOCK_BOOTTIME, NULL);
	int result = 0;

	for (int way = 0; way < 2 && !result; way++) {
		int64_t monotonic = now(CLOCK_MONOTONIC), open_ns = 0;
		uint64_t low = counter(), high;
		int64_t before = apart(CLOCK_REALTIME, NULL);

		if (step_realtime(STEP_S * NSEC_PER_SEC, way))
			result = fail("setting the clock");
		monotonic = now(CLOCK_MONOTONIC) - monotonic;
		high = counter();
		printf("{\"name\": \"step\", \"call\": \"%s\", \"asked_ns\": %lld, \"realtime_ns\": %lld, \"tai_ns\": %lld, \"boottime_ns\": %lld, \"monotonic_ns\": %lld, \"counts\": %llu, \"open_ns\": %lld}\n",
		       way ? "settimeofday" : "clock_settime", STEP_S * NSEC_PER_SEC,
		       (long long)(apart(CLOCK_REALTIME, &open_ns) - before),
		       (long long)(apart(CLOCK_TAI, NULL) - tai),
		       (long long)(apart(CLOCK_BOOTTIME, NULL) - boot),
		       (long long)monotonic, (unsigned long long)(high - low),
		       (long long)open_ns);
		step_realtime(start + now(CLOCK_MONOTONIC) - now(CLOCK_REALTIME), 0);
	}
	return result;
}

static int leap(uint64_t counts, double counts_per_second)
{
	const int64_t ahead_ns = counts / counts_per_second * ratio * NSEC_PER_SEC;
	const int64_t start = apart(CLOCK_REALTIME, NULL);
	struct timex change = { .modes = ADJ_STATUS, .status = STA_INS };
	int64_t tai_most = 0, open_ns, real, tai, midnight, late_ns = -1;
	struct timex state = { 0 };
	struct timespec time;
	int tai_offset, result;
	uint64_t begin;

	tai_offset = adjtimex(&state) < 0 ? 0 : state.tai;
	midnight = now(CLOCK_REALTIME) / NSEC_PER_SEC / DAY_S * DAY_S + DAY_S;
	time = timespec_of(midnight * NSEC_PER_SEC - ahead_ns);
	if (clock_settime(CLOCK_REALTIME, &time) || adjtimex(&change) < 0)
		return fail("preparing a leap second");
	real = apart(CLOCK_REALTIME, NULL);
	tai = apart(CLOCK_TAI, NULL);
	begin = counter();
	do {
		int64_t off = apart(CLOCK_TAI, &open_ns) - tai;

		/* What the reads leave open is no unsteadiness. */
		off = (off < 0 ? -off : off) - open_ns;
		if (off > tai_most)
			tai_most = off;
		if (late_ns < 0 && apart(CLOCK_REALTIME, &open_ns) - real < -NSEC_PER_SEC / 2)
			late_ns = now(CLOCK_REALTIME) - midnight * NSEC_PER_SEC;
	} while (counter() - begin < 2 * counts);
	memset(&state, 0, sizeof(state));
	result = adjtimex(&state);
	printf("{\"name\": \"leap\", \"realtime_ns\": %lld, \"tai_off_ns\": %lld, \"tai_offset_change\": %d, \"state\": %d, \"seen_at_ns\": %lld, \"open_ns\": %lld}\n",
	       (long long)(apart(CLOCK_REALTIME, &open_ns) - real), (long long)tai_most,
	       state.tai - tai_offset, result, (long long)late_ns, (long long)open_ns);
	change.modes = ADJ_STATUS;
	change.status = 0;
	adjtimex(&change);
	change.modes = ADJ_TAI;
	change.constant = tai_offset;
	adjtimex(&change);
	step_realtime(start + now(CLOCK_MONOTONIC) - now(CLOCK_REALTIME), 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t counts = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	double counts_per_second = argc > 3 ? strtod(argv[3], NULL) : 1;

	ratio = current_ratio();
	if (strcmp(what, "frequency") == 0)
		return frequency(counts);
	if (strcmp(what, "slew") == 0)
		return slew(counts, counts_per_second);
	if (strcmp(what, "step") == 0)
		return step();
	if (strcmp(what, "leap") == 0)
		return leap(counts, counts_per_second);
	fprintf(stderr, "usage: adjust frequency|slew|step|leap COUNTS COUNTS_PER_SECOND\n");
	return 2;
}

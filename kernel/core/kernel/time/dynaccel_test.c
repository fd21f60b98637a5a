// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the conversions between virtual and real time.
 */
#include <kunit/test.h>
#include <linux/clocksource.h>
#include <linux/dynaccel.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/time64.h>

#include "dynaccel_internal.h"

/* Clocksources as they come: name, frequency, the seconds they have to span. */
static const struct dynaccel_test_clock {
	const char	*name;
	u32		hz;
	u32		span;
} dynaccel_test_clocks[] = {
	{ "tsc 5 GHz",		4200000000U,	600 },
	{ "tsc 2.6 GHz",	2600000000U,	600 },
	{ "kvm-clock",		1000000000U,	600 },
	{ "hpet 100 MHz",	100000000U,	42 },
	{ "arch timer 54 MHz",	54000000U,	600 },
	{ "hpet 14 MHz",	14318180U,	299 },
	{ "acpi_pm",		3579545U,	4 },
	{ "32 kHz",		32768U,		600 },
	{ "1 kHz",		1000U,		600 },
};

static void dynaccel_test_factors(const struct dynaccel_test_clock *clock,
				  u32 *mult, u32 *shift)
{
	clocks_calc_mult_shift(mult, shift, clock->hz, NSEC_PER_SEC, clock->span);
	/* As clocksource registration does, to leave room for NTP. */
	while ((u64)*mult + dynaccel_max_adjustment(*mult) > U32_MAX) {
		*mult >>= 1;
		*shift -= 1;
	}
}

static void dynaccel_test_clock_name(const struct dynaccel_test_clock *clock,
				     char *name)
{
	strscpy(name, clock->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(dynaccel_test_clocks, dynaccel_test_clocks,
		  dynaccel_test_clock_name);

/* The scaled factors count N times as fast, to less than one part in a million. */
static void dynaccel_test_scale_rate(struct kunit *test)
{
	u32 base_mult, base_shift, mult, shift, ratio;
	u64 want, got;

	dynaccel_test_factors(test->param_value, &base_mult, &base_shift);

	for (ratio = DYNACCEL_RATIO_MIN; ratio <= DYNACCEL_RATIO_MAX; ratio++) {
		mult = base_mult;
		shift = base_shift;
		KUNIT_ASSERT_TRUE(test, dynaccel_scale(&mult, &shift, ratio));

		want = (u64)base_mult * ratio;
		got = (u64)mult << (base_shift - shift);
		KUNIT_ASSERT_LE_MSG(test, got > want ? got - want : want - got,
				    div_u64(want, 1000000),
				    "ratio %u: %u >> %u", ratio, mult, shift);
	}
}

/* Neither NTP's steering nor the length of a conversion runs into an overflow. */
static void dynaccel_test_scale_room(struct kunit *test)
{
	u32 base_mult, base_shift, mult, shift, ratio;

	dynaccel_test_factors(test->param_value, &base_mult, &base_shift);

	for (ratio = DYNACCEL_RATIO_MIN; ratio <= DYNACCEL_RATIO_MAX; ratio++) {
		mult = base_mult;
		shift = base_shift;
		KUNIT_ASSERT_TRUE(test, dynaccel_scale(&mult, &shift, ratio));
		KUNIT_ASSERT_LE(test, (u64)mult + dynaccel_max_adjustment(mult),
				(u64)U32_MAX);
		KUNIT_ASSERT_LE(test, shift, base_shift);
		/* A doubled multiplier halves the cycles that fit, no more. */
		if (base_shift >= ilog2(ratio))
			KUNIT_ASSERT_LE(test, mult / 2, base_mult);
	}
}

static void dynaccel_test_scale_identity(struct kunit *test)
{
	u32 mult = 8388608, shift = 23;

	KUNIT_EXPECT_TRUE(test, dynaccel_scale(&mult, &shift, 1));
	KUNIT_EXPECT_EQ(test, mult, 8388608U);
	KUNIT_EXPECT_EQ(test, shift, 23U);
}

static void dynaccel_test_scale_refuses(struct kunit *test)
{
	/* 100 Hz: at 1000 a cycle lasts 1e10 ns, which no 32 bits hold. */
	u32 mult = 10000000, shift = 0;

	KUNIT_EXPECT_FALSE(test, dynaccel_scale(&mult, &shift, 1000));
	KUNIT_EXPECT_EQ(test, mult, 10000000U);
	KUNIT_EXPECT_EQ(test, shift, 0U);
	KUNIT_EXPECT_TRUE(test, dynaccel_scale(&mult, &shift, 100));
	KUNIT_EXPECT_EQ(test, mult, 1000000000U);
}

static const s64 dynaccel_test_durations[] = {
	0, 1, 2, 999, 1000, 1001, NSEC_PER_USEC * 3333, NSEC_PER_SEC - 1,
	NSEC_PER_SEC, NSEC_PER_SEC * 86400LL * 365, S64_MAX / 1000,
	S64_MAX - DYNACCEL_RATIO_MAX,
};

/* What is programmed is long enough, and less than a nanosecond too long. */
static void dynaccel_test_never_early(struct kunit *test)
{
	u32 ratio;
	u64 got;
	s64 ns;
	int i;

	for (ratio = DYNACCEL_RATIO_MIN; ratio <= DYNACCEL_RATIO_MAX; ratio++) {
		for (i = 0; i < ARRAY_SIZE(dynaccel_test_durations); i++) {
			ns = dynaccel_test_durations[i];
			got = (u64)dynaccel_div_ns(ns, ratio) * ratio;
			KUNIT_ASSERT_GE(test, got, (u64)ns);
			KUNIT_ASSERT_LT(test, got - ns, (u64)ratio);
		}
	}
}

static void dynaccel_test_there_and_back(struct kunit *test)
{
	s64 ns, real;
	u32 ratio;

	for (ratio = DYNACCEL_RATIO_MIN; ratio <= DYNACCEL_RATIO_MAX; ratio++) {
		for (real = 0; real < NSEC_PER_SEC; real += 12345679) {
			ns = dynaccel_mul_ns(real, ratio);
			KUNIT_ASSERT_EQ(test, dynaccel_div_ns(ns, ratio), real);
		}
	}
}

static void dynaccel_test_saturation(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dynaccel_mul_ns(S64_MAX, 1), S64_MAX);
	KUNIT_EXPECT_EQ(test, dynaccel_mul_ns(S64_MAX, 2), S64_MAX);
	KUNIT_EXPECT_EQ(test, dynaccel_mul_ns(S64_MAX / 1000, 1000),
			S64_MAX / 1000 * 1000);
	KUNIT_EXPECT_EQ(test, dynaccel_mul_ns(S64_MAX / 1000 + 1, 1000), S64_MAX);
	KUNIT_EXPECT_EQ(test, dynaccel_mul_jiffies(21 * HZ, 1000), 21000UL * HZ);
	KUNIT_EXPECT_EQ(test, dynaccel_mul_jiffies(MAX_JIFFY_OFFSET, 1000),
			min_t(u64, MAX_JIFFY_OFFSET, U32_MAX * 1000ULL));
}

/* The way back from the scheduler's clock is exact, before and after a bend. */
static void dynaccel_test_sched_line(struct kunit *test)
{
	struct dynaccel_sched_map map = { .real = 500 * NSEC_PER_SEC };
	s64 offset;

	for (map.ratio = 1; map.ratio <= DYNACCEL_RATIO_MAX; map.ratio++) {
		map.virtual = map.real * map.ratio + 12345;
		for (offset = -1000; offset <= NSEC_PER_SEC; offset += 9999999) {
			u64 now = map.virtual + offset * map.ratio;

			KUNIT_ASSERT_EQ(test, dynaccel_sched_real(&map, now),
					map.real + offset);
		}
	}
}

/* A century of virtual time is still within what the line can tell. */
static void dynaccel_test_sched_far(struct kunit *test)
{
	struct dynaccel_sched_map map = { .ratio = DYNACCEL_RATIO_MAX };
	u64 century = 100ULL * 365 * 86400 * NSEC_PER_SEC;

	KUNIT_EXPECT_EQ(test, dynaccel_sched_real(&map, century),
			div_u64(century, DYNACCEL_RATIO_MAX));
}

/* What was stamped before the line started is not judged by its slope. */
static void dynaccel_test_sched_stall(struct kunit *test)
{
	const s64 limit = 3LL * NSEC_PER_SEC;
	struct dynaccel_sched_map map = {
		.real = 500 * NSEC_PER_SEC, .virtual = 77 * NSEC_PER_SEC,
	};

	for (map.ratio = 1; map.ratio <= DYNACCEL_RATIO_MAX; map.ratio++) {
		u64 judged = map.virtual + limit * map.ratio;

		KUNIT_ASSERT_EQ(test, dynaccel_sched_stall(&map, judged, limit),
				limit * map.ratio);
		KUNIT_ASSERT_EQ(test,
				dynaccel_sched_stall(&map, judged - map.ratio, limit),
				S64_MAX);
		/* A CPU whose clock is behind may be before the line. */
		KUNIT_ASSERT_EQ(test,
				dynaccel_sched_stall(&map, map.virtual - map.ratio,
						     limit),
				S64_MAX);
	}
}

/* Changes as they come, one after the other: a ratio, and for how long. */
static void dynaccel_test_bend(struct dynaccel_hw_line *line, u32 ratio, u64 passed)
{
	u64 now = line->jiffies + passed;

	line->hw_jiffies = dynaccel_hw_count(line, now);
	line->jiffies = now;
	line->ratio = ratio;
}

static u64 dynaccel_test_count(const struct dynaccel_hw_line *line, u64 jiffies_now)
{
	return dynaccel_hw_count(line, jiffies_now << DYNACCEL_HW_SHIFT) >> DYNACCEL_HW_SHIFT;
}

/* A deadline is reached at the very jiffy at which its count is. */
static void dynaccel_test_hw_due(struct kunit *test)
{
	struct dynaccel_hw_line line = { .ratio = 1 };
	unsigned long now, due, deadline, left;
	u64 hw, start;
	u32 ratio;

	line.jiffies = (u64)INITIAL_JIFFIES << DYNACCEL_HW_SHIFT;
	line.hw_jiffies = line.jiffies;
	for (ratio = 2; ratio <= DYNACCEL_RATIO_MAX; ratio++) {
		dynaccel_test_bend(&line, ratio, 12347654321ULL);
		start = line.jiffies;
		now = (start >> DYNACCEL_HW_SHIFT) + 77777;
		hw = dynaccel_test_count(&line, now);
		for (left = 1; left < 10 * HZ; left += 97) {
			deadline = hw + left;
			due = dynaccel_hw_due(&line, now, deadline);
			KUNIT_ASSERT_TRUE(test, time_after(due, now));
			KUNIT_ASSERT_GE(test, dynaccel_test_count(&line, due), deadline);
			KUNIT_ASSERT_LT(test, dynaccel_test_count(&line, due - 1), deadline);
		}
		KUNIT_ASSERT_TRUE(test, time_before(dynaccel_hw_due(&line, now, hw - 1), now));
		KUNIT_ASSERT_EQ(test, dynaccel_hw_due(&line, now, hw + MAX_JIFFY_OFFSET),
				now + MAX_JIFFY_OFFSET);
	}
}

/* Until the tick after a change jiffies are behind the line: the count waits. */
static void dynaccel_test_hw_behind(struct kunit *test)
{
	struct dynaccel_hw_line line = {
		.jiffies = 1000ULL << DYNACCEL_HW_SHIFT,
		.hw_jiffies = 50ULL << DYNACCEL_HW_SHIFT,
		.ratio = 1,
	};

	KUNIT_EXPECT_EQ(test, dynaccel_test_count(&line, 100), 50);
	KUNIT_EXPECT_EQ(test, dynaccel_test_count(&line, 1000), 50);
	KUNIT_EXPECT_EQ(test, dynaccel_test_count(&line, 1001), 51);
	KUNIT_EXPECT_EQ(test, dynaccel_hw_due(&line, 100, 60), 1010);
}

/* What is left of a jiffy at a change is not lost, however many changes come. */
static void dynaccel_test_hw_drift(struct kunit *test)
{
	struct dynaccel_hw_line line = { .ratio = 1 };
	u64 exact = 0;	/* in jiffies << 32 */
	u32 i, passed;

	for (i = 0; i < 100000; i++) {
		passed = (i * 2654435761U) >> 18;
		exact += div_u64((u64)passed << 32, line.ratio);
		dynaccel_test_bend(&line, (i * 40503U) % DYNACCEL_RATIO_MAX + 1,
				   (u64)passed << DYNACCEL_HW_SHIFT);
	}
	KUNIT_EXPECT_LE(test, line.hw_jiffies >> DYNACCEL_HW_SHIFT, exact >> 32);
	KUNIT_EXPECT_GE(test, (line.hw_jiffies >> DYNACCEL_HW_SHIFT) + 1, exact >> 32);
}

/* The mark goes on what is a duration, and comes off whatever is left of it. */
static void dynaccel_test_hw_tag(struct kunit *test)
{
	static const long plain[] = { 0, -1, -ERESTARTSYS, MAX_SCHEDULE_TIMEOUT };
	unsigned int i;
	long timeout;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		KUNIT_EXPECT_EQ(test, dynaccel_hwtime_tag(plain[i]), plain[i]);
		KUNIT_EXPECT_EQ(test, dynaccel_hwtime_untag(plain[i]), plain[i]);
	}
	for (timeout = 1; timeout < MAX_JIFFY_OFFSET / 3; timeout *= 3) {
		KUNIT_EXPECT_TRUE(test,
				  dynaccel_hwtime_tagged(dynaccel_hwtime_tag(timeout)));
		KUNIT_EXPECT_FALSE(test, dynaccel_hwtime_tagged(timeout));
		KUNIT_EXPECT_EQ(test, dynaccel_hwtime_untag(dynaccel_hwtime_tag(timeout)),
				timeout);
		KUNIT_EXPECT_EQ(test, dynaccel_hwtime_untag(timeout), timeout);
	}
}

static struct kunit_case dynaccel_test_cases[] = {
	KUNIT_CASE_PARAM(dynaccel_test_scale_rate, dynaccel_test_clocks_gen_params),
	KUNIT_CASE_PARAM(dynaccel_test_scale_room, dynaccel_test_clocks_gen_params),
	KUNIT_CASE(dynaccel_test_scale_identity),
	KUNIT_CASE(dynaccel_test_scale_refuses),
	KUNIT_CASE(dynaccel_test_never_early),
	KUNIT_CASE(dynaccel_test_there_and_back),
	KUNIT_CASE(dynaccel_test_saturation),
	KUNIT_CASE(dynaccel_test_sched_line),
	KUNIT_CASE(dynaccel_test_sched_far),
	KUNIT_CASE(dynaccel_test_sched_stall),
	KUNIT_CASE(dynaccel_test_hw_due),
	KUNIT_CASE(dynaccel_test_hw_behind),
	KUNIT_CASE(dynaccel_test_hw_drift),
	KUNIT_CASE(dynaccel_test_hw_tag),
	{ }
};

static struct kunit_suite dynaccel_test_suite = {
	.name = "dynaccel",
	.test_cases = dynaccel_test_cases,
};

kunit_test_suite(dynaccel_test_suite);

MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-or-later
/* A ratio that changes gradually: steps of equal factor, at equal virtual times. */
#include <math.h>

#include "ramp.h"
#include "ratio.h"
#include "timers.h"

#define STEP_FACTOR 1.02
#define STEPS_MAX 200

static struct timer timer;
static unsigned int from, to;
static int64_t begin, length;
static int step, steps;

int ramp_steps(unsigned int low, unsigned int high)
{
	double count = ceil(fabs(log((double)high / low)) / log(STEP_FACTOR));

	return count > STEPS_MAX ? STEPS_MAX : count < 1 ? 1 : (int)count;
}

unsigned int ramp_ratio(unsigned int first, unsigned int last, int i, int count)
{
	return lround(first * pow((double)last / first, (double)i / count));
}

static void handle_timer(struct timer *expired);

/* When step `i` is due: length * i / steps, which could overflow. */
static int64_t due(int i)
{
	return begin + length / steps * i + length % steps * i / steps;
}

static void arm(void)
{
	/* Ratios are whole numbers: some steps change nothing. */
	while (step < steps && ramp_ratio(from, to, step, steps) == ratio_now())
		step++;
	timer_at(&timer, due(step), handle_timer);
}

static void handle_timer(struct timer *expired)
{
	(void)expired;
	ratio_set(ramp_ratio(from, to, step, steps), "ramp");
	if (step++ < steps)
		arm();
}

void ramp_start(int64_t begin_ns, int64_t length_ns, unsigned int ratio)
{
	from = ratio_now();
	to = ratio;
	begin = begin_ns;
	length = length_ns;
	steps = ramp_steps(from, to);
	step = 1;
	arm();
}

void ramp_stop(void)
{
	timer_off(&timer);
}

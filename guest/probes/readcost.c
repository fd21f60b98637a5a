// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * readcost COUNT: what reading the clock costs. Prints how many nanoseconds of
 * the guest's own time a clock_gettime(CLOCK_MONOTONIC) takes, the smallest of
 * ten averages over COUNT calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	const long count = argc > 1 ? atol(argv[1]) : 100000;
	double best = 0;

	for (int round = 0; round < 10; round++) {
		struct timespec now;
		double start = nanoseconds(), each;

		for (long i = 0; i < count; i++)
			clock_gettime(CLOCK_MONOTONIC, &now);
		each = (nanoseconds() - start) / count;
		if (round == 0 || each < best)
			best = each;
	}
	printf("%.1f\n", best);
	return 0;
}

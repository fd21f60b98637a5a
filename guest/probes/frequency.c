// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counter's frequency by the kernel's own clock: on the host that which its
 * guests are told, in a guest what its kernel takes it to be.
 *
 * usage: frequency UNCERTAINTY MILLISECONDS
 *
 * Prints {"hertz": , "uncertainty": }, the latter a fraction of the former, as
 * soon as it is below UNCERTAINTY, or after MILLISECONDS. A busy machine does
 * no harm: what is late is the end of the measurement, not a reading.
 */
#include <stdlib.h>

#include "probe.h"

#define TRIES 500
#define STEP_NS (5 * NSEC_PER_SEC / 1000)

/* The clock showed NS while the counter went from COUNT to COUNT + WINDOW. */
struct stamp {
	uint64_t count;
	uint64_t window;
	int64_t ns;
};

/* Of several readings the one that nothing came between. */
static struct stamp take(void)
{
	struct stamp best = { .window = UINT64_MAX };

	for (int try = 0; try < TRIES; try++) {
		struct stamp one = { .count = counter() };

		/* Not MONOTONIC: a cached frequency must not hold what NTP slews just now. */
		one.ns = now(CLOCK_MONOTONIC_RAW);
		one.window = counter() - one.count;
		if (one.window < best.window)
			best = one;
	}
	return best;
}

int main(int argc, char **argv)
{
	const struct timespec step = timespec_of(STEP_NS);
	double bar, limit_ns, counts, ns, uncertainty;
	struct stamp first, last;

	if (argc != 3) {
		fprintf(stderr, "usage: frequency UNCERTAINTY MILLISECONDS\n");
		return 2;
	}
	bar = strtod(argv[1], NULL);
	limit_ns = strtod(argv[2], NULL) * 1e6;
	first = take();
	do {
		nanosleep(&step, NULL);
		last = take();
		ns = last.ns - first.ns;
		/* Each end lies in the middle of its window, half a window off at most. */
		counts = (double)(last.count - first.count) +
			 ((double)last.window - (double)first.window) / 2;
		uncertainty = ((double)first.window + (double)last.window) / 2 / counts;
	} while (uncertainty > bar && ns < limit_ns);
	printf("{\"hertz\": %.0f, \"uncertainty\": %.3g}\n", counts / ns * 1e9, uncertainty);
	return 0;
}

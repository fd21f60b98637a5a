# SPDX-License-Identifier: GPL-2.0-or-later
"""The part ``clocks``: rates, the tick, smoothness, and what adjusts the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.verify.parts import adjustments, rates, smoothness, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Yield the checks of all clocks at each ratio.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    tick = bench.tick_seconds
    for ratio in ratios:
        bench.set_ratio(ratio)
        bench.reporter.info(f"clocks at ratio {ratio}")
        yield from rates.measure(bench, ratio, tick)
        yield from smoothness.measure(bench, ratio)
        if not bench.local:
            # A machine has timers of other programs, and its own clock is not ours to set.
            yield from ticks.measure(bench, ratio, tick)
            yield from adjustments.measure(bench, ratio, tick)

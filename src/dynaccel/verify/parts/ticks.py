# SPDX-License-Identifier: GPL-2.0-or-later
"""How often the tick interrupts a CPU that computes: at every ratio as often as at ratio 1.

All else can be right when it comes too often, but a CPU that handles ticks does nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.verify.bench import Bench

PART = "clocks"
NAME = "ticks of a busy CPU"
WINDOW_SECONDS = 1.0
MOST = 0.15
"""Other interrupts of the timer come as well: we saw 1 % more than ticks at every ratio. Not much
more than this get through to a guest under emulation when its tick comes ten times too often."""
LEAST = 0.4
"""Fewer come when the host is busy: of the time that it left, this part may be without ticks."""
MOST_STOLEN = 0.6
"""A host that took more left too little to judge by: with ticks ten times too rare we saw 18 %."""

Record = dict[str, Any]


def measure(bench: Bench, ratio: int, tick_seconds: float) -> list[Check]:
    """Return whether the tick keeps its real frequency at a ratio.

    Raises:
        StageError: The probe failed or the guest ended.
    """

    def one_round() -> Iterator[Judged]:
        gap = bench.counts(tick_seconds / 2)
        for record in bench.probe("ticks", bench.counts(WINDOW_SECONDS), gap):
            yield Judged(
                check=judge(
                    record,
                    ratio=ratio,
                    tick_seconds=tick_seconds,
                    counts_per_second=bench.counts_per_second,
                )
            )

    return best(one_round)


def judge(record: Record, *, ratio: int, tick_seconds: float, counts_per_second: float) -> Check:
    """Judge what the probe ``ticks`` told.

    Args:
        record: Its record.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        counts_per_second: Frequency of the counter.
    """
    if "missing" in record:
        note = f"not there, not measured: {record['missing']}"
        return Check(part=PART, name=NAME, ratio=ratio, ok=True, note=note)
    real = record["counts"] / counts_per_second
    stolen = record["stolen_counts"] / counts_per_second / real
    error = record["interrupts"] * tick_seconds / real - 1
    note = f"{record['interrupts'] / real:.0f} a real second, {1 / tick_seconds:.0f} are right"
    if stolen > LEAST:
        note += f"; the host kept the CPU for itself {stolen:.0%} of the time"
    left = 1 - min(stolen, MOST_STOLEN)
    ok = (1 - LEAST) * left <= 1 + error <= 1 + MOST
    if not ok:
        note += "; look at the period of the tick (kernel/time/tick-sched.c)"
    return Check(part=PART, name=NAME, ratio=ratio, ok=ok, error=error, note=note)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "hardware waits": what drivers wait with takes real time at every ratio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

PART = "hardware waits"
ASKED_MS = 400
CHANGES: tuple[tuple[int, ...], ...] = ((1, 1000), (1000, 1), (10, 200, 3), (1, 1000, 1))
FIRST_MS = 100
"""From the beginning of the waits until the ratio changes, and from one change to the next."""
WHEEL_SHARE = 1 / 7.75
"""The timer wheel rounds up by its level's grain; a level begins at 63/8 of its own grain
(kernel/time/timer.c: LVL_START, LVL_GRAN)."""
TICKS = 3
"""A busy CPU looks at its timers in each tick. Jiffies are counted in ticks, begin somewhere in
one, and msleep() and jiffies that are compared take one more for it."""
BUSY_SHARE = 0.1
"""A busy host delivers ticks late: whoever reads jiffies then reads old ones, in any Linux, and
waits for less, up to this share as far as we saw. Another round tells."""
SCATTER_SECONDS = 0.03
"""Real time in which a thread under emulation on a shared host is woken up."""

Record = dict[str, Any]


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Let drivers' waits run at each ratio, and while it changes.

    Raises:
        StageError: The probe failed or the guest ended.
    """
    for plan in [*((ratio,) for ratio in ratios), *CHANGES]:
        yield from best(partial(_round, bench, plan))
    for plan in CHANGES:
        # What a busy CPU has to do when the ratio changes holds its timers' clock back.
        yield from best(partial(_round, bench, plan, busy=True))
    bench.set_ratio(1)


def _round(bench: Bench, plan: Sequence[int], *, busy: bool = False) -> Iterator[Judged]:
    bench.set_ratio(plan[0])
    words = [f"{ratio}:{FIRST_MS}" for ratio in plan[:-1]]
    per_ms = bench.counts(0.001)
    for record in bench.probe(
        "hardware", "busy" if busy else "idle", ASKED_MS, per_ms, *words, plan[-1]
    ):
        yield judge(
            record,
            plan=plan,
            busy=busy,
            tick_seconds=bench.tick_seconds,
            counts_per_second=bench.counts_per_second,
        )


def judge(
    record: Record,
    *,
    plan: Sequence[int],
    tick_seconds: float,
    counts_per_second: float,
    busy: bool = False,
) -> Judged:
    """Judge what the probe ``hardware`` told of one wait.

    Args:
        record: Its record.
        plan: The ratios during the wait, in turn.
        tick_seconds: Real time between two ticks.
        counts_per_second: Frequency of the counter.
        busy: Whether a process kept each CPU from being idle.
    """
    change = f", {' → '.join(map(str, plan))}" if len(plan) > 1 else ""
    change += ", busy CPUs" if busy else ""
    if "missing" in record:
        note = f"not there, not measured: {record['missing']}"
        check = Check(part=PART, name=f"all{change}", ratio=plan[-1], ok=True, note=note)
        return Judged(check=check, final=True)
    real = record["counts"] / counts_per_second
    asked = record["asked_ms"] / 1000
    # In any Linux who compares jiffies begins somewhere in one, and in an old one when a busy host
    # delays the tick.
    early = tick_seconds + record["stale_ns"] / 1e9 if record["kind"] == "jiffies" else 0.0
    late = real - asked
    bar = asked * WHEEL_SHARE + TICKS * tick_seconds + SCATTER_SECONDS
    ok = -early <= late <= bar
    return Judged(
        check=Check(
            part=PART,
            name=f"{record['kind']}{change}",
            ratio=plan[-1],
            ok=ok,
            late_us=late * 1e6,
            note="" if ok else f"asked for {asked} real s, took {real:.4g}; allowed +{bar:.3g}",
        ),
        final=late < -asked * BUSY_SHARE,
    )

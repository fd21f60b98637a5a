# SPDX-License-Identifier: GPL-2.0-or-later
"""The part ``cpu time``: what is used up is counted in virtual time, and timers on it go by that.

A process that computes all the time uses as much CPU time as time passes. What the kernel samples
by the tick (kernel/sched/cputime.c, the timers of kernel/time/posix-cpu-timers.c that go by user or
system time) has the grain of a tick, and misses the ticks of a virtual CPU that the host did not
run: the probe measures how long that was.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.parts import shares
from dynaccel.verify.parts.rates import CPU_BAR, IDLE_BAR, MOST_STOLEN
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dynaccel.verify.bench import Bench

PART = "cpu time"
WINDOW_SECONDS = 0.5
TIMER_SECONDS = 0.3
LOST_SECONDS = 6.0
"""Real time after which a timer counts as lost; RLIMIT_CPU alone takes a second at ratio 1."""
USER_TICK_SECONDS = 0.01
"""Virtual time: the unit of times() and /proc (USER_HZ is 100 on every architecture we know)."""
BY_CLOCK = ("timer_create",)
"""These timers go by the scheduler's clock, the others by ticks."""

Record = dict[str, Any]


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Yield the checks of CPU time at each ratio; ratio 1 is measured too, to compare with.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    bases: dict[str, float] = {}
    found: dict[str, float] = {}
    for ratio in sorted({1, *ratios}):
        bench.set_ratio(ratio)
        bench.reporter.info(f"cpu time at ratio {ratio}")
        steps = [
            partial(_accounting, bench, ratio),
            partial(_timers, bench, ratio, bases),
            *(partial(measure_share, bench, ratio, bases) for measure_share in shares.ALL),
        ]
        for check in chain.from_iterable(map(best, steps)):
            if ratio in ratios:
                yield check
            if ratio == 1 and check.late_us is not None:
                # Only now: at ratio 1 nothing is held against itself.
                found[check.name] = check.late_us
        bases.update(found)


def _accounting(bench: Bench, ratio: int) -> Iterator[Judged]:
    gap = bench.counts(bench.tick_seconds / 2)
    records = bench.probe("cputime", bench.counts(WINDOW_SECONDS), gap)
    for record in records:
        stolen = bench.real_seconds(record.get("stolen_counts", 0))
        yield Judged(
            check=judge_used(
                record, ratio=ratio, tick_seconds=bench.tick_seconds, stolen_seconds=stolen
            )
        )


def _timers(bench: Bench, ratio: int, bases: Mapping[str, float]) -> Iterator[Judged]:
    gap = bench.counts(bench.tick_seconds / 2)
    asked_ns = round(TIMER_SECONDS * ratio * 1e9)
    for record in bench.probe("cputimers", asked_ns, bench.counts(LOST_SECONDS), gap):
        yield judge_timer(
            record,
            ratio=ratio,
            tick_seconds=bench.tick_seconds,
            stolen_seconds=bench.real_seconds(record["stolen_counts"]),
            base_us=bases.get(record["name"]),
        )


def judge_used(record: Record, *, ratio: int, tick_seconds: float, stolen_seconds: float) -> Check:
    """Judge how much CPU time an interface found in a computing process (or an idle CPU).

    Args:
        record: A record of the probe ``cputime``.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        stolen_seconds: Real time for which the host did not run the virtual CPU.
    """
    if "missing" in record:
        return Check(
            part=PART, name=record["name"], ratio=ratio, ok=True,
            note=f"not there, not measured: {record['missing']}",
        )  # fmt: skip
    wall = record["wall_ns"] / 1e9
    found = record["used_ns"] / 1e9 / wall
    bar = IDLE_BAR if record["kind"] == "idle" and ratio > 1 else CPU_BAR
    allowed = bar + USER_TICK_SECONDS / wall
    notes = []
    if record["kind"] != "fine":
        allowed += tick_seconds * ratio / wall + min(stolen_seconds * ratio / wall, MOST_STOLEN)
        if stolen_seconds * ratio / wall > CPU_BAR:
            notes.append(f"the host kept the CPU for {stolen_seconds * ratio / wall:.0%}")
    ok = abs(found - 1) <= allowed
    if not ok:
        notes.append(
            "look at the scheduler's clock (sched_clock)"
            if record["kind"] == "fine"
            else "look at the accounting of ticks (kernel/sched/cputime.c)"
        )
    return Check(
        part=PART, name=record["name"], ratio=ratio, ok=ok, reached=found * ratio,
        error=found - 1, note="; ".join(notes),
    )  # fmt: skip


def judge_timer(
    record: Record,
    *,
    ratio: int,
    tick_seconds: float,
    stolen_seconds: float,
    base_us: float | None,
) -> Judged:
    """Judge when a timer on CPU time fired.

    Args:
        record: A record of the probe ``cputimers``.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        stolen_seconds: Real time for which the host did not run the virtual CPU.
        base_us: How late it was at ratio 1, in real microseconds.
    """
    name = record["name"]
    if not record["fired"]:
        return Judged(
            check=Check(
                part=PART, name=name, ratio=ratio, ok=False,
                note=f"it did not fire within {LOST_SECONDS:.0f} real s of computing",
            )
        )  # fmt: skip
    late = (record["used_ns"] - record["asked_ns"]) / 1e9 / ratio
    by_clock = name.startswith(BY_CLOCK)
    # A tick charges a whole tick to whom it finds, who may just have come, and who also pays for
    # what the kernel itself did on that CPU since the last one.
    room = 0.0 if by_clock else tick_seconds + CPU_BAR * record["asked_ns"] / 1e9 / ratio
    early = late < -room
    in_time = late <= 2 * tick_seconds + stolen_seconds
    notes = []
    if early:
        notes.append(f"early by {-late * 1e6:.0f} real us of CPU time")
    elif not in_time:
        notes.append("look at the check of CPU timers in the tick (run_posix_cpu_timers)")
    if stolen_seconds > 2 * tick_seconds:
        notes.append(f"the host kept the CPU for {stolen_seconds:.2f} s")
    return Judged(
        check=Check(
            part=PART, name=name, ratio=ratio, ok=in_time and not early, late_us=late * 1e6,
            late_base_us=base_us, note="; ".join(notes),
        ),
        final=early,
    )  # fmt: skip

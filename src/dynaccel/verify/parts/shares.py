# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the scheduler shares out the CPUs as it does at ratio 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynaccel.verify.bench import Bench

PART = "cpu time"
WINDOW_SECONDS = 1.0
PERIODS_US = (100_000, 1_000_000)
"""Virtual time: the default period of cpu.max, and the longest."""
PERIODS_MIN = 5
"""Fewer periods in the window would measure where in a period it began."""
SHARE_BAR = 0.2
PERIOD_BAR = 0.05
LATENCY_FACTOR = 2.0

Record = dict[str, Any]


def measure_quota(bench: Bench, ratio: int, bases: Mapping[str, float]) -> Iterator[Judged]:
    """Yield the checks of a limited control group; arguments as in :data:`ALL`."""
    del bases
    for period_us in PERIODS_US:
        if WINDOW_SECONDS * ratio * 1e6 / period_us >= PERIODS_MIN:
            for record in bench.probe("shares", "quota", bench.counts(WINDOW_SECONDS), period_us):
                yield Judged(check=judge_quota(record, ratio=ratio))


def measure_deadline(bench: Bench, ratio: int, bases: Mapping[str, float]) -> Iterator[Judged]:
    """Yield the checks of a SCHED_DEADLINE process; arguments as in :data:`ALL`."""
    del bases
    for record in bench.probe("shares", "deadline", bench.counts(WINDOW_SECONDS)):
        yield Judged(check=judge_deadline(record, ratio=ratio))


def measure_fair(bench: Bench, ratio: int, bases: Mapping[str, float]) -> Iterator[Judged]:
    """Yield the check of processes that all compute; arguments as in :data:`ALL`."""
    del bases
    for record in bench.probe("shares", "fair", bench.counts(2 * WINDOW_SECONDS)):
        yield Judged(check=judge_fair(record, ratio=ratio))


def measure_latency(bench: Bench, ratio: int, bases: Mapping[str, float]) -> Iterator[Judged]:
    """Yield the checks of a sleeper among such processes; arguments as in :data:`ALL`."""
    for record in bench.probe("shares", "latency", bench.counts(2 * WINDOW_SECONDS)):
        for check in judge_latency(record, ratio=ratio, bases=bases, tick=bench.tick_seconds):
            yield Judged(check=check)


ALL = (measure_quota, measure_fair, measure_latency, measure_deadline)
"""Each measures one round at a ratio that is set already; it takes the bench, the ratio, and how
late each check was at ratio 1 by its name, in real microseconds."""


def judge_quota(record: Record, *, ratio: int) -> Check:
    """Judge a control group that may use half of a CPU."""
    share = record["used_ns"] / record["wall_ns"]
    error = share / 0.5 - 1
    return Check(
        part=PART,
        name=f"cpu.max of 50 %, period {record['period_us'] // 1000} ms",
        ratio=ratio,
        ok=abs(error) <= SHARE_BAR,
        error=error,
        note=f"it got {share:.1%} of a CPU"
        + _culprit(abs(error) <= SHARE_BAR, "the refill of the quota (sched_cfs_period_timer)"),
    )


def judge_deadline(record: Record, *, ratio: int) -> Check:
    """Judge the share or the period of a SCHED_DEADLINE process."""
    if record["name"] == "deadline share":
        share = record["used_ns"] / record["wall_ns"]
        error = share / record["share"] - 1
        ok = abs(error) <= SHARE_BAR
        note = f"it got {share:.1%} of a CPU, asked for {record['share']:.0%}"
    else:
        error = record["median_ns"] / record["period_ns"] - 1
        ok = abs(error) <= PERIOD_BAR
        note = f"median of {record['periods']} periods {record['median_ns'] / 1e6:.3f} virtual ms"
    name = record["name"].replace("deadline", "SCHED_DEADLINE")
    note += _culprit(ok, "the timers of the deadline class (kernel/sched/deadline.c)")
    return Check(part=PART, name=name, ratio=ratio, ok=ok, error=error, note=note)


def judge_fair(record: Record, *, ratio: int) -> Check:
    """Judge how evenly the CPUs are shared by processes that all compute."""
    fair = record["wall_ns"] * record["cpus"] / record["hogs"]
    errors = [record["least_ns"] / fair - 1, record["most_ns"] / fair - 1]
    worst = max(errors, key=abs)
    ok = abs(worst) <= SHARE_BAR
    return Check(
        part=PART,
        name=f"fairness to {record['hogs']} processes on {record['cpus']} CPUs",
        ratio=ratio,
        ok=ok,
        error=worst,
        note=f"from {1 + errors[0]:.0%} to {1 + errors[1]:.0%} of a fair share"
        + _culprit(ok, "the fair class: its slices and its balancing (kernel/sched/fair.c)"),
    )


def judge_latency(
    record: Record, *, ratio: int, bases: Mapping[str, float], tick: float
) -> Iterator[Check]:
    """Judge how late a sleeper wakes among processes that compute, in real time.

    Args:
        record: The record of ``shares latency``.
        ratio: The ratio.
        bases: The same at ratio 1, by name.
        tick: Real time between two ticks, in seconds.
    """
    for key, name in (("median_ns", "median"), ("p99_ns", "99th percentile")):
        title = f"latency among {record['hogs']} processes, {name}"
        late_us = record[key] / 1e3 / ratio
        base_us = bases.get(title)
        ok = base_us is None or late_us <= LATENCY_FACTOR * base_us + tick * 1e6
        yield Check(
            part=PART,
            name=title,
            ratio=ratio,
            ok=ok,
            late_us=late_us,
            late_base_us=base_us,
            note=f"{record['samples']} samples" + _culprit(ok, "preemption on a wake-up"),
        )


def _culprit(ok: bool, what: str) -> str:
    return "" if ok else f"; look at {what}"

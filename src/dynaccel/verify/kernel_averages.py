# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel averages over time: load and pressure, and the length of RCU's grace periods."""

from __future__ import annotations

from math import exp
from statistics import median
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.kernel_timers import PART, SCATTER_SECONDS, SCATTER_STEP_SECONDS
from dynaccel.verify.rounds import Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

HOGS = 2
LOAD_SECONDS = 60.0
LOAD_PERIOD_SECONDS = 5.0
"""The load of one minute is taken every 5 s (include/linux/sched/loadavg.h)."""
LOAD_BELOW, LOAD_ABOVE = 0.3, 0.6
"""Tasks of the guest that run beside the hogs, and hogs that are being started."""
LOAD_SOURCE = "calc_global_load() in kernel/sched/loadavg.c"
PRESSURE_SECONDS = 10.0
PRESSURE_PERIOD_SECONDS = 2.0
"""avg10 is renewed every 2 s (PSI_FREQ, kernel/sched/psi.c)."""
PRESSURE_LEAST, PRESSURE_MOST = 0.7, 1.02
"""Two hogs on one CPU are one that waits all the time; a CPU that idles weighs little, not 0."""
PRESSURE_QUIET = 8.0
"""Percent of pressure that the guest's own work may make in ten seconds."""
MAX_LONGER = 2.0
MAX_TICKS_LONGER = 2

Record = dict[str, Any]


def _delay(ratio: int, tick_seconds: float, period_seconds: float) -> float:
    """Return how old a reading may be, in virtual seconds."""
    scatter = SCATTER_SECONDS + SCATTER_STEP_SECONDS
    return period_seconds + (2 * tick_seconds + scatter) * ratio


def judge_pressure(
    records: Iterable[Record],
    *,
    ratio: int,
    tick_seconds: float,
    real_seconds: Callable[[int], float],
) -> Iterator[Judged]:
    """Judge the readings of the probe ``pressure``.

    Args:
        records: What it printed.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        real_seconds: What a difference of the counter is in real seconds.
    """
    before, loaded, released, rested = (
        record for name in ("before", "loaded", "released", "rested")
        for record in records if record["reading"] == name
    )  # fmt: skip

    def check(name: str, note: str, *, ok: bool, ends: tuple[Record, Record]) -> Judged:
        if not ok:
            note += f": look at {'kernel/sched/psi.c' if 'press' in name else LOAD_SOURCE}"
        reached = _seconds(*ends) / real_seconds(ends[1]["counts"] - ends[0]["counts"])
        error = reached / ratio - 1
        return Judged(
            check=Check(
                part=PART, name=name, ratio=ratio, ok=ok, reached=reached, error=error, note=note
            )
        )

    up, down = _seconds(before, loaded), _seconds(released, rested)
    delay = _delay(ratio, tick_seconds, LOAD_PERIOD_SECONDS)
    first, last, end = before["load1"], loaded["load1"], rested["load1"]
    low, high = sorted(
        HOGS + (first - HOGS) * exp(-max(0.0, after) / LOAD_SECONDS)
        for after in (up - delay, up + delay)
    )
    yield check(
        f"load average of {HOGS} hogs",
        f"{last:.2f} after {up:.0f} virtual s, from {first:.2f}; may be"
        f" {low - LOAD_BELOW:.2f} to {high + LOAD_ABOVE:.2f}",
        ok=low - LOAD_BELOW <= last <= high + LOAD_ABOVE,
        ends=(before, loaded),
    )
    low = released["load1"] * exp(-(down + delay) / LOAD_SECONDS) - LOAD_BELOW
    high = released["load1"] * exp(-max(0.0, down - delay) / LOAD_SECONDS) + LOAD_ABOVE
    yield check(
        "load average decays",
        f"{released['load1']:.2f}, after {down:.0f} virtual s {end:.2f}; may be"
        f" {max(0.0, low):.2f} to {high:.2f}",
        ok=low <= end <= high,
        ends=(released, rested),
    )
    share = (loaded["total_us"] - before["total_us"]) / 1e6 / up
    yield check(
        "CPU pressure, total",
        f"grew by {share:.1%} of virtual time; may be {PRESSURE_LEAST:.0%} to {PRESSURE_MOST:.0%}",
        ok=PRESSURE_LEAST <= share <= PRESSURE_MOST,
        ends=(before, loaded),
    )
    yield check(
        "CPU pressure, avg10",
        f"{loaded['avg10']:.1f} % under load; may be {PRESSURE_LEAST:.0%} or more",
        ok=loaded["avg10"] >= PRESSURE_LEAST * 100,
        ends=(before, loaded),
    )
    delay = _delay(ratio, tick_seconds, 2 * PRESSURE_PERIOD_SECONDS)
    low = released["avg10"] * exp(-(down + delay) / PRESSURE_SECONDS) - 1
    high = released["avg10"] * exp(-max(0.0, down - delay) / PRESSURE_SECONDS) + PRESSURE_QUIET
    yield check(
        "CPU pressure decays",
        f"{released['avg10']:.1f} %, after {down:.0f} virtual s {rested['avg10']:.1f} %; may be"
        f" {max(0.0, low):.1f} to {high:.1f}",
        ok=low <= rested["avg10"] <= high,
        ends=(released, rested),
    )


def _seconds(first: Mapping[str, Any], last: Mapping[str, Any]) -> float:
    return float(last["virtual_ns"] - first["virtual_ns"]) / 1e9


def grace_seconds(records: Iterable[Record], real_seconds: Callable[[int], float]) -> float:
    """Return the median of the grace periods that the probe ``grace`` saw, in real seconds."""
    return median(real_seconds(record["counts"]) for record in records)


def judge_grace(
    seconds: float, base_seconds: float, *, ratio: int, tick_seconds: float
) -> Iterator[Judged]:
    """Judge how long a grace period takes against one at ratio 1.

    Args:
        seconds: Real time of one at ``ratio``.
        base_seconds: Real time of one at ratio 1.
        ratio: The ratio.
        tick_seconds: Real time between two ticks.
    """
    bar = MAX_LONGER * base_seconds + MAX_TICKS_LONGER * tick_seconds
    check = Check(
        part=PART,
        name="RCU grace period, real time",
        ratio=ratio,
        ok=seconds <= bar,
        late_us=seconds * 1e6,
        late_base_us=base_seconds * 1e6,
        note=f"may take {bar * 1e3:.1f} real ms"
        + ("" if seconds <= bar else ": look at what RCU waits for in jiffies"),
    )
    yield Judged(check=check)

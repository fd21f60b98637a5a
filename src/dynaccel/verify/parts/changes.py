# SPDX-License-Identifier: GPL-2.0-or-later
"""The part ``changes``: random ratios under load, CPUs and clocksources that come and go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.clocks import Stamp

PART = "changes"
COUNT = 1000
LIMIT_SECONDS = 600.0
LOST_SECONDS = 20.0
"""Real time: a nap of 0.25 virtual s that takes longer is lost, however busy the host."""
LAG_TICKS = 3.0
"""What the tick brings along may be behind after a change: one tick that is due, and a late one."""
JIFFIES_DRIFT_SECONDS = 0.02
"""Virtual time: jiffies are read in units of 10 ms, and a tick may be under way at either end."""
RATE_BAR = 0.001
RATE_SECONDS = 2.0
CLOCKSOURCES = "/sys/devices/system/clocksource/clocksource0"
FINE = ("realtime", "monotonic", "monotonic_raw", "boottime", "tai")

Record = dict[str, Any]


def measure(bench: Bench, ratios: Sequence[int], count: int = COUNT) -> Iterator[Check]:
    """Yield what came of random changes, and the rates after what else disturbs time.

    Args:
        bench: Where to measure.
        ratios: The highest is the one at which CPUs and clocksources are switched.
        count: How many changes.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    bench.reporter.info(f"{count} changes of the ratio")
    record = bench.probe("changes", count, bench.counts(LOST_SECONDS), limit_seconds=LIMIT_SECONDS)[
        0
    ]
    yield from judge(record, count=count, counts_per_second=bench.counts_per_second)
    ratio = max(ratios)
    bench.set_ratio(ratio)
    bench.reporter.info(f"CPUs and clocksources at ratio {ratio}")
    if not bench.local:
        # Not on a machine that others use.
        yield from _hotplug(bench, ratio)
        yield from _clocksources(bench, ratio)
    bench.set_ratio(1)
    yield from _rate(bench, 1, "after all changes")


def judge(record: Record, *, count: int, counts_per_second: float) -> Iterator[Check]:
    """Judge the record of the probe ``changes``.

    Args:
        record: The record.
        count: How many changes were asked for.
        counts_per_second: Frequency of the counter.
    """

    def check(name: str, note: str, *, ok: bool) -> Check:
        return Check(part=PART, name=name, ratio=1000, ok=ok, note=note)

    reads, naps = record["reads"], record["naps"]
    yield check(f"{count} changes", f"{record['changes']} were made", ok=record["changes"] == count)
    backward = ", ".join(f"{name} {times} times" for name, times in record["backward"].items())
    yield check(
        "no clock goes back",
        f"back: {backward}; look at the rescaling in stop_machine()"
        if backward
        else f"{reads} reads of each",
        ok=reads > 0 and not backward,
    )
    yield check(
        "vDSO and system call agree",
        f"the system call was behind the vDSO {record['crossed']} times of {reads}",
        ok=reads > 0 and record["crossed"] == 0,
    )
    yield check(
        "no wait ends early",
        f"{record['early']} of {naps}, by up to {record['earliest_ns'] / 1e6:.3f} virtual ms"
        + ("; look at the arming of the clock event device" if record["early"] else ""),
        ok=naps > 0 and record["early"] == 0 and record["failed"] == 0,
    )
    longest = record["longest_counts"] / counts_per_second
    yield check(
        "no wait is lost",
        f"the longest of {naps} took {longest:.3f} real s"
        + ("; look at the arming of the clock event device" if record["lost"] else ""),
        ok=naps > 0 and not record["lost"],
    )
    for key, what in (("lag_ticks_fast", "1 to 1000"), ("lag_ticks_slow", "1000 to 1")):
        lag = record[key]
        ok = lag <= LAG_TICKS
        yield check(
            f"coarse clocks in line after {what}",
            f"{lag:.2f} ticks behind" + ("" if ok else "; look at what makes the tick due"),
            ok=ok,
        )
    drift = record["jiffies_drift_ns"] / 1e9
    yield check(
        "jiffies in line after all",
        f"{drift * 1e3:+.3f} virtual ms against MONOTONIC",
        ok=abs(drift) <= JIFFIES_DRIFT_SECONDS,
    )


def _hotplug(bench: Bench, ratio: int) -> Iterator[Check]:
    control = f"/sys/devices/system/cpu/cpu{bench.cpus - 1}/online"
    if bench.cpus < 2:  # noqa: PLR2004
        return
    try:
        bench.shell(f"echo 0 >{control}")
        yield from _rate(bench, ratio, "with a CPU taken offline")
    finally:
        bench.shell(f"echo 1 >{control}")
    yield from _rate(bench, ratio, "with the CPU back online")


def _clocksources(bench: Bench, ratio: int) -> Iterator[Check]:
    current = f"{CLOCKSOURCES}/current_clocksource"
    first = bench.shell(f"cat {current}").strip()
    names = bench.shell(f"cat {CLOCKSOURCES}/available_clocksource").split()
    try:
        for name in [*(name for name in names if name != first), first]:
            told = bench.shell(f"echo {name} >{current}; cat {current}").strip()
            if told != name:
                yield Check(
                    part=PART, name=f"clocksource {name}", ratio=ratio, ok=False,
                    note=f"asked for it, the kernel uses {told}",
                )  # fmt: skip
                continue
            yield from _rate(bench, ratio, f"with clocksource {name}")
    finally:
        bench.shell(f"echo {first} >{current}")


def _rate(bench: Bench, ratio: int, when: str) -> list[Check]:
    def one_round() -> Iterator[Judged]:
        first = bench.stamp()
        time.sleep(RATE_SECONDS)
        last = bench.stamp()
        real = last.real_seconds - first.real_seconds
        unclear = (first.uncertainty_seconds + last.uncertainty_seconds) / real
        if bench.local:
            # This program's own clock is what is measured: the counter tells real time.
            real = bench.real_seconds(last.counter - first.counter)
            unclear = bench.real_uncertainty
        yield Judged(
            check=judge_rate(first, last, real=real, unclear=unclear, ratio=ratio, when=when)
        )

    return best(one_round)


def judge_rate(  # noqa: D417
    first: Stamp, last: Stamp, *, real: float, unclear: float, ratio: int, when: str
) -> Check:
    """Judge the worst of the fine clocks between two stamps.

    Args:
        real: Real seconds between the two.
        unclear: How far off that may be, as a fraction.
        ratio: The ratio that was asked for.
        when: What had happened before, for the name of the check.
    """
    reached = {name: (last.clocks_ns[name] - first.clocks_ns[name]) / 1e9 / real for name in FINE}
    worst = max(FINE, key=lambda name: abs(reached[name] / ratio - 1))
    error = reached[worst] / ratio - 1
    ok = abs(error) <= RATE_BAR + unclear
    return Check(
        part=PART,
        name=f"rate {when}",
        ratio=ratio,
        ok=ok,
        reached=reached[worst],
        error=error,
        note=f"worst: {worst}, ±{unclear:.3%} by this measurement"
        + ("" if ok else "; look at dynaccel_clocksource()"),
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast every source of time runs, against the counter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dynaccel.verify.bench import Bench

PART = "clocks"
WINDOW_SECONDS = 2.0
RATE_BAR = 0.001
"""The bar of the project for every clock."""
CPU_BAR = 0.05
"""Of a spinning thread: what the kernel itself does on that CPU is not the thread's. At 1000 its
periodic work comes a thousand times as often in real time, and takes nearly 3 % under emulation."""
STAT_BAR = 0.02
"""Of times that are added up tick by tick."""
IDLE_BAR = 0.1
"""Of the naps of an idle CPU, at ratios above 1. What it does between two naps is in no count
unless a tick falls into it (tick_nohz_stop_idle() ends one nap, the next begins after the work; so
in Linux without acceleration). The periodic work comes N times as often: measured 1 % at ratio 1, 1
to 3 % at 200, and at 1000 up to 7 % under emulation on a busy host; of an emulated arm64 8 to 9 %
at 200 and 1000."""
MOST_STOLEN = 0.8
"""A host that took more left too little to judge by: on a kernel that counts in real time the
error is 90 % at ratio 10, and no host may make that hold."""
OFFSET_SLACK_SECONDS = 0.001
"""Real time by which an offset of a time namespace may seem off: two reads apart."""

Record = dict[str, Any]

_CULPRITS = (
    ("/proc/stat", "the accounting of ticks (kernel/sched/cputime.c)"),
    ("CPU time", "the scheduler's clock (sched_clock)"),
    ("stamp in the kernel's log", "the scheduler's clock (local_clock in printk)"),
    ("ftrace stamp, mono", "the clock that NMIs read (ktime_get_mono_fast_ns)"),
    ("perf's clock", "what perf tells programs of the counter (perf_event_update_userpage)"),
    ("ftrace stamp", "the scheduler's clock (sched_clock)"),
    ("times", "jiffies (tick_do_update_jiffies64)"),
    ("coarse", "the update of the timekeeper by the tick"),
    ("mtime", "the update of the timekeeper by the tick"),
    ("time namespace", "the vDSO's data for time namespaces"),
    ("vDSO", "the vDSO's copy of mult and shift"),
)
_ANY_CULPRIT = "the clocksource: its shadow, or its calibration as the kernel booted"


def measure(bench: Bench, ratio: int, tick_seconds: float) -> list[Check]:
    """Return the rate of every source at a ratio.

    Raises:
        StageError: The probe failed or the guest ended.
    """

    def one_round() -> Iterator[Judged]:
        gap = bench.counts(tick_seconds / 2)
        records = bench.probe("rates", bench.counts(WINDOW_SECONDS), gap)
        bench.calibrate()
        return judge(
            records,
            ratio=ratio,
            counts_per_second=bench.counts_per_second,
            uncertainty=bench.real_uncertainty,
            tick_seconds=tick_seconds,
        )

    return best(one_round)


def judge(
    records: Sequence[Record],
    *,
    ratio: int,
    counts_per_second: float,
    uncertainty: float,
    tick_seconds: float,
) -> Iterator[Judged]:
    """Judge what the probe ``rates`` told.

    Args:
        records: Its records.
        ratio: The ratio that was asked for.
        counts_per_second: Frequency of the counter.
        uncertainty: How far off that may be, as a fraction.
        tick_seconds: Real time between two ticks.
    """
    named = {record["name"]: record for record in records}
    stolen = named.get("host", {}).get("stolen_counts", 0) / counts_per_second
    for record in records:
        if record["kind"] == "host":
            continue
        if "missing" in record:
            yield Judged(check=_missing(record, ratio))
            continue
        begin, end = (_middle(record, at) for at in ("begin", "end"))
        real = (end - begin) / counts_per_second
        reached = (record["end_ns"] - record["begin_ns"]) / 1e9 / real
        unclear = uncertainty + _width(record) / 2 / counts_per_second / real
        bar, extra = _bar(record["kind"], ratio, real, tick_seconds, stolen)
        error = reached / ratio - 1
        ok = abs(error) <= bar + extra + unclear
        yield Judged(
            check=Check(
                part=PART,
                name=record["name"],
                ratio=ratio,
                ok=ok,
                reached=reached,
                error=error,
                note=_note(record, ratio, ok=ok, unclear=unclear, stolen=extra and stolen / real),
            )
        )
        if record["offset_ns"]:
            yield Judged(check=_offset(record, named, ratio, counts_per_second))


def _bar(
    kind: str, ratio: int, real: float, tick_seconds: float, stolen: float
) -> tuple[float, float]:
    """Return the bar of a kind of source and what the host took away of it."""
    match kind:
        case "cpu":
            return CPU_BAR, 0.0
        case "stat" | "idle":
            # A tick that the host did not let happen is counted once for all that were missed.
            bar = IDLE_BAR if kind == "idle" and ratio > 1 else STAT_BAR
            return bar + tick_seconds / real, min(stolen / real, MOST_STOLEN)
        case "edge":
            # A tick that the host delays moves it to when that tick was due: to a whole jiffy.
            return RATE_BAR + tick_seconds / ratio / real, 0.0
        case "tick" | "seconds":
            # Moves with the tick after its time: up to one at either end.
            return RATE_BAR + tick_seconds / real, 0.0
        case _:
            return RATE_BAR, 0.0


def _offset(
    record: Record, named: Mapping[str, Record], ratio: int, counts_per_second: float
) -> Check:
    clock = "monotonic" if record["name"].startswith("monotonic") else "boottime"
    outside = named[f"{clock}, system call"]
    apart = (_middle(record, "begin") - _middle(outside, "begin")) / counts_per_second * ratio
    seen = (record["begin_ns"] - outside["begin_ns"]) / 1e9 - apart
    off = seen - record["offset_ns"] / 1e9
    return Check(
        part=PART,
        name=f"offset of {record['name']}",
        ratio=ratio,
        # The counter's own uncertainty over the time between the two reads counts too.
        ok=abs(off) <= OFFSET_SLACK_SECONDS * ratio + RATE_BAR * abs(apart),
        error=off / (record["offset_ns"] / 1e9),
        note=f"off by {off:.6f} virtual s",
    )


def _missing(record: Record, ratio: int) -> Check:
    return Check(
        part=PART,
        name=record["name"],
        ratio=ratio,
        ok=True,
        note=f"not there, not measured: {record['missing']}",
    )


def _note(record: Record, ratio: int, *, ok: bool, unclear: float, stolen: float) -> str:
    notes = []
    if unclear > RATE_BAR / 2:
        notes.append(f"±{unclear:.3%} by this measurement")
    if stolen > STAT_BAR:
        notes.append(f"the host kept the CPU for itself {stolen:.0%} of the time")
    if not ok:
        culprit = next((what for word, what in _CULPRITS if word in record["name"]), _ANY_CULPRIT)
        notes.append(f"look at {culprit}" + (", wrong at ratio 1 already" if ratio == 1 else ""))
    return "; ".join(notes)


def _middle(record: Record, at: str) -> float:
    low, high = record[f"{at}_low"], record[f"{at}_high"]
    return float(low + (high - low) / 2)


def _width(record: Record) -> float:
    return float(
        record["begin_high"] - record["begin_low"] + record["end_high"] - record["end_low"]
    )

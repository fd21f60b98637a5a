# SPDX-License-Identifier: GPL-2.0-or-later
"""What NTP and an administrator do to the clock, at every ratio.

Figures of Linux: adjtimex() takes at most 500 ppm, adjtime() slews by 500 us in a second
(MAX_TICKADJ, kernel/time/ntp.c), a leap second is inserted as the UTC day ends. The clock follows
by the tick: it goes on at the old rate for up to one more, in real time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

PART = "clocks"
WINDOW_SECONDS = 1.0
LEAP_WINDOW_SECONDS = 0.5
LEAP_RATIO_MIN = 10
FREQUENCY_BAR_PPM = 5.0
"""One step of the clocksource's factor is 0.1 ppm; the rest is a tick or two at the old rate."""
SLEW_BAR = 0.05
"""Ten ticks of 4 ms in a second that come too late each time."""
LATE_TICKS = 25
"""Within that many the leap second has to be in, on a busy host too."""
TIME_WAIT = 5
"""What adjtimex() returns once a leap second is over (linux/timex.h)."""

Record = dict[str, Any]


def measure(bench: Bench, ratio: int, tick_seconds: float) -> list[Check]:
    """Return whether the clock can be adjusted and set at a ratio.

    Raises:
        StageError: The probe failed or the guest ended.
    """

    def one_round() -> Iterator[Judged]:
        frequency = f"{bench.counts_per_second:.0f}"
        window = bench.counts(WINDOW_SECONDS)
        records = [
            *bench.probe("adjust", "frequency", window, frequency),
            *bench.probe("adjust", "slew", window, frequency),
            *bench.probe("adjust", "step", 0, frequency),
        ]
        if ratio >= LEAP_RATIO_MIN:
            records += bench.probe("adjust", "leap", bench.counts(LEAP_WINDOW_SECONDS), frequency)
        return judge(records, ratio=ratio, tick_seconds=tick_seconds)

    return best(one_round)


def judge(records: Sequence[Record], *, ratio: int, tick_seconds: float) -> Iterator[Judged]:
    """Judge what the probe ``adjust`` told.

    Args:
        records: Its records.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
    """
    frequencies = [record for record in records if record["name"] == "frequency"]
    plain = [record for record in frequencies if record["ppm"] == 0]
    for record in frequencies:
        if record["ppm"]:
            yield Judged(check=_frequency(record, plain[0], ratio))
    for record in records:
        match record["name"]:
            case "slew":
                yield Judged(check=_slew(record, ratio))
            case "step":
                yield Judged(check=_step(record, ratio))
            case "leap":
                yield Judged(check=_leap(record, ratio, tick_seconds))


def _ppm(record: Record) -> float:
    return (float(record["monotonic_ns"]) / float(record["raw_ns"]) - 1) * 1e6


def _frequency(record: Record, plain: Record, ratio: int) -> Check:
    found = _ppm(record) - _ppm(plain)
    unclear = (record["open_ns"] / record["raw_ns"] + plain["open_ns"] / plain["raw_ns"]) * 1e6
    ok = abs(found - record["ppm"]) <= FREQUENCY_BAR_PPM + unclear
    return Check(
        part=PART,
        name=f"adjtimex() by {record['ppm']:+} ppm",
        ratio=ratio,
        ok=ok,
        error=(found - record["ppm"]) / 1e6,
        note=f"MONOTONIC against RAW: {found:+.2f} ppm" + _ntp(ok=ok),
    )


def _slew(record: Record, ratio: int) -> Check:
    error = record["gained_ns"] / record["asked_ns"] - 1
    unclear = record["open_ns"] / record["asked_ns"]
    ok = record["left_ns"] == 0 and abs(error) <= SLEW_BAR + unclear
    return Check(
        part=PART,
        name="adjtime()",
        ratio=ratio,
        ok=ok,
        error=error,
        note=f"{record['gained_ns'] / 1000:.0f} us of {record['asked_ns'] / 1000:.0f} us gained"
        + (f", {record['left_ns'] / 1000:.0f} us left over" if record["left_ns"] else "")
        + _ntp(ok=ok),
    )


def _step(record: Record, ratio: int) -> Check:
    asked, took = record["asked_ns"], record["monotonic_ns"] + record["open_ns"]
    stepped = {name: abs(record[f"{name}_ns"] - asked) <= took for name in ("realtime", "tai")}
    steady = abs(record["boottime_ns"]) <= took
    ok = all(stepped.values()) and steady
    wrong = [name for name, well in stepped.items() if not well] + ["boottime"] * (not steady)
    return Check(
        part=PART,
        name=f"{record['call']}() by an hour",
        ratio=ratio,
        ok=ok,
        note="" if ok else f"wrong: {', '.join(wrong)}; look at the setting of the clock",
    )


def _leap(record: Record, ratio: int, tick_seconds: float) -> Check:
    open_ns = record["open_ns"]
    late = LATE_TICKS * tick_seconds * ratio * 1e9
    problems = []
    if abs(record["realtime_ns"] + 1e9) > 2 * open_ns:
        problems.append(f"REALTIME moved by {record['realtime_ns'] / 1e9:+.6f} s, not by -1")
    if record["tai_off_ns"] > open_ns:
        problems.append(f"TAI was unsteady by {record['tai_off_ns'] / 1e9:.6f} s")
    if record["tai_offset_change"] != 1:
        problems.append(f"the offset of TAI changed by {record['tai_offset_change']}")
    if record["state"] != TIME_WAIT:
        problems.append(f"adjtimex() returned {record['state']}, not TIME_WAIT")
    if not -1e9 - open_ns <= record["seen_at_ns"] <= late:
        problems.append(f"it came {record['seen_at_ns'] / 1e9:.3f} virtual s after midnight")
    return Check(
        part=PART,
        name="leap second",
        ratio=ratio,
        ok=not problems,
        note="; ".join([*problems, "look at second_overflow()"] if problems else []),
    )


def _ntp(*, ok: bool) -> str:
    return "" if ok else "; look at timekeeping_adjust() and the interval of NTP"

# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from dynaccel.verify.clocks import Stamp, frequency
from dynaccel.verify.parts import adjustments, rates, smoothness

FREQUENCY = 2.5e9
TICK = 0.004


def record(name: str, kind: str, virtual: float, *, real: float = 2.0, width: int = 500) -> Any:
    start = 10**12
    end = start + round(real * FREQUENCY)
    return {
        "name": name, "kind": kind, "begin_ns": 7 * 10**9,
        "begin_low": start, "begin_high": start + width,
        "end_ns": 7 * 10**9 + round(virtual * 1e9), "end_low": end, "end_high": end + width,
        "offset_ns": 0,
    }  # fmt: skip


def judge(*records: Any, ratio: int = 100) -> dict[str, Any]:
    judged = rates.judge(
        records, ratio=ratio, counts_per_second=FREQUENCY, uncertainty=1e-5, tick_seconds=TICK
    )
    return {one.check.name: one.check for one in judged}


@pytest.mark.parametrize(
    ("kind", "virtual", "ok"),
    [
        ("fine", 200.0, True),
        ("fine", 200.19, True),
        ("fine", 200.25, False),
        ("fine", 199.75, False),
        ("fine", 2.0, False),
        ("edge", 200.25, False),
        ("tick", 200.5, True),  # one tick of 0.4 virtual s may be missing at either end
        ("tick", 200.7, False),
        ("cpu", 195.0, True),
        ("cpu", 188.0, False),
        ("cpu", 2.0, False),
        ("stat", 197.0, True),
        ("stat", 188.0, False),
        ("idle", 184.0, True),
        ("idle", 176.0, False),
    ],
)
def test_a_rate_holds_within_its_bar(kind: str, virtual: float, *, ok: bool) -> None:
    check = judge(record("a clock", kind, virtual))["a clock"]
    assert check.ok is ok
    assert check.reached == pytest.approx(virtual / 2, rel=1e-6)
    assert check.error == pytest.approx(virtual / 200 - 1, abs=1e-6)
    assert bool(check.note) is not ok


@pytest.mark.parametrize(("virtual", "ok"), [(2.0055, True), (2.0065, False)])
def test_a_late_tick_moves_a_coarse_clock_by_whole_jiffies(virtual: float, *, ok: bool) -> None:
    assert judge(record("a clock", "edge", virtual), ratio=1)["a clock"].ok is ok


def test_what_the_reads_leave_open_counts_as_uncertainty() -> None:
    off = judge(record("a clock", "fine", 200.4))["a clock"]
    vague = judge(record("a clock", "fine", 200.4, width=round(0.004 * FREQUENCY)))["a clock"]
    assert (off.ok, vague.ok) == (False, True)
    assert "by this measurement" in vague.note


@pytest.mark.parametrize(("stolen", "ok"), [(0.0, False), (0.8, True)])
def test_ticks_that_the_host_took_are_no_fault_of_the_kernel(stolen: float, *, ok: bool) -> None:
    host = {"name": "host", "kind": "host", "stolen_counts": round(stolen * FREQUENCY)}
    check = judge(record("/proc/stat, busy CPU", "stat", 140.0), host)["/proc/stat, busy CPU"]
    assert check.ok is ok
    assert ("the host kept the CPU" in check.note) is ok


def test_what_is_not_there_is_said_and_does_not_fail() -> None:
    check = judge({"name": "realtime_alarm", "kind": "fine", "missing": "Invalid argument"})[
        "realtime_alarm"
    ]
    assert check.ok
    assert "Invalid argument" in check.note


@pytest.mark.parametrize(("off", "ok"), [(0.0, True), (0.05, True), (1.0, False), (-1.0, False)])
def test_the_offset_of_a_time_namespace(off: float, *, ok: bool) -> None:
    name = "monotonic in a time namespace, vDSO"
    inside = record(name, "fine", 200.0)
    inside["offset_ns"] = 1000 * 10**9
    for key in ("begin_ns", "end_ns"):
        inside[key] += round((1000 + off) * 1e9)
    checks = judge(record("monotonic, system call", "fine", 200.0), inside)
    assert checks[name].ok
    assert checks[f"offset of {name}"].ok is ok


def test_the_likely_culprit_is_named() -> None:
    note = judge(record("ftrace stamp, local", "fine", 2.0))["ftrace stamp, local"].note
    assert "sched_clock" in note
    assert "ratio 1" in judge(record("tai, vDSO", "fine", 3.0), ratio=1)["tai, vDSO"].note


def stamp(real: float, counts: float, uncertainty: float = 1e-4) -> Stamp:
    return Stamp(
        real_seconds=real, uncertainty_seconds=uncertainty, counter=round(counts * FREQUENCY),
        tick_ns=4_000_000, clocks_ns={},
    )  # fmt: skip


def test_the_frequency_comes_from_stamps_between_which_the_counter_did_not_gain() -> None:
    stamps = [stamp(0, 0), stamp(2, 2), stamp(12, 12.09), stamp(40, 40.09)]
    found = frequency(stamps)
    assert found.counts_per_second == pytest.approx(FREQUENCY, rel=1e-6)
    assert found.uncertainty == pytest.approx(2e-4 / 28)


def alone(**changed: Any) -> dict[str, Any]:
    return {
        "name": "alone", "cpu": 0, "reads": 1000, "backward": 0, "ahead_ns": 0.0,
        "behind_ns": 0.0, "step_ns": 100, "gap_counts": 300, "ns_per_count": 40.0, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "ok", "final"),
    [
        ({}, True, False),
        ({"ahead_ns": 50_000.0}, True, False),  # half a real microsecond at ratio 100
        ({"ahead_ns": 500_000.0}, False, False),
        ({"behind_ns": 500_000.0}, False, False),
        # After 10 ms away the rate itself is not known so finely.
        ({"ahead_ns": 101_000.0, "gap_counts": 25_000_000}, True, False),
        ({"backward": 1}, False, True),
    ],
)
def test_smoothness(changed: dict[str, Any], *, ok: bool, final: bool) -> None:
    (judged,) = smoothness.judge([alone(**changed)], ratio=100, counts_per_second=FREQUENCY)
    assert (judged.check.ok, judged.final) == (ok, final)


@pytest.mark.parametrize("backward", [0, 3])
def test_across_cpus(backward: int) -> None:
    record = {"name": "together", "cpus": 2, "reads": 9, "backward": backward}
    (judged,) = smoothness.judge([record], ratio=100, counts_per_second=FREQUENCY)
    assert (judged.check.ok, judged.final) == (backward == 0, backward > 0)


# As a guest told them at ratio 1000.
FREQUENCIES = [
    {"name": "frequency", "ppm": 0, "monotonic_ns": 1004224589974, "raw_ns": 1004224589974,
     "open_ns": 120178},
    {"name": "frequency", "ppm": 500, "monotonic_ns": 1003325342218, "raw_ns": 1002823955408,
     "open_ns": 110163},
    {"name": "frequency", "ppm": -500, "monotonic_ns": 1003178181648, "raw_ns": 1003679989145,
     "open_ns": 110164},
]  # fmt: skip
SLEW = {
    "name": "slew", "asked_ns": 500770000, "gained_ns": 499714895, "left_ns": 0,
    "open_ns": 110164, "counts": 2654568488, "drift": 0,
}  # fmt: skip
STEP = {
    "name": "step", "call": "clock_settime", "asked_ns": 3600000000000,
    "realtime_ns": 3599986524938, "tai_ns": 3599986524938, "boottime_ns": 5008,
    "monotonic_ns": 108431437, "counts": 300222, "open_ns": 110164,
}  # fmt: skip
LEAP = {
    "name": "leap", "realtime_ns": -1000005008, "tai_off_ns": 0, "tai_offset_change": 1,
    "state": 5, "seen_at_ns": 2767078904, "open_ns": 110164,
}  # fmt: skip


def adjusted(*records: dict[str, Any]) -> list[bool]:
    judged = adjustments.judge(records, ratio=1000, tick_seconds=TICK)
    return [one.check.ok for one in judged]


def test_adjustments_as_a_guest_told_them_hold() -> None:
    assert adjusted(*FREQUENCIES, SLEW, STEP, LEAP) == [True] * 5


@pytest.mark.parametrize(
    "record",
    [
        {**SLEW, "gained_ns": 400_000_000},
        {**SLEW, "left_ns": 1000},
        {**STEP, "realtime_ns": 0},
        {**STEP, "tai_ns": 0},
        {**STEP, "boottime_ns": 3600 * 10**9},
        {**LEAP, "realtime_ns": 0},
        {**LEAP, "realtime_ns": -2 * 10**9},
        {**LEAP, "tai_off_ns": 10**9},
        {**LEAP, "tai_offset_change": 0},
        {**LEAP, "state": 0},
        {**LEAP, "seen_at_ns": 200 * 10**9},
    ],
)
def test_adjustments_that_went_wrong_fail(record: dict[str, Any]) -> None:
    assert adjusted(record) == [False]


def test_a_frequency_that_has_no_effect_fails() -> None:
    still = {**FREQUENCIES[1], "monotonic_ns": FREQUENCIES[1]["raw_ns"]}
    assert adjusted(FREQUENCIES[0], still, FREQUENCIES[2]) == [False, True]

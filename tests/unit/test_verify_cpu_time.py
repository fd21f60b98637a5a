# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from dynaccel.verify.parts import cpu_time, shares

TICK = 0.004
RATIO = 100


@pytest.mark.parametrize(
    ("kind", "used", "stolen", "ok"),
    [
        ("fine", 50.0, 0.0, True),
        ("fine", 49.0, 0.0, True),
        ("fine", 47.0, 0.0, False),
        ("fine", 0.5, 0.0, False),  # counted in real time
        ("fine", 0.5, 0.4, False),  # and no busy host explains that
        ("fine", 53.0, 0.0, False),
        ("tick", 49.0, 0.0, True),
        ("tick", 30.0, 0.0, False),
        ("tick", 30.0, 0.2, True),
        ("tick", 0.5, 0.6, False),  # counted in real time, on the busiest host
        ("idle", 50.0, 0.0, True),
        ("idle", 45.5, 0.0, True),  # its naps alone are counted
        ("idle", 40.0, 0.0, False),
        ("idle", 0.0, 0.0, False),
    ],
)
def test_used_time(kind: str, used: float, stolen: float, *, ok: bool) -> None:
    record = {"name": "x", "kind": kind, "used_ns": used * 1e9, "wall_ns": 50e9}
    check = cpu_time.judge_used(record, ratio=RATIO, tick_seconds=TICK, stolen_seconds=stolen)
    assert check.ok is ok
    assert check.error == pytest.approx(used / 50 - 1)


def test_an_interface_that_is_not_there() -> None:
    record = {"name": "x", "kind": "fine", "missing": "No such file or directory"}
    assert cpu_time.judge_used(record, ratio=1, tick_seconds=TICK, stolen_seconds=0).ok


@pytest.mark.parametrize(
    ("name", "late_ticks", "stolen", "ok", "final"),
    [
        ("timer_create(x)", 0.0, 0.0, True, False),
        ("timer_create(x)", 1.9, 0.0, True, False),
        ("timer_create(x)", 2.5, 0.0, False, False),
        ("timer_create(x)", 2.5, 0.1, True, False),
        ("timer_create(x)", -0.1, 0.0, False, True),
        ("ITIMER_PROF", -4.7, 0.0, True, False),  # a tick, and 5 % of 0.3 s
        ("ITIMER_PROF", -4.8, 0.0, False, True),
        ("ITIMER_PROF", -4.8, 0.5, False, True),
    ],
)
def test_a_timer_on_cpu_time(
    name: str, late_ticks: float, stolen: float, *, ok: bool, final: bool
) -> None:
    asked = 30e9
    record = {"name": name, "asked_ns": asked, "used_ns": asked + late_ticks * TICK * RATIO * 1e9,
              "fired": 1, "counts": 1}  # fmt: skip
    judged = cpu_time.judge_timer(
        record, ratio=RATIO, tick_seconds=TICK, stolen_seconds=stolen, base_us=3.0
    )
    assert (judged.check.ok, judged.final) == (ok, final)
    assert judged.check.late_us == pytest.approx(late_ticks * TICK * 1e6, abs=1e-3)
    assert judged.check.late_base_us == 3.0


def test_a_timer_that_never_fires() -> None:
    record = {"name": "RLIMIT_CPU", "asked_ns": 1, "used_ns": 0, "fired": 0, "counts": 1}
    judged = cpu_time.judge_timer(
        record, ratio=RATIO, tick_seconds=TICK, stolen_seconds=0, base_us=None
    )
    assert not judged.check.ok


@pytest.mark.parametrize(("share", "ok"), [(0.5, True), (0.42, True), (0.25, False), (1.0, False)])
def test_a_quota_of_half_a_cpu(share: float, *, ok: bool) -> None:
    record = {"period_us": 100_000, "used_ns": share * 1e12, "wall_ns": 1e12}
    assert shares.judge_quota(record, ratio=RATIO).ok is ok


@pytest.mark.parametrize(
    ("record", "ok"),
    [
        ({"name": "deadline share", "used_ns": 31, "wall_ns": 100, "share": 0.3}, True),
        ({"name": "deadline share", "used_ns": 50, "wall_ns": 100, "share": 0.3}, False),
        ({"name": "deadline period", "median_ns": 101, "period_ns": 100, "periods": 9}, True),
        ({"name": "deadline period", "median_ns": 10, "period_ns": 100, "periods": 9}, False),
        ({"name": "deadline period", "median_ns": 200, "period_ns": 100, "periods": 9}, False),
    ],
)
def test_a_deadline_process(record: dict[str, Any], *, ok: bool) -> None:
    assert shares.judge_deadline(record, ratio=RATIO).ok is ok


@pytest.mark.parametrize(
    ("least", "most", "ok"), [(24, 26, True), (21, 29, True), (15, 30, False), (20, 40, False)]
)
def test_fairness(least: int, most: int, *, ok: bool) -> None:
    record = {"hogs": 8, "cpus": 2, "least_ns": least, "most_ns": most, "wall_ns": 100}
    assert shares.judge_fair(record, ratio=RATIO).ok is ok


def test_latency_is_held_against_that_at_ratio_1() -> None:
    record = {"hogs": 4, "samples": 100, "median_ns": 5e6 * RATIO, "p99_ns": 30e6 * RATIO}
    alone = list(shares.judge_latency(record, ratio=RATIO, bases={}, tick=TICK))
    assert [check.ok for check in alone] == [True, True]
    assert [check.late_us for check in alone] == [5000, 30000]
    bases = {alone[0].name: 1000.0, alone[1].name: 10000.0}
    against = list(shares.judge_latency(record, ratio=RATIO, bases=bases, tick=TICK))
    assert [check.ok for check in against] == [True, False]

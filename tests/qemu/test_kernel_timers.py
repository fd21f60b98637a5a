# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real guest's kernel does on its own after a while: network, disk, averages.

These tests ask for what no busy host can spoil: nothing comes early, and each comes long before it
would without acceleration. How late it may be ``dynaccel verify`` judges.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench
from dynaccel.verify.kernel_averages import HOGS, judge_pressure
from dynaccel.verify.kernel_timers import Measured, measured
from dynaccel.verify.parts.kernel_timers import RUNS, Run, runs_at
from dynaccel.verify.rounds import best

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

pytestmark = pytest.mark.qemu

RATIOS = (1, 10, 100, 1000)
LATE_REAL_SECONDS = 2.5
FIVE_DAYS = 432_000
ASKED = "DYNACCEL_TEST_FIVE_DAYS"


@pytest.fixture(scope="module")
def bench(kernel: Kernel) -> Iterator[Bench]:
    options = ["--kernel", str(kernel.image), "--accelerator", "tcg"]
    with guest_bench(options, reporter=NullReporter()) as place:
        yield place


def watch(
    bench: Bench, ratio: int, probe: str, *arguments: object, limit_seconds: float = 180.0
) -> list[Measured]:
    bench.set_ratio(ratio)
    records = bench.probe(probe, *arguments, limit_seconds=limit_seconds)
    bench.set_ratio(1)
    if any("missing" in record for record in records):
        pytest.skip(f"{probe}: {records}")
    return [
        measured(
            record, ratio=ratio, tick_seconds=bench.tick_seconds, real_seconds=bench.real_seconds
        )
        for record in records
    ]


@pytest.mark.parametrize(
    ("ratio", "run"),
    [
        pytest.param(ratio, run, id=f"{run.label} at {ratio}")
        for ratio in RATIOS
        for run in RUNS
        if run in runs_at(ratio)[0]
    ],
)
def test_the_kernel_keeps_to_virtual_time(bench: Bench, ratio: int, run: Run) -> None:
    seen = watch(bench, ratio, run.probe, *run.arguments)
    assert seen
    for one in seen:
        assert not one.final, f"early: {one}"
        room = one.bar_seconds + LATE_REAL_SECONDS * ratio
        assert one.late_seconds <= room, f"late: {one}"
        assert one.reached == pytest.approx(ratio, rel=0.01 + one.torn), one


@pytest.mark.parametrize("ratio", [100, 1000])
def test_averages_follow_virtual_time(bench: Bench, ratio: int) -> None:
    bench.set_ratio(ratio)
    checks = best(
        lambda: judge_pressure(
            bench.probe("pressure", HOGS, f"{max(180, ratio // 2)}000000000", "30000000000"),
            ratio=ratio,
            tick_seconds=bench.tick_seconds,
            real_seconds=bench.real_seconds,
        )
    )
    bench.set_ratio(1)
    assert [check for check in checks if not check.ok] == []


@pytest.mark.skipif(not os.environ.get(ASKED), reason=f"takes 7 minutes; set {ASKED}=1")
def test_a_connection_is_tracked_for_five_days(bench: Bench) -> None:
    """Five days at ratio 1000 are 7.2 minutes; runs when $DYNACCEL_TEST_FIVE_DAYS is set."""
    (one,) = watch(bench, 1000, "conntrack", "gone", 1, FIVE_DAYS, limit_seconds=600)
    assert not one.final, f"early: {one}"
    assert one.late_seconds <= one.bar_seconds + LATE_REAL_SECONDS * 1000, f"late: {one}"

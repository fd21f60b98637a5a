# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor in a guest: its date, its ratio, and faults that no machine of ours may have."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.units import epoch_ns
from dynaccel.scenario.conductor import orders, reports
from dynaccel.scenario.conductor.decode import ReportDecoder
from dynaccel.scenario.model import (
    Fault,
    FaultKind,
    Job,
    JobKind,
    Log,
    LogKind,
    Phase,
    Sample,
    SampleKind,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

LIMIT_SECONDS = 600
RATIO = 500
START = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)

RUN = """
import sys
from dynaccel.core.events import NullReporter
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.result import RunRequest
from dynaccel.vm.run import run
request = RunRequest(
    command=("conductor",), program="conductor", kernel=sys.argv[1], user="0", cwd=None, net=True,
    accelerator=AcceleratorChoice.TCG,
)
sys.exit(run(request, reporter=NullReporter()).exit_status)
"""


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def fault(name: str, kind: FaultKind, after: float, **more: object) -> Fault:
    return Fault(name=name, kind=kind, after=hours(after), **more)  # type: ignore[arg-type]


SCENARIO = Scenario(
    name="faults",
    start=START,
    phases=(
        Phase(name="slow", ratio=1, duration=timedelta(seconds=2)),
        # By equal virtual times: at the low ratios that takes its real time.
        Phase(name="ramp", ratio=RATIO, ramp=hours(0.01), duration=hours(1)),
        Phase(name="date", ratio=RATIO, until=START + hours(7)),
    ),
    jobs=(
        Job(
            name="cron", kind=JobKind.REPEAT, command=("date", "-u", "+%H:%M"), cron="*/10 * * * *"
        ),
        Job(name="nightly", kind=JobKind.REPEAT, command=("date", "-u", "+%F"), cron="30 22 * * *"),
        Job(name="before", kind=JobKind.SETUP, command=("cat", "/proc/net/route")),
        Job(name="after", kind=JobKind.FINISH, command=("cat", "/proc/net/route")),
        Job(name="service", kind=JobKind.SERVICE, command=("sleep", "1000000")),
    ),
    samples=(
        Sample(name="system", kind=SampleKind.SYSTEM, every=timedelta(minutes=10)),
        Sample(name="service", kind=SampleKind.PROCESS, every=timedelta(minutes=10), job="service"),
        Sample(
            name="self", kind=SampleKind.PROCESS, every=timedelta(minutes=10), process="conductor"
        ),
        Sample(name="clocks", kind=SampleKind.CLOCKS, every=timedelta(minutes=5)),
    ),
    logs=(Log(name="kernel", kind=LogKind.KERNEL),),
    faults=(
        # From about 22:10 to 23:10: the nightly job is leapt over, and runs at once.
        fault("forward", FaultKind.DATE_STEP, 2.16, step=hours(1)),
        # Back before 22:30: it does not run again.
        fault("back", FaultKind.DATE_STEP, 2.5, step=hours(-1)),
        fault("leap", FaultKind.LEAP_SECOND, 3, step=timedelta(seconds=1)),
        fault("memory", FaultKind.MEMORY_PRESSURE, 5, size_bytes=64 << 20, duration=hours(0.25)),
        fault("full", FaultKind.DISK_FULL, 5.4, size_bytes=1 << 20, duration=hours(0.1),
              path=PurePosixPath("/dev/shm")),  # noqa: S108
        fault("cut", FaultKind.NETWORK_CUT, 5.6, duration=hours(0.1)),
        fault("pause", FaultKind.PAUSE, 5.8),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def said(kernel: Kernel) -> Iterator[list[reports.Report]]:
    """All that a conductor said in one guest."""
    frames = b"".join([*orders.plan(SCENARIO), orders.begin(SCENARIO.start)])
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(kernel.image)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(frames)
        child.stdin.flush()
        out = b""
        while data := os.read(child.stdout.fileno(), 1 << 16):
            out += data
        assert child.wait(LIMIT_SECONDS) == 0
        yield ReportDecoder().feed(out)
    finally:
        with suppress(OSError):
            child.stdin.close()
        child.terminate()
        child.wait(LIMIT_SECONDS)


def jobs(said: list[reports.Report], name: str, state: str) -> list[reports.JobReport]:
    return [
        report
        for report in said
        if isinstance(report, reports.JobReport) and (report.name, report.state) == (name, state)
    ]


def lines(said: list[reports.Report], name: str) -> list[str]:
    return [
        line.text
        for report in said
        if isinstance(report, reports.LogReport) and report.name == name
        for line in report.lines
    ]


def values(said: list[reports.Report], name: str, subject: str) -> list[dict[str, float]]:
    return [
        dict(report.values)
        for report in said
        if isinstance(report, reports.SampleReport)
        and report.name == name
        and report.subject.partition("[")[0] == subject
    ]


def faults(said: list[reports.Report], name: str) -> list[tuple[str, str | None]]:
    return [
        (report.state.value, report.message)
        for report in said
        if isinstance(report, reports.FaultReport) and report.name == name
    ]


def test_the_run_comes_to_its_end_without_an_error(said: list[reports.Report]) -> None:
    assert [report for report in said if isinstance(report, reports.ErrorReport)] == []
    assert isinstance(said[-1], reports.Done)
    assert said[-1].reason == "finished"
    assert said[-1].ratio == 1


def test_the_date_is_set_as_the_first_phase_begins(said: list[reports.Report]) -> None:
    begun = next(report for report in said if isinstance(report, reports.PhaseReport))
    assert begun.virtual_ns == pytest.approx(0, abs=1e9)
    assert begun.realtime_ns - epoch_ns(START) == pytest.approx(0, abs=1e9)


def test_ratios_are_those_of_the_phases(said: list[reports.Report]) -> None:
    phases = [report for report in said if isinstance(report, reports.PhaseReport)]
    assert [(report.name, report.state.value, report.ended_by) for report in phases] == [
        ("slow", "begun", None),
        ("slow", "ended", "time"),
        ("ramp", "begun", None),
        ("ramp", "ended", "time"),
        ("date", "begun", None),
        ("date", "ended", "date"),
    ]
    assert [report.ratio for report in phases if report.state == "ended"] == [1, RATIO, RATIO]
    ramp = [report for report in said if isinstance(report, reports.RatioReport)]
    assert {report.why for report in ramp} == {"ramp", "finish"}
    assert phases[-1].realtime_ns >= epoch_ns(START + hours(7))


def test_no_clock_goes_back_but_by_our_own_steps(said: list[reports.Report]) -> None:
    assert [report for report in said if isinstance(report, reports.ClockReport)] == []
    clocks = values(said, "clocks", "clocks")
    assert clocks[-1]["back_steps"] == 0
    assert clocks[-1]["readings"] > 10_000
    offsets = [value["offset_seconds"] for value in clocks]
    assert max(offsets) == pytest.approx(3600, abs=1)
    assert offsets[-1] == pytest.approx(-1, abs=0.5)  # the leap second


def test_steps_of_the_date_do_to_cron_what_debian_does(said: list[reports.Report]) -> None:
    assert faults(said, "forward")[0][0] == "begun"
    assert faults(said, "back")[-1] == ("ended", None)
    assert len(jobs(said, "nightly", "started")) == 1
    assert lines(said, "nightly") == ["2026-12-31"]
    [nightly] = jobs(said, "nightly", "started")
    assert nightly.virtual_ns == pytest.approx(2.16 * 3600e9, abs=600e9)
    due = [jobs(said, "cron", state) for state in ("started", "skipped")]
    # Seven hours, with the hour that came twice.
    count = sum(report.count for found in due for report in found)
    assert count == pytest.approx(42, abs=3)


def test_a_leap_second_comes_at_midnight(said: list[reports.Report]) -> None:
    begun, ended = faults(said, "leap")
    assert begun == ("begun", "it comes at the next midnight")
    assert ended[0] == "ended"


def test_what_lasts_begins_and_ends(said: list[reports.Report]) -> None:
    for name in ("memory", "full", "cut"):
        assert [state for state, _ in faults(said, name)] == ["begun", "ended"], name
    assert faults(said, "pause") == [("wanted", None)]
    used = [value["memory_used"] for value in values(said, "system", "system")]
    assert max(used) - used[0] > 50 << 20


def test_a_cut_network_comes_back_with_its_routes(said: list[reports.Report]) -> None:
    before = lines(said, "before")
    assert any(line.split()[:3] == ["eth0", "00000000", "0202000A"] for line in before)
    assert lines(said, "after") == before


def test_processes_are_found_by_their_control_group(said: list[reports.Report]) -> None:
    service = values(said, "service", "sleep")
    assert len(service) > 30
    assert all(value["rss"] > 0 for value in service)


def test_the_kernels_log_comes_from_its_begin(said: list[reports.Report]) -> None:
    assert any("Linux version" in line for line in lines(said, "kernel"))
    assert all(": " in line for line in lines(said, "kernel"))

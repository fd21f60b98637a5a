# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of a scenario, recorded as a test needs them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dynaccel.recording.reader import Recording
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.model import (
    Check,
    CheckKind,
    Job,
    JobKind,
    Log,
    LogKind,
    Phase,
    Sample,
    SampleKind,
    Scenario,
)
from dynaccel.scenario.verdict import judge, watches
from recordings import DAY, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynaccel.recording.records import Stamp
    from dynaccel.scenario.verdict.records import Result, Verdict

SCENARIO = Scenario(
    name="daemon",
    phases=(
        Phase(name="first", ratio=1000, duration=timedelta(days=10)),
        Phase(name="second", ratio=500, duration=timedelta(days=20)),
    ),
    jobs=(
        Job(name="daemon", kind=JobKind.SERVICE, command=("daemon",)),
        Job(name="cron", kind=JobKind.REPEAT, command=("job",), every=timedelta(days=1)),
    ),
    samples=(
        Sample(name="daemon", kind=SampleKind.PROCESS, every=timedelta(hours=1), job="daemon"),
        Sample(name="clocks", kind=SampleKind.CLOCKS, every=timedelta(hours=1)),
    ),
    logs=(Log(name="kernel", kind=LogKind.KERNEL),),
)
FIRST_DAYS, DAYS = 10, 30


@dataclass
class Run:
    """What a run of :data:`SCENARIO` does; by default all goes well.

    Attributes:
        path: The recording.
        scenario: What is run.
        at_day: What happens beside it, by the day of the run.
        watched: Whether the writer looks for what the checks of logs look for.
    """

    path: Path
    scenario: Scenario = SCENARIO
    at_day: dict[float, Callable[[RecordingWriter], None]] = field(default_factory=dict)
    watched: bool = True
    ends: str = "finished"

    def judged(self, *checks: Check) -> Verdict:
        """Record the run, and judge it."""
        scenario = replace(self.scenario, checks=checks)
        found = watches(scenario) if self.watched else ()
        with RecordingWriter.create(self.path, {}, watches=found) as writer:
            self._record(writer)
        with Recording.open(self.path) as recording:
            return judge(scenario, recording)

    def result(self, kind: CheckKind, **values: object) -> Result:
        """Record the run, and judge one check."""
        check = Check(name=f"the-{kind}", kind=kind, **values)  # type: ignore[arg-type]
        (result,) = self.judged(check).results
        return result

    def _record(self, writer: RecordingWriter) -> None:
        begin, middle, end = at(0), stamp_of(FIRST_DAYS), stamp_of(DAYS)
        writer.add_job(at(-9), job="prepare", run=1, state="started")
        writer.add_job(at(-8), job="prepare", run=1, state="ended", status=0, runtime_ns=1)
        writer.add_ratio_change(begin, before=1, after=1000, why="phase")
        writer.add_phase_begin(begin, index=0, name="first", ratio=1000)
        writer.add_job(begin, job="daemon", run=1, state="started", pid=9)
        steps: dict[float, list[Callable[[RecordingWriter], None]]] = {}
        for day in range(DAYS):
            steps[day + 0.5] = [self._day(day)]
        steps[FIRST_DAYS] = [self._switch]
        for moment, step in self.at_day.items():
            steps.setdefault(moment, []).append(step)
        for moment in sorted(steps):
            for step in steps[moment]:
                step(writer)
        if self.ends != "finished":
            writer.end_attempt(self.ends)
            return
        writer.add_phase_end(end, index=1, ended_by="time")
        writer.add_job(end, job="daemon", run=1, state="ended", signal=15, stopped=True)
        writer.end_attempt("finished")
        assert middle.virtual_ns == FIRST_DAYS * DAY * 10**9

    def _switch(self, writer: RecordingWriter) -> None:
        middle = stamp_of(FIRST_DAYS)
        writer.add_phase_end(middle, index=0, ended_by="time")
        writer.add_ratio_change(middle, before=1000, after=500, why="phase")
        writer.add_phase_begin(middle, index=1, name="second", ratio=500)

    def _day(self, day: int) -> Callable[[RecordingWriter], None]:
        def step(writer: RecordingWriter) -> None:
            for hour in range(24):
                moment = stamp_of(day + hour / 24)
                values = {"rss": 4e6 + 1000.0 * (hour % 5), "descriptors": 12.0}
                writer.add_sample(moment, "daemon", "daemon[9]", values)
                writer.add_sample(
                    moment, "clocks", "clocks", {"readings": 100.0 * (24 * day + hour)}
                )
            moment = stamp_of(day + 0.5)
            writer.add_job(moment, job="cron", run=day + 1, state="started", pid=100 + day)
            writer.add_job(moment, job="cron", run=day + 1, state="ended", status=0, runtime_ns=1)
            writer.add_log(moment, "daemon", "out", [f"day {day} is over"])
            writer.add_log(moment, "kernel", "line", [f"info: day {day}"])
            writer.add_clock(moment, 1000 if day < FIRST_DAYS else 500)

        return step


def stamp_of(day: float) -> Stamp:
    """Return the stamp of a day of the run."""
    stamp = at(day * DAY)
    if day <= FIRST_DAYS:
        return stamp
    before = at(FIRST_DAYS * DAY)
    return replace(stamp, real_ns=before.real_ns + (stamp.virtual_ns - before.virtual_ns) // 500)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest says, on its way into the recording."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.cli.live import LiveView
from dynaccel.recording.reader import Recording
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.conduct.clock import NS, RunningClock
from dynaccel.scenario.conduct.progress import Progress
from dynaccel.scenario.conduct.take import Taker
from dynaccel.scenario.conductor import reports
from dynaccel.scenario.conductor.reports import JobState, PhaseState
from dynaccel.scenario.model import Phase, Scenario
from dynaccel.scenario.outline import Outline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from dynaccel.scenario.conduct.progress import Controls, Snapshot

SCENARIO = Scenario(name="x", phases=(Phase(name="fast", ratio=100, duration=timedelta(hours=1)),))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATE_NS = 2_000_000_000 * NS


class Host:
    """A monotonic clock that a test moves, and somebody who watches."""

    def __init__(self) -> None:
        self.ns = 0
        self.lines: list[str] = []

    def __call__(self) -> int:
        return self.ns

    def attach(self, controls: Controls) -> None:
        raise NotImplementedError

    def show(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def tell(self, virtual_ns: int | None, line: str) -> None:
        del virtual_ns
        self.lines.append(line)


class Guest:
    """Makes reports, with the stamps of a guest at a ratio."""

    def __init__(self, taker: Taker, host: Host) -> None:
        self.taker = taker
        self.host = host
        self.virtual = -10.0
        self.ratio = 1
        self.seq = 0

    def head(self) -> dict[str, Any]:
        self.seq += 1
        return {
            "seq": self.seq,
            "virtual_ns": round(self.virtual * NS),
            "realtime_ns": DATE_NS + round(self.virtual * NS),
            "ratio": self.ratio,
        }

    def live(self, real_seconds: float, *, counted: bool = True) -> None:
        """Let real time pass, in which the guest goes on or (not counted) stands still."""
        self.host.ns += round(real_seconds * NS)
        if counted:
            self.virtual += real_seconds * self.ratio

    def begin(self) -> None:
        self.virtual, self.ratio = 0.0, 100
        self.taker.take(
            reports.PhaseReport(**self.head(), name="fast", index=0, state=PhaseState.BEGUN)
        )

    def alive(self) -> None:
        self.taker.take(reports.Alive(**self.head()))


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RecordingWriter]:
    with RecordingWriter.create(tmp_path / "r.sqlite", {}) as writer:
        yield writer


@pytest.fixture
def guest(host: Host, writer: RecordingWriter) -> Guest:
    progress = Progress(Outline.of(SCENARIO, now=NOW))
    taker = Taker(SCENARIO, writer, RunningClock(now_ns=host), progress=progress, watcher=host)
    return Guest(taker, host)


def test_real_time_begins_with_the_first_phase(guest: Guest) -> None:
    guest.alive()
    assert guest.taker.last is not None
    assert guest.taker.last.real_ns == guest.taker.last.virtual_ns == -10 * NS
    guest.live(3)
    guest.begin()
    assert guest.taker.last.real_ns == 0
    guest.live(2)
    guest.alive()
    assert guest.taker.last.real_ns == 2 * NS


def test_a_checkpoint_does_not_change_the_ratio(guest: Guest, host: Host) -> None:
    guest.begin()
    guest.live(5)
    guest.alive()
    guest.taker.mark("c1", 0.4, 2)
    guest.live(0.4, counted=False)
    guest.taker.leave_out()
    guest.live(1)
    guest.alive()
    last = guest.taker.last
    assert last is not None
    assert last.virtual_ns / last.real_ns == pytest.approx(100)
    assert "the guest stood still for 0.40 s" in host.lines[-1]


def test_a_run_goes_on_where_its_checkpoint_was(
    tmp_path: Path, guest: Guest, host: Host, writer: RecordingWriter
) -> None:
    guest.begin()
    guest.live(5)
    guest.alive()
    guest.taker.mark("c1", 0.1, 2)
    writer.flush()
    with Recording.open(tmp_path / "r.sqlite") as recording:
        (checkpoint,) = recording.checkpoints()
        phases = recording.phases()
    progress = Progress(Outline.of(SCENARIO, now=NOW))
    again = Taker(SCENARIO, writer, RunningClock(now_ns=host), progress=progress, watcher=host)
    host.ns += 999 * NS
    again.go_on(checkpoint, phases)
    assert (again.begun, again.seq, progress.phase) == (True, guest.seq, "fast")
    guest.taker = again
    host.ns += 7 * NS  # QEMU loads it
    guest.virtual += 20
    guest.alive()
    assert again.last is not None
    assert again.last.real_ns == pytest.approx(5.2 * NS)


def test_what_waited_while_nobody_read_does_not_change_the_ratio(guest: Guest, host: Host) -> None:
    guest.begin()
    guest.live(5)
    guest.alive()
    guest.taker.leave_out()
    host.ns += 3 * NS  # it is stopped, goes on, and is not read at first
    for _ in range(5):
        guest.virtual += 20
        guest.alive()
    last = guest.taker.last
    assert last is not None
    assert last.virtual_ns / last.real_ns == pytest.approx(100)
    guest.live(3)
    guest.alive()
    host.ns += NS  # one that comes late, long after
    guest.alive()
    last = guest.taker.last
    assert last is not None
    assert last.virtual_ns / last.real_ns == pytest.approx(90)


def test_what_jobs_do_is_counted(
    tmp_path: Path, guest: Guest, host: Host, writer: RecordingWriter
) -> None:
    guest.begin()

    def job(state: JobState, run: int, **more: Any) -> None:
        guest.taker.take(
            reports.JobReport(**guest.head(), name="tick", run=run, state=state, **more)
        )

    for run, status in ((1, 0), (2, 3)):
        job(JobState.STARTED, run, pid=100 + run)
        job(JobState.ENDED, run, status=status, runtime_ns=NS)
    job(JobState.SKIPPED, 3, count=4)
    job(JobState.STARTED, 7, pid=107)
    job(JobState.TIMEOUT, 7)
    job(JobState.ENDED, 7, signal=15, runtime_ns=NS)
    job(JobState.STARTED, 8, pid=108)
    job(JobState.ENDED, 8, signal=15, stopped=True)
    writer.flush()
    with Recording.open(tmp_path / "r.sqlite") as recording:
        totals = recording.job_totals("tick")
    assert (totals.started, totals.skipped, totals.well) == (4, 4, 1)
    assert totals.count("stopped") == 1
    shown = guest.taker.progress.snapshot()
    assert (shown.runs, shown.failed) == (4, 2)
    assert "job tick, run 2: ended: status 3" in host.lines
    assert "job tick, run 7: timeout: it took too long" in host.lines


def test_lines_have_times_of_their_own(
    tmp_path: Path, guest: Guest, writer: RecordingWriter
) -> None:
    guest.begin()
    guest.live(1)
    head = guest.head()
    lines = tuple(
        reports.Line(
            virtual_ns=head["virtual_ns"] - back * NS,
            realtime_ns=head["realtime_ns"] - back * NS,
            stream="out",
            text=f"{back} ago",
        )
        for back in (50, 0)
    )
    guest.taker.take(reports.LogReport(**head, name="tick", lines=lines, dropped=2))
    writer.flush()
    with Recording.open(tmp_path / "r.sqlite") as recording:
        first, second, *_ = recording.logs("tick")
    assert (first.text, second.text) == ("50 ago", "0 ago")
    assert second.stamp.real_ns - first.stamp.real_ns == NS // 2


def test_memory_faults_and_clocks_are_shown(guest: Guest, host: Host) -> None:
    guest.begin()
    guest.taker.take(
        reports.SampleReport(
            **guest.head(), name="system", subject="system", values=(("memory_used", 5.0),)
        )
    )
    guest.taker.take(reports.ClockReport(**guest.head(), clock="realtime", back_ns=3 * NS))
    guest.taker.take(
        reports.FaultReport(
            **guest.head(), name="jump", kind="date-step", state=reports.FaultState.BEGUN
        )
    )
    guest.taker.take(reports.ErrorReport(**guest.head(), message="no such user"))
    assert guest.taker.progress.snapshot().memory == (5.0,)
    assert host.lines[-3:] == [
        "realtime jumped back by 3.00 s",
        "fault jump (date-step): begun",
        "no such user",
    ]


class Wishes:
    """Does at once what keys ask for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def wish(self, action: Callable[[], Awaitable[None]]) -> None:
        coroutine = action().__await__()
        with pytest.raises(StopIteration):
            next(coroutine)

    async def set_ratio(self, ratio: int) -> None:
        self.asked.append(f"ratio {ratio}")

    async def next_phase(self) -> None:
        self.asked.append("next")

    async def end(self) -> None:
        self.asked.append("end")

    async def pause(self) -> None:
        self.asked.append("pause")

    async def leave(self) -> None:
        self.asked.append("leave")


def test_keys_do_what_they_say() -> None:
    view, wishes = LiveView("x"), Wishes()
    view.attach(wishes)
    for key in "+-pneqx":
        view.take_key(key)
    assert wishes.asked == ["ratio 2", "ratio 1", "pause", "next", "end", "leave"]

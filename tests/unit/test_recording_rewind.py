# SPDX-License-Identifier: GPL-2.0-or-later
"""A recording that is taken back to a checkpoint is what it was there, whatever came after."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaccel.core.errors import UserError
from dynaccel.recording.reader import Recording
from dynaccel.recording.records import Watch
from dynaccel.recording.writer import RecordingWriter
from recordings import DAY, HOUR, at, contents

if TYPE_CHECKING:
    from collections.abc import Callable

WATCHES = [Watch(name="sevens", pattern="7")]
BUDGET = 40
QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
"""Where nothing waits for a disk."""


class Script:
    """Adds one thing after the other, each at a later moment."""

    def __init__(self, writer: RecordingWriter) -> None:
        self.writer = writer
        self.now = 0
        self.runs = 0
        self.phase = -1
        self.open: list[int] = []
        self.steps: dict[str, Callable[[], None]] = {
            "sample": self.sample,
            "other": self.other,
            "lines": self.lines,
            "start": self.start,
            "end": self.end,
            "late": self.late,
            "skip": self.skip,
            "event": self.event,
            "clock": self.clock,
            "phase": self.next_phase,
            "flush": self.flush,
        }

    def do(self, steps: list[str]) -> None:
        for step in steps:
            self.now += HOUR
            self.steps[step]()

    def flush(self) -> None:
        self.writer.flush()

    def sample(self) -> None:
        for _ in range(7):
            self.now += 60
            values = {"rss": float(self.now), "threads": 4.0}
            self.writer.add_sample(at(self.now), "web", "nginx[1]", values)

    def other(self) -> None:
        self.writer.add_sample(at(self.now), "web", f"sh[{self.now}]", {"rss": 1.0})

    def lines(self) -> None:
        texts = [f"line {self.now} {index}" for index in range(5)]
        self.writer.add_log(at(self.now), "syslog", "line", texts, dropped=self.now % 3)

    def start(self) -> None:
        self.runs += 1
        self.open.append(self.runs)
        self.writer.add_job(at(self.now), job="j", run=self.runs, state="started", pid=self.runs)

    def end(self) -> None:
        if self.open:
            run, status = self.open.pop(0), self.now % 2
            self.writer.add_job(
                at(self.now), job="j", run=run, state="ended", status=status, runtime_ns=self.now
            )

    def late(self) -> None:
        if self.open:
            self.writer.add_job(at(self.now), job="j", run=self.open[0], state="timeout")

    def skip(self) -> None:
        self.runs += 1
        self.writer.add_job(at(self.now), job="j", run=self.runs, state="skipped")

    def event(self) -> None:
        self.writer.add_event(at(self.now), "fault", "cut", "eth0", {"n": self.now})

    def clock(self) -> None:
        self.writer.add_clock(at(self.now), 1000)

    def next_phase(self) -> None:
        if self.phase >= 0:
            self.writer.add_phase_end(at(self.now), index=self.phase, ended_by="time")
        self.phase += 1
        self.writer.add_ratio_change(at(self.now), before=1, after=1000, why="phase")
        self.writer.add_phase_begin(at(self.now), index=self.phase, name="p", ratio=1000)


STEPS = st.lists(
    st.sampled_from(
        ["sample", "other", "lines", "start", "end", "late", "skip", "event", "clock", "phase",
         "flush"]
    ),
    max_size=30,
)  # fmt: skip


def without_gone_lines(value: dict[str, object]) -> dict[str, object]:
    """Leave out the lines of logs: what the bound took for good stays gone, and is counted."""
    return {key: each for key, each in value.items() if key != "logs"}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(before=STEPS, between=STEPS, after=STEPS, again=STEPS)
def test_a_rewind_gives_back_what_was(
    before: list[str], between: list[str], after: list[str], again: list[str]
) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK) as directory:
        path = Path(directory) / "recording.sqlite"
        writer = RecordingWriter.create(
            path, {}, budget=BUDGET, limits={"syslog": 4000}, watches=WATCHES
        )
        script = Script(writer)
        script.do(before)
        writer.mark_checkpoint(at(script.now), "one", seq=1)
        first = contents(path)
        script.do(between)
        writer.mark_checkpoint(at(script.now), "two", seq=2)
        second = contents(path)
        script.do(after)
        # The newest, then from there the one before it, from a new process each time.
        for tag, wanted in (("two", second), ("one", first)):
            writer.close()
            writer = RecordingWriter.open(path)
            assert writer.rewind(tag) == wanted["last"]
            writer.flush()
            found = contents(path)
            # Since a mark, what is settled by it may have merged: compare what that leaves alone.
            assert without_gone_lines(found) == without_gone_lines(wanted)
            check_lines(found)
        script.writer = writer
        # And it goes on from there like any other.
        script.phase = -1
        script.open = []
        script.runs += 1000
        script.do(again)
        writer.close()
        check_lines(contents(path))


def check_lines(found: dict[str, dict[str, tuple[list[object], object]]]) -> None:
    """Each line that came is there or counted as dropped, or as lost in the guest."""
    for lines, totals in found["logs"].values():
        dropped = totals.dropped  # type: ignore[attr-defined]
        assert len(lines) + dropped == totals.lines  # type: ignore[attr-defined]
        told = sum(line.dropped for line in lines)  # type: ignore[attr-defined]
        assert told <= dropped + totals.lost  # type: ignore[attr-defined]


def test_the_attempts_and_resumptions_stay_told(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        writer.add_clock(at(1 * DAY), 1000)
        writer.mark_checkpoint(at(1 * DAY), "one", seq=1)
        writer.add_clock(at(3 * DAY), 1000)
        writer.flush()
    for reached in (5, 4):
        with RecordingWriter.open(path) as writer:
            assert writer.rewind("one") == at(1 * DAY)
            writer.add_clock(at(reached * DAY), 1000)
    with RecordingWriter.open(path) as writer:
        writer.end_attempt("panic")
        writer.rewind("one", why="not this")
        writer.end_attempt("finished")
    with Recording.open(path) as recording:
        attempts = recording.attempts()
        events = recording.events()
        assert recording.event_counts()["resumed", "one"] == 3
        assert [pair.stamp for pair in recording.clock_pairs()] == [at(1 * DAY)]
    assert [each.number for each in attempts] == [1, 2, 3, 4]
    assert [each.why for each in attempts] == ["killed", "killed", "panic", "finished"]
    assert [each.ended for each in attempts] == [at(3 * DAY), at(5 * DAY), at(4 * DAY), at(1 * DAY)]
    assert [each.checkpoint for each in attempts] == ["", "one", "one", "one"]
    assert [each.begun for each in attempts] == [None, at(1 * DAY), at(1 * DAY), at(1 * DAY)]
    assert all(each.ended_wall is not None for each in attempts)
    assert [each.text for each in events] == [
        f"attempt {number} ended at virtual {reached} d ({why});"
        f" attempt {number + 1} goes on from checkpoint one, virtual 1 d"
        for number, reached, why in ((1, 3, "killed"), (2, 5, "killed"), (3, 4, "panic"))
    ]


def test_a_run_without_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {"scenario": "x"}) as writer:
        Script(writer).do(["phase", "sample", "lines", "start", "end", "event", "clock", "flush"])
    with RecordingWriter.open(path) as writer:
        writer.rewind(None)
        writer.flush()
    with Recording.open(path) as recording:
        assert recording.meta == {"scenario": "x"}
        assert recording.last is None
        assert recording.attempts()[0].why == "killed"
        assert [each.kind for each in recording.events()] == ["resumed"]
        assert not recording.phases()
        assert not recording.series_list()
        assert not recording.log_names()
        assert not recording.job_names()


def test_only_what_is_kept_can_be_gone_back_to(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        for index, tag in enumerate(["one", "two", "three"]):
            writer.mark_checkpoint(at(index * DAY), tag, seq=index, keep=2)
        with pytest.raises(ValueError, match="already"):
            writer.mark_checkpoint(at(9 * DAY), "three", seq=9)
        for tag in ("one", "never"):
            with pytest.raises(UserError, match="no checkpoint") as raised:
                writer.rewind(tag)
            assert raised.value.hint
        writer.rewind("two")
    with Recording.open(path) as recording:
        assert [(each.tag, each.kept) for each in recording.checkpoints()] == [
            ("one", False), ("two", True),
        ]  # fmt: skip


def test_what_may_be_rewound_is_not_merged_and_later_is(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}, budget=BUDGET) as writer:
        script = Script(writer)
        writer.mark_checkpoint(at(0), "zero", seq=0, keep=1)
        script.do(["sample"] * 40)
        writer.flush()
        with Recording.open(path) as recording:
            series = recording.series_list()[0]
            assert {point.level for point in recording.points(series)} == {0}
            assert len(recording.points(series)) == 280
        writer.mark_checkpoint(at(script.now), "one", seq=1, keep=1)
        with Recording.open(path) as recording:
            assert len(recording.points(series)) <= BUDGET
            assert sum(point.count for point in recording.points(series)) == 280

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written into a recording is read from it, whole or as its bounds leave it."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.recording import bounds, schema
from dynaccel.recording.reader import Recording
from dynaccel.recording.records import OUTSIDE, Watch
from dynaccel.recording.writer import RecordingWriter
from recordings import DAY, MINUTE, at

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[RecordingWriter]:
    with RecordingWriter.create(path, {"scenario": "nginx", "cpus": "2"}) as writer:
        yield writer


def test_what_is_written_is_read(path: Path, writer: RecordingWriter) -> None:
    writer.add_job(at(-5), job="setup", run=1, state="started", pid=7)
    writer.add_job(at(-1), job="setup", run=1, state="ended", status=0, runtime_ns=4)
    writer.add_ratio_change(at(0), before=1, after=1000, why="phase")
    writer.add_phase_begin(at(0), index=0, name="month", ratio=1000)
    writer.add_sample(at(10), "web", "nginx[8]", {"rss": 1e6, "cpu_seconds": 0.25})
    writer.add_log(at(11), "syslog", "line", ["one", "zwei ü"], dropped=3)
    writer.add_event(at(12), "fault", "cut", "eth0 is down", {"state": "begun"})
    writer.add_clock(at(13), 1000)
    writer.add_phase_end(at(20), index=0, ended_by="time")
    writer.mark_checkpoint(at(20), "one", seq=17, size=5, seconds_stopped=0.5)
    writer.end_attempt("finished")
    with Recording.open(path) as recording:
        assert recording.meta == {"scenario": "nginx", "cpus": "2"}
        assert recording.last == at(20)
        (phase,) = recording.phases()
        assert (phase.name, phase.ratio, phase.begun, phase.ended, phase.ended_by) == (
            "month", 1000, at(0), at(20), "time",
        )  # fmt: skip
        (change,) = recording.ratio_changes()
        assert (change.before, change.after, change.why, change.stamp) == (1, 1000, "phase", at(0))
        (run,) = recording.job_runs("setup")
        assert (run.started, run.ended, run.pid, run.exit_status) == (at(-5), at(-1), 7, 0)
        assert (run.phase, run.runtime_ns, run.state) == (OUTSIDE, 4, "ended")
        rss, cpu = recording.series_list()
        assert (rss.name, rss.unit, rss.total) == ("web.nginx[8].rss", "bytes", False)
        assert (cpu.name, cpu.unit, cpu.total) == ("web.nginx[8].cpu_seconds", "seconds", True)
        (point,) = recording.points(cpu)
        assert (point.virtual_ns, point.until_ns, point.mean, point.count) == (
            at(10).virtual_ns, at(10).virtual_ns, 0.25, 1,
        )  # fmt: skip
        first, second = recording.logs("syslog")
        assert (first.text, first.dropped, second.text, second.dropped) == ("one", 3, "zwei ü", 0)
        totals = recording.log_totals("syslog")
        assert (totals.lines, totals.bytes, totals.lost, totals.dropped) == (2, 10, 3, 0)
        (event,) = recording.events()
        assert (event.kind, event.name, event.data) == ("fault", "cut", {"state": "begun"})
        (pair,) = recording.clock_pairs()
        assert (pair.stamp, pair.ratio) == (at(13), 1000)
        (checkpoint,) = recording.checkpoints()
        assert (checkpoint.tag, checkpoint.seq, checkpoint.bytes, checkpoint.kept) == (
            "one", 17, 5, True,
        )  # fmt: skip
        (attempt,) = recording.attempts()
        assert (attempt.number, attempt.why, attempt.ended) == (1, "finished", at(20))


def test_a_reader_sees_one_moment_and_later_another(path: Path, writer: RecordingWriter) -> None:
    writer.add_clock(at(1000), 1000)
    writer.flush()
    with Recording.open(path) as recording:
        writer.add_clock(at(3000), 1000)
        writer.flush()
        assert len(recording.clock_pairs()) == 1
        assert recording.last == at(1000)
        recording.refresh()
        assert len(recording.clock_pairs()) == 2
        assert recording.last == at(3000)


def test_values_that_are_no_numbers_are_left_out(path: Path, writer: RecordingWriter) -> None:
    values = {"a": 1, "b": math.nan, "c": math.inf}
    writer.add_sample(at(0), "own", "command", values)
    writer.add_sample(at(1), "own", "command", {"b": math.nan})
    writer.flush()
    with Recording.open(path) as recording:
        points = {s.metric: [p.mean for p in recording.points(s)] for s in recording.series_list()}
    assert points == {"a": [1], "b": [], "c": []}


def test_a_metric_that_comes_and_goes_stays_one_series(path: Path) -> None:
    with RecordingWriter.create(path, {}, budget=40) as writer:
        for index in range(200):
            values = {"rss": float(index)} | ({"pss": 1.0} if index % 3 else {})
            writer.add_sample(at(index * MINUTE), "p", "x[1]", values)
        writer.flush()
    with Recording.open(path) as recording:
        rss, pss = sorted(recording.series_list(), key=lambda each: each.metric, reverse=True)
        points = recording.points(rss)
        assert sum(point.count for point in points) == 200
        assert len(points) <= 40
        assert [p.virtual_ns for p in points] == sorted(p.virtual_ns for p in points)
        assert sum(point.count for point in recording.points(pss)) == 133


def test_series_are_bounded_and_keep_what_counts(path: Path) -> None:
    with RecordingWriter.create(path, {}, budget=100) as writer:
        for index in range(5000):
            writer.add_sample(at(index * MINUTE), "system", "system", {"slab": float(index % 977)})
            if index % 5 == 0:
                writer.flush()
    with Recording.open(path) as recording:
        (series,) = recording.series_list()
        points = recording.points(series)
    values = [float(index % 977) for index in range(5000)]
    assert len(points) <= 105
    assert sum(point.count for point in points) == 5000
    assert min(point.min for point in points) == 0
    assert max(point.max for point in points) == 976
    mean = sum(point.mean * point.count for point in points) / 5000
    assert mean == pytest.approx(sum(values) / 5000)
    assert points[-1].last == values[-1]
    assert [point.level for point in points[-12:]] == [0] * 12
    # Evenly coarse but for the newest: no point is more than twice as long as another.
    old = [point.count for point in points[:60]]
    assert max(old) <= 4 * min(old)


def test_logs_keep_their_begin_their_end_and_what_watches_find(path: Path) -> None:
    watch = Watch(name="no-errors", pattern="error [0-9]")
    limits = {"syslog": 20_000}
    with RecordingWriter.create(path, {}, limits=limits, watches=[watch]) as writer:
        writer.add_phase_begin(at(0), index=0, name="all", ratio=1000)
        for index in range(3000):
            text = f"error {index}" if index == 1500 else f"line {index}"
            writer.add_log(at(index), "syslog", "line", [text])
            if index % 50 == 0:
                writer.flush()
    with Recording.open(path) as recording:
        lines = recording.logs("syslog")
        totals = recording.log_totals("syslog")
        (match,) = recording.matches("no-errors")
    texts = [line.text for line in lines]
    assert sum(len(text) + bounds.LINE_COST for text in texts) <= 22_000
    # The first quarter, whole.
    assert texts[:80] == [f"line {index}" for index in range(80)]
    assert texts[-100:] == [f"line {index}" for index in range(2900, 3000)]
    assert "error 1500" in texts
    assert (match.log, match.phase, match.count, match.first.text) == (
        "syslog", 0, 1, "error 1500",
    )  # fmt: skip
    assert totals.lines == 3000
    assert totals.dropped == 3000 - len(lines)
    assert sum(line.dropped for line in lines) == totals.dropped
    # Each gap is told by the line after it.
    numbers = [int(text.split()[1]) for text in texts]
    gaps = [b - a - 1 for a, b in zip([-1, *numbers], numbers, strict=False)]
    assert gaps == [line.dropped for line in lines]


def test_empty_lines_are_bounded_too(path: Path) -> None:
    with RecordingWriter.create(path, {}, limits={"job": 10_000}) as writer:
        for index in range(2000):
            writer.add_log(at(index), "job", "out", [""])
            if index % 20 == 0:
                writer.flush()
    with Recording.open(path) as recording:
        assert len(recording.logs("job")) < 300
        assert recording.log_totals("job").lines == 2000


def test_a_log_that_floods_between_checkpoints_is_bounded_all_the_same(path: Path) -> None:
    with RecordingWriter.create(path, {}, limits={"job": 10_000}) as writer:
        writer.mark_checkpoint(at(0), "one", seq=0)
        for index in range(2000):
            writer.add_log(at(index), "job", "out", [f"{index}"])
            if index % 20 == 0:
                writer.flush()
    with Recording.open(path) as recording:
        size = sum(len(line.text) + bounds.LINE_COST for line in recording.logs("job"))
    assert 15_000 < size < 25_000


def test_job_runs_are_bounded_and_counted_exactly(path: Path, writer: RecordingWriter) -> None:
    writer.add_phase_begin(at(0), index=0, name="all", ratio=1000)
    for run in range(1, 5001):
        begin = run * 10 * MINUTE
        writer.add_job(at(begin), job="cron", run=run, state="started", pid=run)
        status = 1 if run % 1000 == 0 else 0
        writer.add_job(
            at(begin + 5), job="cron", run=run, state="ended", status=status, runtime_ns=run
        )
    writer.flush()
    with Recording.open(path) as recording:
        runs = recording.job_runs("cron")
        totals = recording.job_totals("cron")
    assert len(runs) <= 405
    numbers = [run.run for run in runs]
    assert numbers[:200] == list(range(1, 201))
    assert numbers[-200:] == list(range(4801, 5001))
    assert [run.run for run in runs if run.exit_status] == [1000, 2000, 3000, 4000, 5000]
    assert (totals.started, totals.well, totals.failed, totals.skipped) == (5000, 4995, 5, 0)
    assert sum(day.well + day.failed for day in totals.days) == 5000
    assert totals.days[3].day == 3
    assert totals.days[3].well == 144
    failed = next(each for each in totals.outcomes if each.exit_status == 1)
    assert failed.first == at(1000 * 10 * MINUTE + 5)
    assert failed.last == at(5000 * 10 * MINUTE + 5)


def test_a_run_that_takes_too_long_is_counted_once(path: Path, writer: RecordingWriter) -> None:
    writer.add_job(at(0), job="j", run=1, state="started", pid=4)
    writer.add_job(at(9), job="j", run=1, state="timeout")
    writer.add_job(at(10), job="j", run=1, state="ended", signal=15, runtime_ns=10)
    writer.add_job(at(11), job="j", run=2, state="skipped")
    writer.add_job(at(12), job="j", run=3, state="failed_to_start", message="no such file")
    writer.add_job(at(13), job="s", run=1, state="started")
    writer.add_job(at(14), job="s", run=1, state="ended", signal=15, stopped=True)
    writer.flush()
    with Recording.open(path) as recording:
        first, second, third = recording.job_runs("j")
        totals = recording.job_totals("j")
        (stopped,) = recording.job_runs("s")
        assert recording.job_totals("s").failed == 0
    assert (first.state, first.exit_status, first.ended) == ("timeout", 143, at(10))
    assert (second.state, third.state, third.message) == (
        "skipped", "failed_to_start", "no such file",
    )  # fmt: skip
    assert stopped.state == "stopped"
    assert (totals.failed, totals.skipped, totals.count("timeout", "ended")) == (2, 1, 1)


def test_subjects_beyond_the_bound_are_recorded_together(
    path: Path, writer: RecordingWriter
) -> None:
    for pid in range(bounds.SUBJECTS + 50):
        writer.add_sample(at(pid), "children", f"sh[{pid}]", {"rss": 1.0})
    writer.flush()
    with Recording.open(path) as recording:
        series = recording.series_list()
        (event,) = recording.events()
        others = next(each for each in series if each.subject == "sh[others]")
        assert len(recording.points(others)) == 50
    assert len(series) == bounds.SUBJECTS + 1
    assert (event.kind, event.name) == ("recording", "children")


def test_events_of_a_kind_are_bounded_and_counted(path: Path, writer: RecordingWriter) -> None:
    for index in range(5000):
        writer.add_event(at(index), "clock", "realtime", f"{index}", {"back_ns": 5})
    writer.add_event(at(5000), "fault", "kill", "killed")
    writer.flush()
    with Recording.open(path) as recording:
        events = recording.events()
        counts = recording.event_counts()
    assert counts == {("clock", "realtime"): 5000, ("fault", "kill"): 1}
    assert len(events) == 2 * bounds.KEPT_EVENTS + 1
    assert (events[0].text, events[-2].text) == ("0", "4999")


def test_clock_pairs_are_thinned_but_not_where_the_ratio_changes(path: Path) -> None:
    with RecordingWriter.create(path, {}, budget=100) as writer:
        for index in range(5000):
            writer.add_clock(at(index * 1000), 500 if index == 7 else 1000)
            if index % 50 == 0:
                writer.flush()
    with Recording.open(path) as recording:
        pairs = recording.clock_pairs()
    assert len(pairs) <= 260
    assert pairs[0].stamp == at(0)
    assert pairs[-1].stamp == at(4999 * 1000)
    assert [pair.stamp for pair in pairs if pair.ratio == 500] == [at(7000)]


def test_clock_pairs_within_a_real_second_are_left_out(path: Path, writer: RecordingWriter) -> None:
    for index in range(100):
        writer.add_clock(at(index * 100), 1000)
    writer.flush()
    with Recording.open(path) as recording:
        assert len(recording.clock_pairs()) == 10


def test_lines_of_any_bytes_are_kept_readable(path: Path, writer: RecordingWriter) -> None:
    writer.add_log(at(0), "job", "out", [b"caf\xe9".decode("utf-8", "surrogateescape"), "\x00\x1b"])
    writer.flush()
    with Recording.open(path) as recording:
        assert [line.text for line in recording.logs("job")] == ["caf\ufffd", "\x00\x1b"]


def test_sql_reads_values_too(path: Path, writer: RecordingWriter) -> None:
    """The view that docs/recording.md offers to other programs."""
    writer.add_sample(at(0), "system", "system", {"slab": 7.0, "forks": 9.0})
    writer.flush()
    rows = sqlite3.connect(path).execute(
        "SELECT metric, value FROM value JOIN series ON series.id = value.series ORDER BY metric"
    )
    assert rows.fetchall() == [("forks", 9.0), ("slab", 7.0)]


def test_a_recording_is_not_overwritten(path: Path, writer: RecordingWriter) -> None:
    writer.flush()
    with pytest.raises(UserError, match="recording already"):
        RecordingWriter.create(path, {})


def test_one_of_two_writers_is_told(path: Path, writer: RecordingWriter) -> None:
    other = RecordingWriter.open(path)
    writer.add_clock(at(0), 1)
    with pytest.raises(InfrastructureError, match="another process writes"):
        writer.flush()
    other.add_clock(at(5), 1)
    other.close()
    with Recording.open(path) as recording:
        assert [pair.stamp for pair in recording.clock_pairs()] == [at(5)]
    # The fixture closes it; what it had cannot be written any more.
    writer._journal._rows.clear()  # noqa: SLF001


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no recording"):
        Recording.open(tmp_path / "none.sqlite")
    text = tmp_path / "text"
    text.write_text("not a database at all, whatever its name says" * 100)
    with pytest.raises(UserError, match="no recording of dynaccel"):
        Recording.open(text)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(UserError, match="no recording of dynaccel"):
        Recording.open(other)
    with pytest.raises(UserError, match="no recording of dynaccel"):
        RecordingWriter.open(other)


def test_a_newer_schema_is_told(path: Path, writer: RecordingWriter) -> None:
    writer.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(UserError, match="newer dynaccel") as raised:
        Recording.open(path)
    assert raised.value.hint is not None
    with pytest.raises(UserError, match="newer dynaccel"):
        RecordingWriter.open(path)
    # The fixture closes a closed one; that is no error.
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def test_a_closed_recording_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        writer.add_sample(at(DAY), "system", "system", {"slab": 1.0})
    assert [each.name for each in tmp_path.iterdir()] == ["recording.sqlite"]


def test_a_recording_where_one_may_not_write_is_read() -> None:
    """SQLite cannot make there what readers share with a writer."""
    directory = Path(tempfile.mkdtemp())
    try:
        path = directory / "recording.sqlite"
        with RecordingWriter.create(path, {}) as writer:
            writer.add_clock(at(5), 1)
        path.chmod(0o444)
        directory.chmod(0o555)
        with nobody(), Recording.open(path) as recording:
            assert len(recording.clock_pairs()) == 1
    finally:
        directory.chmod(0o755)
        shutil.rmtree(directory)


@contextmanager
def nobody() -> Iterator[None]:
    """Do without the rights of root, who may write everywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)

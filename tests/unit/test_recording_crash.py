# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens to the one that writes, the recording is whole up to its last second."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dynaccel.core.errors import InfrastructureError
from dynaccel.recording.reader import Recording
from dynaccel.recording.writer import RecordingWriter
from recordings import at

CHILD = Path(__file__).with_name("recording_child.py")
STEP_NS = 600 * 10**9
ROUNDS = 15


def test_a_writer_killed_at_any_moment_leaves_a_whole_recording(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    chance = random.Random(7)  # noqa: S311
    certain = 0
    resumed = 0
    for attempt in range(1, ROUNDS + 1):
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        # Killed while it writes: some lines after it has begun, somewhere in what follows.
        for _ in range(chance.randint(1, 60)):
            certain = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split("\n")[:-1]
        certain = int(rest[-1]) if rest else certain
        child.wait()
        number = check(path, certain)
        with Recording.open(path) as recording:
            attempts = recording.attempts()
            resumed = sum(each.kind == "resumed" for each in recording.events())
        assert len(attempts) == attempt
        assert number >= certain
    assert resumed == ROUNDS - 1


def check(path: Path, certain: int) -> int:
    """See that a recording is whole, and return the number of the last thing in it."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    with Recording.open(path) as recording:
        last = recording.last
        assert last is not None
        number = last.virtual_ns // STEP_NS
        assert number >= certain
        rss, _ = recording.series_list()
        points = recording.points(rss)
        # No value is missing and none is there twice.
        assert sum(point.count for point in points) == number
        assert sum(point.mean * point.count for point in points) == pytest.approx(
            number * (number + 1) / 2
        )
        totals = recording.job_totals("j")
        assert (totals.started, totals.well, totals.failed) == (number, number, 0)
        log = recording.log_totals("syslog")
        assert (log.lines, log.lines - log.dropped) == (number, len(recording.logs("syslog")))
        assert recording.logs("syslog")[-1].text == f"line {number}"
    return number


def test_a_full_disk_is_told_and_leaves_a_whole_recording(tmp_path: Path) -> None:
    """A file system of one megabyte, in a mount name space of its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    disk, saved = tmp_path / "disk", tmp_path / "saved"
    disk.mkdir()
    script = (
        'mount -t tmpfs -o size=1M none "$1" || exit 77\n'
        '"$2" "$3" "$1/recording.sqlite"; status=$?; cp -r "$1" "$4"; exit $status\n'
    )
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", script, "sh", disk, sys.executable, CHILD, saved],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode in {1, 77} and "ermi" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == InfrastructureError.exit_status, done.stderr
    *numbers, message = done.stdout.splitlines()
    assert "full" in message
    assert "free some room" in message
    check(saved / "recording.sqlite", int(numbers[-1]))


def test_what_a_full_disk_kept_off_is_written_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    writer = RecordingWriter.create(path, {})
    connection = writer._journal.connection  # noqa: SLF001
    writer.add_log(at(0), "job", "out", ["before"])
    writer.flush()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    writer.add_log(at(1), "job", "out", ["x" * 100_000])
    with pytest.raises(InfrastructureError, match="full") as raised:
        writer.flush()
    assert raised.value.hint is not None
    with Recording.open(path) as recording:
        assert [line.text for line in recording.logs("job")] == ["before"]
        assert recording.log_totals("job").lines == 1
    connection.execute("PRAGMA max_page_count = 100000")
    writer.flush()
    writer.close()
    with Recording.open(path) as recording:
        assert len(recording.logs("job")) == 2
        assert recording.log_totals("job").lines == 2


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        for index in range(2000):
            writer.add_log(at(index), "job", "out", [f"line {index}"])
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 40_960] = b"\xff" * 40_960
    path.write_bytes(data)
    with pytest.raises(InfrastructureError, match="damaged"), Recording.open(path) as recording:
        recording.logs("job")

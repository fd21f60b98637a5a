# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that records until it is killed: ``recording_child.py FILE [BYTES]``.

It prints the number of what the recording has for certain, after each commit. With a number of
bytes it says instead what became of a disk that fills up.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dynaccel.core.errors import InfrastructureError
from dynaccel.recording.writer import RecordingWriter
from recordings import at


def add(writer: RecordingWriter, number: int) -> None:
    """Add a few things of one moment."""
    stamp = at(number * 600)
    writer.add_job(stamp, job="j", run=number, state="started", pid=number)
    writer.add_sample(stamp, "web", "nginx[1]", {"rss": float(number), "threads": 4.0})
    writer.add_log(stamp, "syslog", "line", [f"line {number}"])
    writer.add_job(stamp, job="j", run=number, state="ended", status=0, runtime_ns=1)
    writer.add_clock(stamp, 1000)


def main() -> None:
    """Record."""
    path = Path(sys.argv[1])
    exists = path.exists()
    writer = (
        RecordingWriter.open(path)
        if exists
        else RecordingWriter.create(path, {}, budget=100, limits={"syslog": 50_000})
    )
    first = 1
    if exists:
        # What the last one left: go on from the newest checkpoint, or from the beginning.
        last = newest_checkpoint(path)
        stamp = writer.rewind(last)
        first = stamp.virtual_ns // (600 * 10**9) + 1
    for number in itertools.count(first):
        add(writer, number)
        if number % 7 == 0:
            writer.flush()
            print(number, flush=True)  # noqa: T201
        if number % 100 == 0:
            writer.mark_checkpoint(at(number * 600), f"c{number}", seq=number)
            print(number, flush=True)  # noqa: T201


def newest_checkpoint(path: Path) -> str | None:
    """Return the tag of the newest checkpoint; None when there is none."""
    from dynaccel.recording.reader import Recording  # noqa: PLC0415

    with Recording.open(path) as recording:
        kept = [each.tag for each in recording.checkpoints() if each.kept]
    return kept[-1] if kept else None


if __name__ == "__main__":
    try:
        main()
    except InfrastructureError as error:
        print(f"{error.message} / {error.hint}", flush=True)  # noqa: T201
        raise SystemExit(error.exit_status) from None

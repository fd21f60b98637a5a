# SPDX-License-Identifier: GPL-2.0-or-later
"""Kill a run at random moments, again and again, and see what of it is lost.

By turns the tool and its QEMU get SIGKILL, each at a random moment of an attempt; then the run is
resumed. In the end the recording must be whole: SQLite finds no fault, phases follow each other
without a gap, each run of a job is there once and none is missing. Prints a table in Markdown; the
exit status is 1 when something was lost that must not be.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from dynaccel.recording.reader import Recording

DYNACCEL = [sys.executable, "-m", "dynaccel.cli.main", "-q", "scenario"]
CHECKPOINT_SECONDS = 8
LOST, LEFT = 4, 130
SCENARIO = """\
name = "killed"
start = 2026-01-01

[machine]
memory = "256M"

[checkpoints]
every-real = "{checkpoint}s"

[[phase]]
name = "first"
ratio = 100
for = "10m"

[[phase]]
name = "second"
ratio = 1000
for = "{hours}h"

[job.tick]
kind = "repeat"
every = "10m"
command = "true"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What a kill did.

    Attributes:
        victim: ``tool`` or ``QEMU``.
        after_seconds: Real time from the start of the attempt.
        reached_ns: Virtual time that was recorded by then.
        back_ns: Virtual time at which the next attempt went on.
        resumed_seconds: Real time until the next attempt recorded something new.
    """

    victim: str
    after_seconds: float
    reached_ns: int
    back_ns: int
    resumed_seconds: float


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311  (moments, not secrets)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        base = Path(directory)
        source, run = base / "killed.toml", base / "run"
        # Long enough that the last kill still finds it going on.
        hours = 2 + options.kills * CHECKPOINT_SECONDS * 2000 // 3600
        source.write_text(SCENARIO.format(checkpoint=CHECKPOINT_SECONDS, hours=hours))
        kills, status = _suffer(source, run, options.kills, chance)
        faults = _faults(run / "recording.sqlite", hours)
    _print(kills)
    for fault in faults:
        print(f"LOST: {fault}")
    print(f"\nexit status of the last attempt: {status}")
    return 1 if faults or status else 0


def _suffer(source: Path, run: Path, count: int, chance: random.Random) -> tuple[list[Kill], int]:
    kills: list[Kill] = []
    command = ["run", str(source), "--output", str(run), "--plain"]
    pending: tuple[str, float, int, int] | None = None
    while True:
        started = time.monotonic()
        with subprocess.Popen([*DYNACCEL, *command], stderr=subprocess.PIPE) as child:
            command = ["resume", str(run), "--plain"]
            if pending is not None:
                back, seconds = _went_on(run, child, pending[3])
                kills.append(
                    Kill(
                        victim=pending[0],
                        after_seconds=pending[1],
                        reached_ns=pending[2],
                        back_ns=back,
                        resumed_seconds=seconds,
                    )
                )
                pending = None
            if len(kills) >= count:
                child.communicate()
                return kills, child.returncode
            _wait_for_recording(run, child)
            with suppress(subprocess.TimeoutExpired):
                child.wait(chance.uniform(0, 2.5 * CHECKPOINT_SECONDS))
                return kills, child.returncode  # it ended before its time: the caller sees it
            victim = chance.choice(["tool", "QEMU"])
            os.kill(child.pid if victim == "tool" else _qemu_of(child.pid), signal.SIGKILL)
            child.communicate()
            if victim == "QEMU" and child.returncode not in {LOST, LEFT}:
                return kills, child.returncode
            pending = (victim, time.monotonic() - started, *_reached(run))


def _qemu_of(parent: int) -> int:
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)],
        capture_output=True,
        check=True,
        text=True,
    )
    return next(int(line.split()[0]) for line in listed.stdout.splitlines() if "qemu" in line)


def _wait_for_recording(run: Path, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None and not (run / "recording.sqlite").exists():
        time.sleep(0.1)
    while child.poll() is None and _reached(run)[0] <= 0:
        time.sleep(0.1)


def _went_on(run: Path, child: subprocess.Popen[bytes], attempts: int) -> tuple[int, float]:
    """Wait until an attempt records something new; say where it began, and how long that took."""
    began = time.monotonic()
    back = None
    while child.poll() is None:
        reached, number = _reached(run)
        if number > attempts or back is not None:
            if back is None:
                back = reached
            if reached > back:
                break
        time.sleep(0.05)
    return (back if back is not None else 0), time.monotonic() - began


def _reached(run: Path) -> tuple[int, int]:
    with suppress(Exception), Recording.open(run / "recording.sqlite") as recording:
        pairs = recording.clock_pairs()
        return (pairs[-1].stamp.virtual_ns if pairs else 0), len(recording.attempts())
    return 0, 0


def _faults(path: Path, hours: int) -> list[str]:
    faults = []
    with closing(sqlite3.connect(path)) as connection:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        faults.append(f"SQLite says {said}")
    with Recording.open(path) as recording:
        phases, totals = recording.phases(), recording.job_totals("tick")
        stamps = [pair.stamp for pair in recording.clock_pairs()]
    names = [phase.name for phase in phases if phase.ended is not None]
    if names != ["first", "second"]:
        faults.append(f"phases that ended: {names}")
    if stamps != sorted(stamps):
        faults.append("time goes back in the recording")
    due = 2 + hours * 6
    started = (totals.started + totals.skipped) if totals else 0
    if abs(started - due) > 1:
        faults.append(f"{started} of {due} runs of a job")
    return faults


def _print(kills: list[Kill]) -> None:
    print("| | victim | after | lost, virtual | lost, real at 1000 | went on after |")
    print("|---|---|---|---|---|---|")
    for number, kill in enumerate(kills, 1):
        lost = (kill.reached_ns - kill.back_ns) / 1e9
        print(
            f"| {number} | {kill.victim} | {kill.after_seconds:.1f} s | {lost / 60:.0f} min"
            f" | {lost / 1000:.1f} s | {kill.resumed_seconds:.1f} s |"
        )


if __name__ == "__main__":
    sys.exit(main())

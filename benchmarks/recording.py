# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recording of ten years costs: its size, and the CPU of the one that writes it.

Simulates a typical scenario at 1000: five processes and the system sampled each ten virtual
minutes, a job each ten minutes and one each night, the output of both, a system log of a line
each two minutes, clocks each real second, a checkpoint each ten real minutes. Writes what the
run's host would write, as quickly as it can, with a commit where a real second would have passed.
Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from common import machine
from dynaccel.recording.reader import Recording
from dynaccel.recording.records import Watch
from dynaccel.recording.writer import RecordingWriter
from recordings import DAY, MINUTE, at

RATIO = 1000
SYSTEM = [
    "memory_used",
    "memory_free",
    "memory_available",
    "memory_cached",
    "slab",
    "slab_unreclaimable",
    "kernel_stack",
    "page_tables",
    "swap_used",
    "load_1",
    "processes",
    "threads",
    "file_handles",
    "sockets",
    "tcp_sockets",
    "tcp_time_wait",
    "context_switches",
    "forks",
    "cpu_seconds",
    "interrupts",
    "disk_read_bytes",
    "disk_written_bytes",
]
PROCESS = [
    "rss",
    "anonymous",
    "virtual",
    "swap",
    "descriptors",
    "threads",
    "cpu_seconds",
    "children",
    "age_seconds",
]
STEP = 10 * MINUTE
CHECKPOINT_REAL = 600
MIB = 1 << 20


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def record(writer: RecordingWriter, days: int) -> None:
    """Record so many virtual days."""
    committed = checkpoint = 0.0
    writer.add_phase_begin(at(0), index=0, name="years", ratio=RATIO)
    for number in range(days * DAY // STEP):
        second = number * STEP
        stamp = at(second)
        for pid in range(5):
            size = 40.0 * MIB + number % 977 * 4096 + pid
            values = dict.fromkeys(PROCESS, size)
            writer.add_sample(stamp, "daemon", f"worker[{800 + pid}]", values)
        writer.add_sample(stamp, "system", "system", dict.fromkeys(SYSTEM, number * 1.5))
        jobs = ["often"] + (["nightly"] if number % 144 == 18 else [])
        for job in jobs:
            writer.add_job(stamp, job=job, run=number + 1, state="started", pid=number)
            done = f"{job}: {number} done in 0.{number % 1000:03} s"
            writer.add_log(at(second + 2), job, "out", [done])
            writer.add_job(
                at(second + 3), job=job, run=number + 1, state="ended", status=0, runtime_ns=3
            )
        lines = [
            f"worker[{800 + n}]: request {number}-{n} from 10.0.2.2 answered" for n in range(5)
        ]
        writer.add_log(at(second + 4), "syslog", "line", lines)
        writer.add_clock(stamp, RATIO)
        real = second / RATIO
        if real - committed >= 1:
            writer.flush()
            committed = real
        if real - checkpoint >= CHECKPOINT_REAL:
            writer.mark_checkpoint(at(second + 5), f"c{number}", seq=number, size=300 * MIB)
            checkpoint = real
    writer.add_phase_end(at(days * DAY), index=0, ended_by="time")
    writer.end_attempt("finished")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=10)
    parser.add_argument("--directory", help="where the recording is written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        path = Path(directory) / "recording.sqlite"
        wall, before = time.monotonic(), cpu_seconds()
        watches = [Watch(name="no-errors", pattern="(?i)error|fail")]
        largest = 0
        with RecordingWriter.create(path, {"scenario": "years"}, watches=watches) as writer:
            record(writer, round(arguments.years * 365))
            largest = sum(each.stat().st_size for each in Path(directory).iterdir())
        used, took = cpu_seconds() - before, time.monotonic() - wall
        size = path.stat().st_size
        begun = time.monotonic()
        with Recording.open(path) as recording:
            series = recording.series_list()
            points = [recording.points(each) for each in series]
            read = time.monotonic() - begun
            values = sum(point.count for each in points for point in each)
            lines = sum(recording.log_totals(log).lines for log in recording.log_names())
            runs = sum(recording.job_totals(job).started for job in recording.job_names())
    real = arguments.years * 365 * DAY / RATIO
    print(machine())
    print()
    print("| figure | measured |")
    print("|---|---|")
    print(f"| virtual time | {arguments.years:g} years at {RATIO}: {real / 3600:.1f} h |")
    print(f"| values, lines, runs of jobs | {values:,}, {lines:,}, {runs:,} |")
    sizes = f"{size / MIB:.1f} MiB, {largest / MIB:.1f} MiB"
    print(f"| size, with its log while it is written | {sizes} |")
    print(f"| series, points of the longest | {len(series)}, {max(map(len, points))} |")
    print(f"| CPU of the writer | {used:.1f} s, {used / arguments.years:.1f} s a virtual year |")
    print(f"| share of one CPU at {RATIO} | {used / real:.2%} |")
    print(f"| CPU a value | {used / values * 1e6:.1f} µs |")
    print(f"| written in | {took:.1f} s |")
    print(f"| all points read in | {read:.2f} s |")


if __name__ == "__main__":
    main()

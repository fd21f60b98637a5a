# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of dynaccel on this machine, each against the bar that the project sets itself.

Prints a table in Markdown. Nothing here is a test: a busy host makes figures worse, not wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.verify.clocks import clock_probe, rates
from dynaccel.verify.probes import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DYNACCEL = [sys.executable, "-m", "dynaccel.cli.main", "-qq"]
RATIOS = (1, 10, 100, 200, 1000)
COARSE = {"realtime_coarse", "monotonic_coarse", "times"}
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the table."""

    subject: str
    measured: str
    bar: str
    holds: bool


def run(*words: str, options: tuple[str, ...] = ()) -> tuple[dict[str, Any], str, float]:
    """Run a command in a guest; return the result file, its output, and real seconds in all."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        argv = [*DYNACCEL, "run", *options, "--result", str(result), "--", *words]
        before = time.monotonic()
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
        seconds = time.monotonic() - before
        return json.loads(result.read_text()), done.stdout, seconds


def clock_rates(window_seconds: float) -> Iterator[Figure]:
    """How far each clock is off the ratio, the worst of all fine clocks, idle and CPU-bound."""
    for ratio in RATIOS:
        for name, spinning in (("idle", 0), ("CPU-bound", 2)):
            with clock_probe(["--accel", f"{ratio}"], spinning=spinning) as guest:
                first = guest.stamp()
                time.sleep(window_seconds)
                last = guest.stamp()
            fine = [rate for rate in rates(first, last) if rate.clock not in COARSE]
            worst = max(fine, key=lambda rate: abs(rate.ratio / ratio - 1))
            error = abs(worst.ratio / ratio - 1)
            yield Figure(
                subject=f"clock rate at {ratio}, {name} ({window_seconds:.0f} s)",
                measured=f"{worst.ratio:.4f} ({error:.4%} off, ±{worst.uncertainty:.4%})",
                bar="within 0.1 %",
                holds=error <= 0.001,
            )


def start_up(times: int) -> Iterator[Figure]:
    """What a command costs that does nothing."""
    walls, boots = [], []
    for _ in range(times):
        result, _, seconds = run("true", options=("--accel", "200"))
        walls.append(seconds)
        boots.append(result["boot_seconds"])
    yield Figure(
        subject=f"run -- true, wall ({times} runs)",
        measured=f"{statistics.median(walls):.2f} s ({min(walls):.2f} to {max(walls):.2f}),"
        f" guest {statistics.median(boots):.2f} s",
        bar="under 5 s with TCG",
        holds=statistics.median(walls) < 5,
    )


def a_day() -> Iterator[Figure]:
    """A day of sleep on two CPUs."""
    result, _, _ = run("sleep", "86400", options=("--accel", "1000", "--cpus", "2"))
    seconds = result["real_seconds"]
    yield Figure(
        subject="sleep 86400 at 1000, 2 CPUs",
        measured=f"{seconds:.2f} s",
        bar="86.4 s ± 1 %",
        holds=abs(seconds / 86.4 - 1) <= 0.01,
    )


def read_cost() -> Iterator[Figure]:
    """What clock_gettime costs at 1 and at 200, by turns in one guest, in real time."""
    script = (
        'for i in 1 2 3; do for n in 1 200; do echo $n > /proc/sys/kernel/accel; echo "$n $($0)";'
        " done; done"
    )
    _, said, _ = run("sh", "-c", script, str(probe("readcost")), options=("--user", "root"))
    costs: dict[int, list[float]] = {}
    for line in said.splitlines():
        ratio, virtual_ns = line.split()
        costs.setdefault(int(ratio), []).append(float(virtual_ns) / int(ratio))
    one, fast = min(costs[1]), min(costs[200])
    yield Figure(
        subject="clock_gettime() in the guest, real time",
        measured=f"{one:.0f} ns at 1, {fast:.0f} ns at 200",
        bar="the same",
        holds=fast < one * 1.2,
    )


@contextmanager
def idle_guest() -> Iterator[int]:
    """Run a guest that sleeps; yield the process id of its QEMU."""
    name = f"bench-{os.getpid()}"
    argv = [*DYNACCEL, "run", "--name", name, "--", "sh", "-c", "echo up; exec sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        time.sleep(2)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"qemu-system-x86_64") and name.encode() in words:
                yield int(process.name)
        owner.terminate()
        owner.wait()


def memory() -> Iterator[Figure]:
    """What an idle guest takes of the host, and how much of that is the guest's own memory."""
    guest_bytes = 1 << 30
    with idle_guest() as pid:
        total = own = 0
        size = 0
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                size = int(match[2], 16) - int(match[1], 16)
            elif match := re.match(r"Pss: +(\d+) kB", line):
                total += int(match[1]) << 10
                own += int(match[1]) << 10 if size == guest_bytes else 0
    yield Figure(
        subject="host memory of an idle guest (1 GiB, 2 CPUs)",
        measured=f"{(total - own) / MIB:.0f} MiB, and {own / MIB:.0f} MiB that the guest uses",
        bar="under 400 MiB beyond the guest's own",
        holds=own > 0 and total - own < 400 * MIB,
    )


def machine() -> str:
    """Say where and when this was measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    qemu = subprocess.run(
        ["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.splitlines()[0]
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC, {model[1] if model else platform.machine()},"
        f" {os.cpu_count()} CPUs, load {load:.1f} at the start, {qemu}"
    )


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", type=float, default=20, help="real seconds for a clock rate")
    parser.add_argument("--starts", type=int, default=5, help="how often to start a guest")
    parser.add_argument("only", nargs="*", help="start, clocks, memory, read, day; default all")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "start": lambda: start_up(options.starts),
        "memory": memory,
        "read": read_cost,
        "clocks": lambda: clock_rates(options.window),
        "day": a_day,
    }
    print(machine() + "\n")
    print("| what | measured | bar | |\n|---|---|---|---|")
    for name, measure in parts.items():
        if options.only and name not in options.only:
            continue
        for figure in measure():
            verdict = "yes" if figure.holds else "NO"
            print(
                f"| {figure.subject} | {figure.measured} | {figure.bar} | {verdict} |", flush=True
            )


if __name__ == "__main__":
    main()

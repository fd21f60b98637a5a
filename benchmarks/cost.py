# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patch costs at ratio 1: the paths through time, patched against unpatched.

First in instructions: QEMU counts them (``-icount shift=0``), and a guest with one CPU that gets
no other input executes the same ones in each run. Then in real time, the two kernels by turns.
The guest has one CPU and the probe (``guest/probes/cost.c``) as process 1, nothing else.
Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any

from common import machine, unpatched_kernel
from dynaccel.host import kernels, process
from dynaccel.verify.probes import probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.core.kernels import Kernel

TICK = "tick of a busy program"
"""The benchmark that only instructions can tell: the host stops a guest for longer than a tick."""
EMPTY = "empty"
"""The benchmark that does nothing; what it takes is taken off the others."""
COUNTED = ("1001", "1")
"""Rounds and batch where instructions are counted: each operation alone, exactly."""
TIMED = ("2001", "20")
"""Rounds and batch in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one boot of a kernel measured.

    Attributes:
        counts: Counts for one operation, by the name of the benchmark: the median of all rounds
            where instructions are counted; in real time the least, which nothing else on the host
            has disturbed.
        counts_per_second: What the counter counts in a real second.
    """

    counts: dict[str, float]
    counts_per_second: float


def initramfs(directory: Path) -> Path:
    """Make an initramfs that holds the probe as process 1."""
    (directory / "init").write_bytes(probe("cost").read_bytes())
    (directory / "init").chmod(0o755)
    packed = process.run(
        ["cpio", "--create", "--format=newc", "--quiet"], cwd=directory, stdin=b"init\n"
    )
    image = directory / "image.cpio"
    image.write_bytes(packed.stdout)
    return image


def boot(kernel: Kernel, image: Path, *, counted: bool) -> Run:
    """Boot a kernel on one CPU and return what the probe found."""
    argv = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-serial", "stdio", "-machine", "q35", "-accel", "tcg", "-smp", "1", "-m", "256",
        # Nothing of chance: no random numbers of the host, and a date of its own.
        "-cpu", "max,-rdrand,-rdseed", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm",
        *(["-icount", "shift=0,sleep=off"] if counted else []),
        "-kernel", f"{kernel.image}", "-initrd", f"{image}",
        "-append", "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check -- "
        + " ".join(COUNTED if counted else TIMED),
    ]  # fmt: skip
    lines: list[tuple[float, dict[str, Any]]] = []
    rest = []
    with process.start(argv, stdin=DEVNULL, stdout=PIPE, stderr=PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(b"{"):
                lines.append((time.monotonic(), json.loads(line)))
            else:
                rest.append(line.decode(errors="replace"))
    (began, first), (ended, last) = lines[0], lines[-1]
    assert last["name"] == TICK, "".join(rest)
    return Run(
        counts={record["name"]: record["median" if counted else "min"] for _, record in lines},
        counts_per_second=(last["at"] - first["at"]) / (ended - began),
    )


def net(run: Run, name: str) -> float:
    """Return what an operation takes in counts, without the looks at the counter."""
    return run.counts[name] - run.counts[EMPTY]


def names(run: Run) -> list[str]:
    """Return the benchmarks in their order."""
    return [name for name in run.counts if name != EMPTY]


def counted(unpatched: Kernel, patched: Kernel, image: Path) -> list[str]:
    """Return the table of instructions; each kernel runs twice, and both runs have to agree."""
    runs = []
    for kernel in (unpatched, patched):
        first, second = (boot(kernel, image, counted=True) for _ in range(2))
        assert first.counts == second.counts, (first.counts, second.counts)
        runs.append(first)
    base, ours = runs
    rows = ["| instructions | unpatched | patched | more | |", "|---|---|---|---|---|"]
    for name in names(base):
        before, after = net(base, name), net(ours, name)
        rows.append(
            f"| {name} | {before:.0f} | {after:.0f} | {after - before:+.0f}"
            f" | {after / before - 1:+.2%} |"
        )
    return rows


def timed(unpatched: Kernel, patched: Kernel, image: Path, pairs: int) -> list[str]:
    """Return the table of real time: medians, and the spread of the differences of all pairs."""
    runs = []
    for number in range(pairs):
        # By turns, and each as often first: a host that slows down takes no side.
        turn = (unpatched, patched) if number % 2 == 0 else (patched, unpatched)
        pair = {kernel.short_id: boot(kernel, image, counted=False) for kernel in turn}
        runs.append((pair[unpatched.short_id], pair[patched.short_id]))
    rows = [
        "| real time, µs | unpatched | patched | difference, median | all pairs |",
        "|---|---|---|---|---|",
    ]
    for name in names(runs[0][0]):
        if name == TICK:
            continue
        before = [microseconds(base, name) for base, _ in runs]
        after = [microseconds(ours, name) for _, ours in runs]
        changes = sorted(b / a - 1 for a, b in zip(before, after, strict=True))
        rows.append(
            f"| {name} | {statistics.median(before):.3f} | {statistics.median(after):.3f}"
            f" | {statistics.median(changes):+.1%} | {changes[0]:+.1%} to {changes[-1]:+.1%} |"
        )
    return rows


def microseconds(run: Run, name: str) -> float:
    """Return what an operation takes in real microseconds."""
    return net(run, name) / run.counts_per_second * 1e6


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unpatched", help="kernel; default: the newest unpatched one")
    parser.add_argument("--patched", help="kernel; default: the newest accelerated one")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of boots in real time")
    options = parser.parse_args(words)
    base, ours = unpatched_kernel(options.unpatched), kernels.resolve(options.patched)
    print(f"{machine()}, one CPU; kernels {base.short_id} and {ours.short_id}\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        image = initramfs(Path(scratch))
        print("\n".join(counted(base, ours, image)) + "\n", flush=True)
        if options.pairs:
            print("\n".join(timed(base, ours, image, options.pairs)))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own tests of time at several ratios, against an unpatched kernel.

Each run is appended to a record (one JSON object a line); the table in Markdown is made of the
latest record for each cell. The programs and how to judge them: ``dynaccel.verify.selftests``.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import machine, unpatched_kernel
from dynaccel.core.events import NullReporter
from dynaccel.core.units import format_duration
from dynaccel.host import kernels, paths
from dynaccel.kbuild import source
from dynaccel.verify.selftests import Outcome, build, run
from selftest_cases import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynaccel.core.kernels import Kernel

SOURCE = "debian:6.1"
RATIOS = (1, 10, 100, 1000)
UNPATCHED = "unpatched"


def selftests_tree() -> Path:
    """Return ``tools/testing/selftests`` of the kernel's source, unpacked once."""
    pristine = source.resolve(SOURCE, reporter=NullReporter())
    top = paths.cache_dir() / "selftests" / f"source-{pristine.identity[:16]}"
    tests = top / "tools/testing/selftests"
    if not tests.is_dir():
        top.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["tar", "--extract", f"--file={pristine.path}", f"--directory={top}",
             "--strip-components=1", "--wildcards", "--no-wildcards-match-slash",
             "*/tools/testing/selftests"],
            check=True,
        )  # fmt: skip
    return tests


def measure(
    case: Case, column: str, *, kernel: Kernel, built: Path, record: Path, tries: int
) -> None:
    """Run a case in one column and append what came of it to the record.

    A test that fails is tried again: one that sets deadlines fails on a busy host, patched or not.
    """
    ratio = 1 if column == UNPATCHED else int(column)
    test, limit = case.at(ratio)
    options = ["--accelerator", "tcg", "--kernel", f"{kernel.directory}", "--accel", f"{ratio}"]
    attempt = 1
    report = run(test, built=built, options=options, limit_seconds=limit)
    while report.outcome is Outcome.FAIL and attempt < tries:
        attempt += 1
        report = run(test, built=built, options=options, limit_seconds=limit)
    line = {
        "test": case.title,
        "column": column,
        "kernel": kernel.short_id,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "outcome": report.outcome.value,
        "status": report.status,
        "real_seconds": report.real_seconds,
        "short": test is not case.test,
        "attempt": attempt,
        "complaints": report.complaints,
        "text": report.text[-20000:],
    }
    with record.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print(f"{case.title} at {column}: {report.outcome.value} {report.complaints or ''}", flush=True)


def latest(record: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the last line of the record for each test and column."""
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    return {(line["test"], line["column"]): line for line in lines}


def cell(line: dict[str, Any] | None) -> str:
    """Return what the table says about a run: outcome, real time, whether it was shortened."""
    if line is None:
        return ""
    took = f" {format_duration(line['real_seconds'])}" if line["real_seconds"] is not None else ""
    again = line["outcome"] == Outcome.PASS.value and line["attempt"] > 1
    tried = f" (try {line['attempt']})" if again else ""
    troubled = " (kernel log)" if line["complaints"] else ""
    return f"{line['outcome']}{took}{' *' if line['short'] else ''}{tried}{troubled}"


def table(record: Path, cases: Iterable[Case]) -> str:
    """Return the table in Markdown."""
    columns = [UNPATCHED, *(f"{ratio}" for ratio in RATIOS)]
    known = latest(record)
    rows = [f"| test | {' | '.join(columns)} | judges |", "|---" * (len(columns) + 2) + "|"]
    for case in cases:
        cells = [cell(known.get((case.title, column))) for column in columns]
        rows.append(f"| {case.title} | {' | '.join(cells)} | {case.judges} |")
    return "\n".join(rows)


def differences(record: Path, cases: Sequence[Case]) -> list[str]:
    """Return the tests that end otherwise than on the unpatched kernel, and how."""
    known = latest(record)
    found = []
    for case in cases:
        base = known.get((case.title, UNPATCHED))
        for ratio in RATIOS:
            line = known.get((case.title, f"{ratio}"))
            if base and line and line["outcome"] != base["outcome"]:
                found.append(
                    f"{case.title} at {ratio}: {line['outcome']}, unpatched: {base['outcome']}"
                )
    return found


def lateness(record: Path) -> str:
    """Return how late, in real time, the timers of ``set-timer-lat`` were at each ratio."""
    known = latest(record)
    parts = []
    for column in [UNPATCHED, *(f"{ratio}" for ratio in RATIOS)]:
        line = known.get(("timers: set-timer-lat", column))
        found = re.findall(r"max latency: +(\d+) ns", line["text"]) if line else []
        if found:
            ratio = 1 if column == UNPATCHED else int(column)
            real_us = sorted(int(ns) / ratio / 1000 for ns in found)
            parts.append(
                f"{column}: {statistics.median(real_us):.0f} µs"
                f" ({real_us[0]:.0f} to {real_us[-1]:.0f})"
            )
    return f"set-timer-lat, the largest lateness of each of its timers: {', '.join(parts)}"


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    record = paths.cache_dir() / "selftests/record.jsonl"
    parser.add_argument("--record", type=Path, default=record)
    parser.add_argument("--columns", nargs="*", default=[UNPATCHED, *(f"{n}" for n in RATIOS)])
    parser.add_argument("--kernel", help="the accelerated kernel; default: the newest")
    parser.add_argument("--jobs", type=int, default=1, help="guests at once")
    parser.add_argument("--tries", type=int, default=3, help="how often to try one that fails")
    parser.add_argument("--only", nargs="*", help="programs; default all")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or case.test.program in options.only]
    if not options.table:
        built = build(selftests_tree())
        accelerated = kernels.resolve(options.kernel)
        assert accelerated.manifest.accelerated
        # Real time is the scarce thing: the longest first.
        runs = sorted(
            ((case, column) for case in cases for column in options.columns),
            key=lambda run: -run[0].at(1 if run[1] == UNPATCHED else int(run[1]))[1],
        )
        with ThreadPoolExecutor(options.jobs) as pool:
            for done in [
                pool.submit(
                    measure,
                    case,
                    column,
                    kernel=unpatched_kernel() if column == UNPATCHED else accelerated,
                    built=built,
                    record=options.record,
                    tries=options.tries,
                )
                for case, column in runs
            ]:
                done.result()
    print(f"{machine()}\n\n{table(options.record, cases)}")
    print("\n".join(["", *differences(options.record, cases), "", lateness(options.record)]))


if __name__ == "__main__":
    main()

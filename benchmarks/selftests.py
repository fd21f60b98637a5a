# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own tests of time at several ratios, against an unpatched kernel.

Each run is appended to a record (one JSON object a line); the table in Markdown is made of the
latest record for each cell. The programs and how to judge them: ``dynaccel.verify.selftests``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core.events import NullReporter
from dynaccel.core.units import format_duration
from dynaccel.host import kernels, paths
from dynaccel.kbuild import source
from dynaccel.verify.selftests import Outcome, Selftest, build, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynaccel.core.kernels import Kernel

SOURCE = "debian:6.1"
RATIOS = (1, 10, 100, 1000)
UNPATCHED = "unpatched"
MARGIN_SECONDS = 120.0
"""Real time that a test may take beyond twice its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A line of the table.

    Attributes:
        test: The test as its authors run it.
        seconds: About how long that takes, in the time of the guest.
        short: The test at ratio 1 (unpatched and patched alike) where it would take too long.
        short_seconds: About how long that takes.
    """

    test: Selftest
    seconds: float
    short: Selftest | None = None
    short_seconds: float = 0

    def at(self, ratio: int) -> tuple[Selftest, float]:
        """Return the test to run at a ratio and the real time that it may take."""
        if ratio == 1 and self.short is not None:
            return self.short, 2 * self.short_seconds + MARGIN_SECONDS
        return self.test, 2 * self.seconds / ratio + MARGIN_SECONDS


def quicker(seconds: int) -> str:
    """Return commands that make ``inconsistency-check``, run by another test, take that long."""
    return (
        "mv inconsistency-check full-check && printf "
        f"'#!/bin/sh\\nexec ./full-check \"$@\" -t {seconds}\\n' > inconsistency-check"
        " && chmod +x inconsistency-check"
    )


def without(program: str) -> str:
    """Return commands that take a program out of what another test runs: it has its own line."""
    return f"printf '#!/bin/sh\\n' > {program}"


def timers(
    program: str, seconds: float, *short: str, before: str = "", short_seconds: float = 0
) -> Case:
    """Return a case of the collection ``timers``; ``short`` are the arguments at ratio 1."""
    test = Selftest(collection="timers", program=program)
    shorter = replace(test, arguments=short, before=before) if short or before else None
    return Case(test=test, seconds=seconds, short=shorter, short_seconds=short_seconds)


def plain(collection: str, program: str, *arguments: str, seconds: float = 10) -> Case:
    """Return a case that needs no shortening."""
    return Case(
        test=Selftest(collection=collection, program=program, arguments=arguments), seconds=seconds
    )


FUTEX = "futex/functional"
# With a time zone that is in no file: the first date that it prints would take too long at 100.
_LEAP = Selftest(collection="timers", program="leap-a-day", before="export TZ=UTC0")
LEAP_A_DAY = Case(
    test=_LEAP, seconds=160, short=replace(_LEAP, arguments=("-i", "2")), short_seconds=32
)
CASES = (
    timers("posix_timers", 10),
    timers("nanosleep", 20),
    timers("nsleep-lat", 130),
    timers("set-timer-lat", 120),
    timers("mqueue-lat", 10),
    timers("inconsistency-check", 110),
    timers("raw_skew", 120),
    timers("threadtest", 30),
    timers("rtcpie", 20),
    timers("alarmtimer-suspend", 160),
    timers("valid-adjtimex", 1),
    timers("adjtick", 144),
    timers("change_skew", 1250, before=quicker(2), short_seconds=820),
    timers("skew_consistency", 600, before=quicker(60), short_seconds=60),
    timers("clocksource-switch", 1000, "-t", "10", short_seconds=400),
    timers("freq-step", 195),
    LEAP_A_DAY,
    timers("leapcrash", 60),
    timers("set-tai", 1),
    timers("set-2038", 670, before=without("nsleep-lat"), short_seconds=160),
    timers("set-tz", 1),
    plain("timens", "timens"),
    plain("timens", "timerfd"),
    plain("timens", "timer"),
    plain("timens", "clock_nanosleep"),
    plain("timens", "procfs"),
    plain("timens", "exec"),
    plain("timens", "futex"),
    plain("rtc", "rtctest", seconds=170),
    plain(FUTEX, "futex_wait_timeout"),
    plain(FUTEX, "futex_wait_timeout", "-t", "500000000"),
    plain(FUTEX, "futex_wait"),
    plain(FUTEX, "futex_waitv"),
    plain(FUTEX, "futex_wait_wouldblock"),
    plain(FUTEX, "futex_requeue"),
    plain(FUTEX, "futex_requeue_pi", "-b", "-l", "-t", "500000"),
    plain(FUTEX, "futex_requeue_pi", "-l", "-t", "2000000000"),
    plain(FUTEX, "futex_requeue_pi_signal_restart"),
)


def title(case: Case) -> str:
    """Return what the table calls a case."""
    return " ".join([case.test.name, *case.test.arguments])


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


def unpatched() -> Kernel:
    """Return the newest unpatched kernel in the store."""
    for kernel in kernels.installed():
        if not kernel.manifest.accelerated:
            return kernel
    raise SystemExit("build one first: dynaccel kernel build --no-patch")


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
        "test": title(case),
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
    print(
        f"{title(case)} at {column}: {report.outcome.value} {report.complaints or ''}", flush=True
    )


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
    rows = [f"| test | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for case in cases:
        cells = [cell(known.get((title(case), column))) for column in columns]
        rows.append(f"| {title(case)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def differences(record: Path, cases: Sequence[Case]) -> list[str]:
    """Return the tests that end otherwise than on the unpatched kernel, and how."""
    known = latest(record)
    found = []
    for case in cases:
        base = known.get((title(case), UNPATCHED))
        for ratio in RATIOS:
            line = known.get((title(case), f"{ratio}"))
            if base and line and line["outcome"] != base["outcome"]:
                found.append(
                    f"{title(case)} at {ratio}: {line['outcome']}, unpatched: {base['outcome']}"
                )
    return found


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, default=Path("selftests.jsonl"))
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
                    kernel=unpatched() if column == UNPATCHED else accelerated,
                    built=built,
                    record=options.record,
                    tries=options.tries,
                )
                for case, column in runs
            ]:
                done.result()
    print(table(options.record, cases))
    print("\n".join(["", *differences(options.record, cases)]))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own tests of time (``tools/testing/selftests``), each in a guest of its own.

A test may set the clock, step the frequency or hang; a fresh guest keeps that from the next one.
"""

from __future__ import annotations

import enum
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, files_under, staged_directory
from dynaccel.host import itself, paths, process, tools

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLECTIONS = ("timers", "timens", "rtc", "futex/functional")
"""The directories whose programs are built."""

SKIPPED = 4
"""Exit status of a test that cannot run here (``KSFT_SKIP`` in kselftest.h)."""
TIMED_OUT = 124
"""Exit status of ``dynaccel run`` when the real time ran out."""
GUEST_FAILED = 125
"""Exit status of ``dynaccel run`` when not the command but the guest failed."""
START_SECONDS = 90.0
"""Real time for booting a guest and for ending it, beside what the test may take."""

# valid-adjtimex brings its own clock_adjtime(), which a static C library has as well.
_LINKING = "-static -Wl,--allow-multiple-definition"
_SAYS_FAILED = re.compile(r"\[FAIL(?:ED)?\]|^not ok\b", re.MULTILINE)
_KERNEL_COMPLAINS = re.compile(
    r"BUG:|WARNING:|Oops|panic|stall|lockup|blocked for more than|unstable|Call Trace"
)


class Outcome(enum.Enum):
    """How a test ended."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "FAIL"
    SKIP = "skip"
    TIMEOUT = "timeout"
    GUEST = "GUEST DIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """A test and how to start it.

    Attributes:
        collection: Its directory below ``tools/testing/selftests``.
        program: Its name.
        arguments: Its arguments.
        before: Shell commands that run before it in its directory.
    """

    collection: str
    program: str
    arguments: tuple[str, ...] = ()
    before: str = ""

    @property
    def name(self) -> str:
        """The test as a table names it."""
        return f"{self.collection.partition('/')[0]}: {self.program}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a test came to.

    Attributes:
        outcome: How it ended.
        status: Its exit status.
        real_seconds: Real time that it took; None when the guest did not come so far.
        text: What it wrote.
        complaints: What the guest's kernel complained of meanwhile.
    """

    outcome: Outcome
    status: int
    real_seconds: float | None
    text: str
    complaints: tuple[str, ...] = ()


def build(selftests: Path) -> Path:
    """Build the tests statically, once for each state of their source; return where they are.

    The tree stays as it is.

    Args:
        selftests: The directory ``tools/testing/selftests`` of a kernel tree.

    Raises:
        MissingError: There is no make or compiler.
        ProcessError: A test does not compile.
    """
    sources = [(f"{name}/{file}", text) for name in COLLECTIONS
               for file, text in files_under(selftests / name)]  # fmt: skip
    headers = [(file.name, file.read_bytes()) for file in sorted(selftests.glob("*.h"))]
    key = content_hash([*sources, *headers, ("linking", _LINKING.encode())])
    final = paths.cache_dir() / "selftests" / key[:16]
    if not final.is_dir():
        tools.require("gcc")
        with staged_directory(final) as staging:
            for name in COLLECTIONS:
                into = staging / name
                into.mkdir(parents=True)
                process.run(
                    ["make", "--silent", f"--directory={selftests / name}", f"OUTPUT={into}",
                     f"USERLDFLAGS={_LINKING}"],
                    env={"MAKEFLAGS": "", "LC_ALL": "C"},
                )  # fmt: skip
    return final


def run(test: Selftest, *, built: Path, options: Sequence[str], limit_seconds: float) -> Report:
    """Run a test as root in a fresh guest.

    Args:
        test: The test.
        built: What :func:`build` returned.
        options: Options of ``dynaccel run``: kernel, ratio, accelerator.
        limit_seconds: Real time that the test may take.

    Raises:
        StageError: ``dynaccel run`` itself hangs.
    """
    script = f'cd {built / test.collection} && {test.before or ":"} && exec ./{test.program} "$@"'
    with tempfile.TemporaryDirectory() as scratch:
        result, console = Path(scratch) / "result.json", Path(scratch) / "console"
        done = process.run(
            [
                *itself.command(), "-qq", "run", "--user", "root",
                "--timeout", f"{limit_seconds}s", "--result", result, "--console", console,
                *options, "--", "sh", "-c", f"exec 2>&1; {script}", "sh", *test.arguments,
            ],
            check=False, timeout_seconds=limit_seconds + START_SECONDS,
        )  # fmt: skip
        outcome = json.loads(result.read_text()) if result.is_file() else {}
        said = console.read_text(errors="replace") if console.is_file() else ""
    text = (done.stdout + done.stderr).decode(errors="replace")
    return Report(
        outcome=judge(done.returncode, text),
        status=done.returncode,
        real_seconds=outcome.get("real_seconds"),
        text=text,
        complaints=complaints(said),
    )


def judge(status: int, text: str) -> Outcome:
    """Return what an exit status and the output mean, by the rules of the kernel's runner.

    One rule is stricter: who writes ``[FAIL]`` has failed. ``posix_timers`` of Linux 6.1 writes
    that and ends with 0.
    """
    special = {TIMED_OUT: Outcome.TIMEOUT, GUEST_FAILED: Outcome.GUEST, SKIPPED: Outcome.SKIP}
    if status in special:
        return special[status]
    return Outcome.PASS if status == 0 and not _SAYS_FAILED.search(text) else Outcome.FAIL


def complaints(console: str) -> tuple[str, ...]:
    """Return the lines of a kernel's log that tell of trouble."""
    return tuple(line.strip() for line in console.splitlines() if _KERNEL_COMPLAINS.search(line))

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a row of the matrix came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.verify.check import Check

_HOST_TOOK = "the host kept the CPU"
"""What the note of a check says whose error is the host's, not the kernel's."""

NOTES_MAX = 5
"""So many failures of a row are told in words; the JSON of the verification has all."""


class Outcome(StrEnum):
    """How a row ended."""

    HOLDS = "holds"
    FALLS_SHORT = "falls short"
    NOT_MEASURED = "not measured"
    NOT_BUILT = "not built"
    NO_SOURCE = "no source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The result of a verification, in figures.

    Attributes:
        held: How many checks hold.
        total: How many checks there are.
        worst: The check that is farthest off, with its error: of those that fail, else of those
            whose error the host's want of time does not explain; empty when none has one.
        failures: The checks that fail, in words.
    """

    held: int
    total: int
    worst: str
    failures: tuple[str, ...]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> Measured:
        """Return the figures of some checks."""
        failed = [check for check in checks if not check.ok]
        own = [check for check in checks if _HOST_TOOK not in check.note]
        off = [check for check in failed or own if check.error is not None]
        worst = max(off, key=lambda check: abs(check.error or 0), default=None)
        return cls(
            held=len(checks) - len(failed),
            total=len(checks),
            worst=f"{worst.error:+.4%} ({worst.part}: {worst.name} at {worst.ratio})"
            if worst is not None
            else "",
            failures=tuple(
                f"{check.part}: {check.name} at {check.ratio}: {check.note or 'no reason known'}"
                for check in failed
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What a row came to.

    Attributes:
        row: The row's name.
        outcome: How it ended.
        source: Where its source came from.
        arch: Its architecture.
        release: What ``uname -r`` says in the kernel; empty when there is none.
        kernel: The kernel's id.
        compiler: First line of the compiler's ``--version``.
        build_seconds: Real time that the build took when it was made; None when it was not.
        measured: The figures; None when there are none.
        known: Whether the figures are those of an earlier run.
        notes: What else a reader should know: errors, the table's own note.
    """

    row: str
    outcome: Outcome
    source: str
    arch: str
    release: str = ""
    kernel: str = ""
    compiler: str = ""
    build_seconds: float | None = None
    measured: Measured | None = None
    known: bool = False
    notes: tuple[str, ...] = ()

# SPDX-License-Identifier: GPL-2.0-or-later
"""How a stage tells its caller what goes on, without printing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage has come.

    Attributes:
        stage: The stage's name, for example ``build``.
        done: Units of work that are finished.
        total: Units of work in all, or None while unknown.
        remaining_seconds: Estimated real time to the end, or None while unknown.
        message: What is being worked on now.
    """

    stage: str
    done: int
    total: int | None = None
    remaining_seconds: float | None = None
    message: str = ""


class Reporter(Protocol):
    """The receiver of a stage's events; implementations must not raise."""

    def info(self, message: str) -> None:
        """Take a line that a user may want to see."""

    def warning(self, message: str) -> None:
        """Take a line that a user should see."""

    def progress(self, progress: Progress) -> None:
        """Take the state of a long job; may come many times a second."""


class NullReporter:
    """A reporter that forgets everything."""

    def info(self, message: str) -> None:
        """Forget the line."""

    def warning(self, message: str) -> None:
        """Forget the line."""

    def progress(self, progress: Progress) -> None:
        """Forget the state."""

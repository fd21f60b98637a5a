# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes on, on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import click

from dynaccel.core.units import format_duration

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from dynaccel.core.errors import DynaccelError
    from dynaccel.core.events import Progress

PLAIN_INTERVAL_SECONDS = 10.0
"""A log file gets a line of progress no more often than this."""


class TerminalReporter:
    """A reporter for people: lines and a bar on standard error.

    Use it as a context manager; the bar is gone after the block. Nothing that it does raises, not
    even when standard error is closed.

    Args:
        verbosity: Below -1 nothing, at -1 warnings, from 0 on also information and progress.
        stream: Where the text goes; standard error when None.
    """

    def __init__(self, *, verbosity: int = 0, stream: TextIO | None = None) -> None:
        self._verbosity = verbosity
        self._stream = sys.stderr if stream is None else stream
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last_plain: tuple[str, float] | None = None

    @classmethod
    def current(cls, *, less: int = 0) -> Self:
        """Return a reporter as the running command's ``-v`` and ``-q`` ask for.

        Args:
            less: How many ``-v`` more than usual it takes until information shows.
        """
        return cls(verbosity=current_verbosity() - less)

    def __enter__(self) -> Self:
        """Start; the bar appears with the first progress."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bars is not None:
            with suppress(OSError, ValueError):
                self._bars.stop()
            self._bars = None
            self._tasks.clear()

    def info(self, message: str) -> None:
        """Show a line, unless quiet."""
        if self._verbosity >= 0:
            self._line(message)

    def warning(self, message: str) -> None:
        """Show a line, unless very quiet."""
        if self._verbosity >= -1:
            self._line(f"dynaccel: warning: {message}")

    def progress(self, progress: Progress) -> None:
        """Show how far a job has come, unless quiet."""
        if self._verbosity < 0:
            return
        with suppress(OSError, ValueError):
            if self._stream.isatty():
                self._draw(progress)
            else:
                self._tell(progress)

    def _line(self, text: str) -> None:
        with suppress(OSError, ValueError):
            if self._bars is not None:
                self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=self._stream, flush=True)

    def _draw(self, progress: Progress) -> None:
        if self._bars is None:
            self._bars = _new_bars(self._stream)
            self._bars.start()
        left, message = _left(progress), progress.message
        if progress.stage not in self._tasks:
            # A bar per stage: those of finished stages stay in sight above.
            self._tasks[progress.stage] = self._bars.add_task(
                progress.stage, total=progress.total, left=left, message=message
            )
        self._bars.update(
            self._tasks[progress.stage],
            completed=progress.done,
            total=progress.total,
            left=left,
            message=message,
        )

    def _tell(self, progress: Progress) -> None:
        now = time.monotonic()
        ended = progress.total is not None and progress.done >= progress.total
        if self._last_plain is not None:
            stage, when = self._last_plain
            if stage == progress.stage and not ended and now - when < PLAIN_INTERVAL_SECONDS:
                return
        self._last_plain = (progress.stage, now)
        self._line(_plain(progress))


def current_verbosity() -> int:
    """Return how often ``-v`` was given to the running command, less the ``-q``."""
    context = click.get_current_context(silent=True)
    chosen = context.find_root().obj if context is not None else None
    return chosen if isinstance(chosen, int) else 0


def show_error(error: DynaccelError, stream: TextIO | None = None) -> None:
    """Write an error as text: what happened, the detail, what to do next."""
    lines = [f"dynaccel: error: {error.message}"]
    if error.detail:
        lines += [f"    {line}" for line in error.detail.splitlines()]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    with suppress(OSError, ValueError):
        print("\n".join(lines), file=stream or sys.stderr, flush=True)


def _left(progress: Progress) -> str:
    if progress.remaining_seconds is None:
        return ""
    return f"{format_duration(round(progress.remaining_seconds))} left"


def _plain(progress: Progress) -> str:
    count = f"{progress.done}" if progress.total is None else f"{progress.done}/{progress.total}"
    parts = [f"{progress.stage}: {count}", _left(progress), progress.message]
    return ", ".join(part for part in parts if part)


def _new_bars(stream: TextIO) -> Bars:
    # Imported here: rich takes longer to load than most commands take to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415  # fmt: skip

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.fields[message]}", markup=False, style="dim"),
        console=Console(file=stream),
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""A run while it goes on: a live view with keys on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import time
import tty
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from dynaccel.core.units import RATIO_MAX, RATIO_MIN, format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import TextIO

    from rich.console import RenderableType
    from rich.live import Live

    from dynaccel.scenario.conduct.progress import Controls, Snapshot

PLAIN_INTERVAL_SECONDS = 60.0
"""Without a terminal a run that goes on for days tells how far it is no more often than this."""

_LINES_SHOWN = 12
_SPARK = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 48
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_KEYS = "+ faster   - slower   p pause   n next phase   e end   q leave (resume goes on)"


class PlainView:
    """Lines on standard error.

    Args:
        verbosity: Below 0 nothing; at 0 what happens; also how far it is.
        stream: Where they go.
    """

    def __init__(self, *, verbosity: int = 0, stream: TextIO | None = None) -> None:
        self._verbosity = verbosity
        self._stream = sys.stderr if stream is None else stream
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def attach(self, controls: Controls) -> None:
        """Take what keys can do; there are none."""

    def show(self, snapshot: Snapshot) -> None:
        """Tell how far it is, once in a while."""
        now = time.monotonic()
        if now - self._last >= PLAIN_INTERVAL_SECONDS:
            self._last = now
            self._line(plain_progress(snapshot))

    def tell(self, virtual_ns: int | None, line: str) -> None:
        """Tell what happened."""
        self._line(line if virtual_ns is None else f"[{virtual_time(virtual_ns)}] {line}")

    def _line(self, text: str) -> None:
        if self._verbosity >= 0:
            with suppress(OSError, ValueError):
                print(text, file=self._stream, flush=True)


class LiveView:
    """A view that is drawn again and again, with keys.

    Args:
        title: What is run.
        stream: The terminal.
    """

    def __init__(self, title: str, *, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = sys.stderr if stream is None else stream
        self._live: Live | None = None
        self._controls: Controls | None = None
        self._ratio = 1
        self._saved: list[Any] | None = None

    def __enter__(self) -> Self:
        """Start to draw, and to take keys."""
        from rich.console import Console  # noqa: PLC0415  (slow to load)
        from rich.live import Live  # noqa: PLC0415

        self._live = Live(console=Console(file=self._stream), auto_refresh=False, transient=True)
        self._live.start()
        with suppress(termios.error, OSError, ValueError):
            self._saved = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back as it was."""
        if self._saved is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.stop()

    def attach(self, controls: Controls) -> None:
        """Take what keys can do; called where the run's event loop is."""
        self._controls = controls
        if self._saved is not None:
            with suppress(OSError, ValueError, NotImplementedError):
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._take_keys)

    def show(self, snapshot: Snapshot) -> None:
        """Draw how far it is."""
        self._ratio = snapshot.ratio
        if self._live is not None:
            with suppress(OSError, ValueError):
                self._live.update(draw(self._title, snapshot), refresh=True)

    def tell(self, virtual_ns: int | None, line: str) -> None:
        """Keep what does not belong to the run above the view; the rest is in it anyway."""
        if virtual_ns is None and self._live is not None:
            with suppress(OSError, ValueError):
                self._live.console.print(line, markup=False, highlight=False)

    def _take_keys(self) -> None:
        for key in os.read(sys.stdin.fileno(), 64).decode(errors="ignore"):
            self.take_key(key)

    def take_key(self, key: str) -> None:
        """Do what a key asks for; one that asks for nothing is passed over."""
        controls = self._controls
        if controls is None:
            return
        actions: dict[str, Callable[[], Awaitable[None]]] = {
            "+": lambda: controls.set_ratio(next_ratio(self._ratio, faster=True)),
            "-": lambda: controls.set_ratio(next_ratio(self._ratio, faster=False)),
            "p": controls.pause,
            "n": controls.next_phase,
            "e": controls.end,
            "q": controls.leave,
        }
        if key in actions:
            controls.wish(actions[key])


def next_ratio(ratio: int, *, faster: bool) -> int:
    """Return the next round ratio above or below ``ratio``."""
    if faster:
        return next((step for step in _STEPS if step > ratio), RATIO_MAX)
    return next((step for step in reversed(_STEPS) if step < ratio), RATIO_MIN)


def virtual_time(virtual_ns: int) -> str:
    """Return a virtual time of a run as a reader likes it: ``day 12 03:04:05``."""
    if virtual_ns < 0:
        return "set-up"
    days, seconds = divmod(virtual_ns // 1_000_000_000, 86400)
    return f"day {days} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def plain_progress(snapshot: Snapshot) -> str:
    """Return how far a run is, in a line."""
    parts = [f"phase {snapshot.phase} ({snapshot.phase_number}/{snapshot.phases})"]
    if snapshot.stamp is not None:
        parts.insert(0, f"[{virtual_time(snapshot.stamp.virtual_ns)}]")
        parts.append(f"real {format_duration(max(0.0, snapshot.stamp.real_ns / 1e9))}")
    parts.append(f"ratio {_ratio(snapshot)}")
    if snapshot.real_left_seconds is not None:
        parts.append(f"{format_duration(round(snapshot.real_left_seconds))} left")
    if snapshot.failed:
        parts.append(f"{snapshot.failed} of {snapshot.runs} runs failed")
    return parts[0] + " " + ", ".join(parts[1:])


def sparkline(values: tuple[float, ...], width: int = _SPARK_WIDTH) -> str:
    """Return values as a line of blocks, from their least to their largest."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = high - low
    if span <= 0:
        return _SPARK[0] * len(shown)
    return "".join(_SPARK[round((value - low) / span * (len(_SPARK) - 1))] for value in shown)


def draw(title: str, snapshot: Snapshot) -> RenderableType:
    """Return the view of how far a run is."""
    from rich.console import Group  # noqa: PLC0415
    from rich.panel import Panel  # noqa: PLC0415
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", justify="right")
    facts.add_column()
    for name, value in _facts(snapshot):
        facts.add_row(name, Text(value))
    parts: list[RenderableType] = [facts]
    total, stamp = snapshot.virtual_total_ns, snapshot.stamp
    if total and stamp is not None:
        parts += [Text(), ProgressBar(total=total, completed=max(0, stamp.virtual_ns))]
    lines = snapshot.lines[-_LINES_SHOWN:]
    if lines:
        events = Table.grid(padding=(0, 2))
        events.add_column(style="dim")
        events.add_column()
        for virtual_ns, line in lines:
            events.add_row(virtual_time(virtual_ns), Text(line, overflow="ellipsis", no_wrap=True))
        parts += [Text(), events]
    parts += [Text(), Text(_KEYS, style="dim")]
    state = " (paused)" if snapshot.paused else ""
    return Panel(Group(*parts), title=Text(f"{title}{state}"), title_align="left")


def _facts(snapshot: Snapshot) -> list[tuple[str, str]]:
    stamp = snapshot.stamp
    facts = [("phase", f"{snapshot.phase} ({snapshot.phase_number} of {snapshot.phases})")]
    if stamp is not None:
        date = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(stamp.realtime_ns // 10**9))
        facts += [
            ("virtual", f"{virtual_time(stamp.virtual_ns)}   {date}"),
            ("real", format_duration(max(0.0, stamp.real_ns / 1e9))),
        ]
    facts.append(("ratio", _ratio(snapshot)))
    if snapshot.real_left_seconds is not None:
        facts.append(("left", f"{format_duration(round(snapshot.real_left_seconds))} of real time"))
    facts.append(("runs", f"{snapshot.runs} ended, {snapshot.failed} failed"))
    facts.append(("checkpoints", f"{snapshot.checkpoints} (attempt {snapshot.attempt})"))
    if snapshot.memory:
        used = snapshot.memory[-1] / (1 << 20)
        facts.append(("memory", f"{sparkline(snapshot.memory)} {used:.1f} MiB used"))
    return facts


def _ratio(snapshot: Snapshot) -> str:
    reached = "" if snapshot.reached is None else f", reached {snapshot.reached:.1f}"
    return f"{snapshot.ratio}{reached}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody who watches a run gets to see of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dynaccel.recording.records import Stamp
    from dynaccel.scenario.outline import Outline

LINES_KEPT = 200
MEMORY_KEPT = 120
_WINDOW_REAL_NS = 10_000_000_000
"""The ratio that is reached is taken over so much real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How far a run is.

    Attributes:
        phase: Name of the present phase; ``set-up`` before the first, ``finish`` after the last.
        phase_number: From 1; 0 before the first.
        phases: How many there are.
        ratio: The ratio that the guest has now.
        reached: Virtual over real time of the last seconds; None when too little is known.
        stamp: The newest time stamp; None before anything came.
        virtual_total_ns: The length of all phases; None when only the run can tell.
        real_left_seconds: Expected real time to the end; None likewise.
        paused: Whether the guest stands still by the user's wish.
        checkpoints: How many were made.
        attempt: Number of the attempt.
        lines: The last events, oldest first.
        memory: Used memory of the guest over time, bytes, oldest first.
        failed: Runs of jobs that failed.
        runs: Runs of jobs that ended.
    """

    phase: str
    phase_number: int
    phases: int
    ratio: int
    reached: float | None
    stamp: Stamp | None
    virtual_total_ns: int | None
    real_left_seconds: float | None
    paused: bool
    checkpoints: int
    attempt: int
    lines: tuple[tuple[int, str], ...]
    memory: tuple[float, ...]
    runs: int
    failed: int


class Controls(Protocol):
    """What keys can do to a run."""

    def wish(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something as soon as nothing else is being done to the guest."""

    async def set_ratio(self, ratio: int) -> None:
        """Set the ratio until the phase ends."""

    async def next_phase(self) -> None:
        """End the present phase."""

    async def end(self) -> None:
        """Go to the end of the scenario."""

    async def pause(self) -> None:
        """Let the guest stand still, or go on when it does."""

    async def leave(self) -> None:
        """Make a checkpoint and leave."""


class Watcher(Protocol):
    """Somebody who watches a run; implementations must not raise."""

    def attach(self, controls: Controls) -> None:
        """Take what can be done to the run; called in its event loop."""

    def show(self, snapshot: Snapshot) -> None:
        """Take how far it is; comes about twice a second."""

    def tell(self, virtual_ns: int | None, line: str) -> None:
        """Take a line on what just happened."""


class Progress:
    """Collects what a :class:`Snapshot` shows.

    Attributes:
        phase, phase_number, ratio, stamp, paused, checkpoints, attempt, runs, failed: See there.
    """

    def __init__(self, outline: Outline) -> None:
        self.phase = "set-up"
        self.phase_number = 0
        self.ratio = 1
        self.stamp: Stamp | None = None
        self.paused = False
        self.checkpoints = 0
        self.attempt = 1
        self.runs = 0
        self.failed = 0
        self._phase_began_ns = 0
        self._outline = outline
        self._lines: deque[tuple[int, str]] = deque(maxlen=LINES_KEPT)
        self._memory: deque[float] = deque(maxlen=MEMORY_KEPT)
        self._recent: deque[Stamp] = deque()

    def begin_phase(self, name: str, index: int, virtual_ns: int) -> None:
        """Take that a phase began."""
        self.phase, self.phase_number = name, index + 1
        self._phase_began_ns = virtual_ns

    def take_time(self, stamp: Stamp) -> None:
        """Take the newest time stamp."""
        self.stamp = stamp
        self._recent.append(stamp)
        while self._recent[0].real_ns < stamp.real_ns - _WINDOW_REAL_NS:
            self._recent.popleft()

    def forget_ratio(self) -> None:
        """Begin anew to measure the ratio that is reached: it has just been changed."""
        self._recent.clear()

    def take_memory(self, used: float) -> None:
        """Take how many bytes of memory the guest uses."""
        self._memory.append(used)

    def take_line(self, virtual_ns: int, line: str) -> None:
        """Take a line on what just happened."""
        self._lines.append((virtual_ns, line))

    def snapshot(self) -> Snapshot:
        """Return how far the run is now."""
        total = self._outline.virtual
        return Snapshot(
            phase=self.phase,
            phase_number=self.phase_number,
            phases=len(self._outline.phases),
            ratio=self.ratio,
            reached=self._reached(),
            stamp=self.stamp,
            virtual_total_ns=None if total is None else round(total.total_seconds() * 1e9),
            real_left_seconds=self._real_left(),
            paused=self.paused,
            checkpoints=self.checkpoints,
            attempt=self.attempt,
            lines=tuple(self._lines),
            memory=tuple(self._memory),
            runs=self.runs,
            failed=self.failed,
        )

    def _reached(self) -> float | None:
        if len(self._recent) < 2:  # noqa: PLR2004
            return None
        first, last = self._recent[0], self._recent[-1]
        real = last.real_ns - first.real_ns
        return (last.virtual_ns - first.virtual_ns) / real if real > 0 else None

    def _real_left(self) -> float | None:
        left = 0.0
        for number, each in enumerate(self._outline.phases, 1):
            if number < self.phase_number:
                continue
            if each.real is None or each.virtual is None:
                return None
            if number > self.phase_number:
                left += each.real.total_seconds()
            elif self.stamp is not None:
                gone = timedelta(microseconds=(self.stamp.virtual_ns - self._phase_began_ns) / 1000)
                ramps = each.phase.ramp is not None and gone < each.phase.ramp
                ratio = each.phase.ratio if ramps else max(self.ratio, 1)
                left += max(timedelta(0), each.virtual - gone).total_seconds() / ratio
        return left

# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.scenario.report.span import Moment, moment

if TYPE_CHECKING:
    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import Stamp

_FIRST, _LAST = 150, 250
"""How many rows there are at most: the first and the newest."""
_TONES = {
    "panic": "fail",
    "error": "fail",
    "clock": "fail",
    "lost": "fail",
    "fault": "care",
    "resumed": "care",
    "attempt": "care",
}
_WHY = {"host": "by hand", "finish": "for the end"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """Something that happened; of ``kind`` the name stands in the page."""

    moment: Moment
    kind: str
    tone: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """The rows; ``left_out`` is the number of those between the first and the newest."""

    first: tuple[EventRow, ...]
    last: tuple[EventRow, ...]
    left_out: int


def happened(recording: Recording) -> Happened:
    """Return events, phases, and changes of the ratio that no phase asked for, in order of time."""
    found: list[tuple[Stamp, EventRow]] = []

    def add(stamp: Stamp, kind: str, name: str, text: str) -> None:
        row = EventRow(
            moment=moment(stamp), kind=kind, tone=_TONES.get(kind, ""), name=name, text=text
        )
        found.append((stamp, row))

    for event in recording.events():
        add(event.stamp, event.kind, event.name, event.text)
    for phase in recording.phases():
        add(phase.begun, "phase", phase.name, f"begins, ratio {phase.ratio}")
        if phase.ended is not None:
            add(phase.ended, "phase", phase.name, "ends")
    for step in recording.ratio_changes():
        if step.why in _WHY:
            add(step.stamp, "ratio", _WHY[step.why], f"{step.before} to {step.after}")
    for attempt in recording.attempts():
        if attempt.number > 1 and attempt.begun is not None:
            text = f"goes on from checkpoint {attempt.checkpoint}"
            add(attempt.begun, "attempt", str(attempt.number), text)
    found.sort(key=lambda each: each[0].virtual_ns)
    rows = [row for _, row in found]
    if len(rows) <= _FIRST + _LAST:
        return Happened(first=tuple(rows), last=(), left_out=0)
    return Happened(
        first=tuple(rows[:_FIRST]),
        last=tuple(rows[-_LAST:]),
        left_out=len(rows) - _FIRST - _LAST,
    )

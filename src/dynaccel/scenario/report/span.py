# SPDX-License-Identifier: GPL-2.0-or-later
"""The time that a run covers, and its moments in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.core import units
from dynaccel.recording.records import DAY_NS, NS, Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import ClockPair, Phase
    from dynaccel.scenario.model import Scenario

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stamp in words.

    Attributes:
        date: The guest's date, ``2027-03-04 02:10:09``.
        iso: The same for machines.
        day: ``day 429``, or ``set-up``.
        real: Real time since the begin.
        virtual_ns: The stamp's own.
    """

    date: str
    iso: str
    day: str
    real: str
    virtual_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a run covers.

    Attributes:
        virtual_ns: How far it came, virtual.
        real_ns: How far it came, real.
        epoch_ns: The guest's date at virtual time 0, since 1970; dates of axes follow from it, and
            steps of the date are not in them.
    """

    virtual_ns: int
    real_ns: int
    epoch_ns: int

    @property
    def end_ms(self) -> int:
        """The end, in virtual milliseconds, as the page's script counts."""
        return self.virtual_ns // 1_000_000

    @property
    def epoch_ms(self) -> int:
        """The epoch in milliseconds."""
        return self.epoch_ns // 1_000_000

    def at(self, virtual_ns: int) -> Moment:
        """Return a virtual time that has no stamp of its own in words."""
        return moment(Stamp(virtual_ns, self.epoch_ns + virtual_ns, 0))

    def place(self, virtual_ns: int) -> float:
        """Return where a virtual time lies: 0 at the begin, 1 at the end."""
        return min(1.0, max(0.0, virtual_ns / self.virtual_ns))


def span(
    scenario: Scenario, phases: Sequence[Phase], pairs: Sequence[ClockPair], last: Stamp | None
) -> Span:
    """Return the time that a run covers, never nothing; ``last`` is the last stamp recorded."""
    stamps = [pair.stamp for pair in pairs]
    for phase in phases:
        stamps += [phase.begun] if phase.ended is None else [phase.begun, phase.ended]
    first = min(stamps, default=last)
    stamps += [last] if last is not None else []
    epoch_ns = 0
    if first is not None:
        epoch_ns = first.realtime_ns - first.virtual_ns
    elif scenario.start is not None:
        epoch_ns = units.epoch_ns(scenario.start)
    return Span(
        virtual_ns=max([NS, *(stamp.virtual_ns for stamp in stamps)]),
        real_ns=max([NS, *(stamp.real_ns for stamp in stamps)]),
        epoch_ns=epoch_ns,
    )


def moment(stamp: Stamp) -> Moment:
    """Return ``stamp`` in words."""
    when = date(stamp.realtime_ns)
    return Moment(
        date=f"{when:%Y-%m-%d %H:%M:%S}",
        iso=f"{when:%Y-%m-%dT%H:%M:%SZ}",
        day=day(stamp.virtual_ns),
        real=duration(max(0, stamp.real_ns)),
        virtual_ns=stamp.virtual_ns,
    )


def day(virtual_ns: int) -> str:
    """Return the number of the virtual day, from 1, in words."""
    return "set-up" if virtual_ns < 0 else f"day {virtual_ns // DAY_NS + 1}"


def date(realtime_ns: int) -> datetime:
    """Return the date of a guest's REALTIME; the last that Python knows for what lies beyond."""
    try:
        return _EPOCH + timedelta(microseconds=realtime_ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def duration(ns: float) -> str:
    """Return nanoseconds as a duration in words; whole seconds without a fraction."""
    return units.format_duration(ns / NS).replace(".00 s", " s")

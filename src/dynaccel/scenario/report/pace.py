# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the time went: virtual over real time, wanted and reached."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dynaccel.recording.records import NS, ClockPair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Phase, RatioChange

WINDOWS = 240
"""Into about how many stretches a run is divided."""
_ENOUGH_NS = 5 * NS
"""Over less real time a ratio is coarse: stamps are milliseconds late."""
_LEAST_NS = NS // 2
"""Over less real time a ratio says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the run at one ratio.

    Attributes:
        begin_ns, end_ns: From when to when, virtual.
        real_ns: How long it took.
        wanted: The ratio that was set.
    """

    begin_ns: int
    end_ns: int
    real_ns: int
    wanted: int

    @property
    def reached(self) -> float:
        """Virtual over real time."""
        return (self.end_ns - self.begin_ns) / self.real_ns


def with_changes(pairs: Sequence[ClockPair], changes: Sequence[RatioChange]) -> list[ClockPair]:
    """Return the pairs with one more at each change: between two, the ratio is the first one's."""
    more = [ClockPair(stamp=change.stamp, ratio=change.after) for change in changes]
    return sorted([*pairs, *more], key=lambda pair: (pair.stamp.real_ns, pair.stamp.virtual_ns))


def stretches(pairs: Sequence[ClockPair], *, windows: int = WINDOWS) -> list[Stretch]:
    """Return the run in stretches of about equal length by either clock, each at one ratio.

    One that is short (the ratio changed, or the run ended) is there unless it is too short for a
    ratio at all.
    """
    if not pairs:
        return []
    real = (pairs[-1].stamp.real_ns - pairs[0].stamp.real_ns) / windows
    virtual = (pairs[-1].stamp.virtual_ns - pairs[0].stamp.virtual_ns) / windows
    found: list[Stretch] = []
    begin = pairs[0]
    for here in pairs[1:]:
        taken = here.stamp.real_ns - begin.stamp.real_ns
        passed = here.stamp.virtual_ns - begin.stamp.virtual_ns
        long = taken >= _ENOUGH_NS and (taken >= real or passed >= virtual)
        if here.ratio == begin.ratio and not long and here is not pairs[-1]:
            continue
        _add(found, begin, here)
        begin = here
    return found


def _add(found: list[Stretch], begin: ClockPair, end: ClockPair) -> None:
    """Add the stretch between two pairs; a short rest belongs to the stretch before it."""
    taken = end.stamp.real_ns - begin.stamp.real_ns
    start = begin.stamp.virtual_ns
    if taken < _ENOUGH_NS and found:
        last = found[-1]
        if last.wanted == begin.ratio and last.end_ns == start:
            start, taken = last.begin_ns, taken + last.real_ns
            found.pop()
    if taken >= _LEAST_NS and end.stamp.virtual_ns >= start:
        found.append(
            Stretch(begin_ns=start, end_ns=end.stamp.virtual_ns, real_ns=taken, wanted=begin.ratio)
        )


def reached(pairs: Sequence[ClockPair]) -> tuple[float, float] | None:
    """Return the ratio reached and the one wanted over all pairs, by real time; None: too short."""
    if len(pairs) < 2:  # noqa: PLR2004
        return None
    real = pairs[-1].stamp.real_ns - pairs[0].stamp.real_ns
    if real < _LEAST_NS:
        return None
    wanted = sum(
        before.ratio * (after.stamp.real_ns - before.stamp.real_ns)
        for before, after in pairwise(pairs)
    )
    return (pairs[-1].stamp.virtual_ns - pairs[0].stamp.virtual_ns) / real, wanted / real


def of_phase(phase: Phase, pairs: Sequence[ClockPair]) -> tuple[float, float] | None:
    """Return the same of a phase, from its own begin to its own end, or as far as it has come."""
    begun = phase.begun.virtual_ns
    before = [pair.ratio for pair in pairs if pair.stamp.virtual_ns <= begun]
    within = [pair for pair in pairs if pair.stamp.virtual_ns > begun]
    if phase.ended is not None:
        end = phase.ended
        within = [pair for pair in within if pair.stamp.virtual_ns < end.virtual_ns]
        within.append(ClockPair(stamp=end, ratio=phase.ratio))
    first = before[-1] if before else phase.ratio
    return reached([ClockPair(stamp=phase.begun, ratio=first), *within])


class RealTimes:
    """Real times of virtual ones, between the pairs that were recorded."""

    def __init__(self, pairs: Sequence[ClockPair]) -> None:
        self._virtual = [pair.stamp.virtual_ns for pair in pairs]
        self._real = [pair.stamp.real_ns for pair in pairs]

    def at(self, virtual_ns: int) -> int:
        """Return the real time at which it was ``virtual_ns``."""
        after = bisect_right(self._virtual, virtual_ns)
        if after == 0 or not self._virtual:
            return 0
        if after == len(self._virtual):
            return self._real[-1]
        low, high = self._virtual[after - 1], self._virtual[after]
        share = (virtual_ns - low) / (high - low)
        return round(self._real[after - 1] + share * (self._real[after] - self._real[after - 1]))

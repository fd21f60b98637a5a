# SPDX-License-Identifier: GPL-2.0-or-later
"""What each check looks at: the scenario, the recording, the part of the run that it is about."""

from __future__ import annotations

import bisect
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dynaccel.recording.records import NS, LogLine, Phase, Stamp
from dynaccel.scenario.verdict.records import Excerpt, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import Event, RatioChange
    from dynaccel.scenario.model import Check, Job, Scenario

AROUND = 5
"""Lines before and after one that was found."""
SHOWN = 10
"""Runs, events and lines that a result quotes."""


class Case:
    """A scenario and what was recorded of it; what is asked twice is read once."""

    def __init__(self, scenario: Scenario, recording: Recording) -> None:
        self.scenario = scenario
        self.recording = recording
        self._logs: dict[str, list[LogLine]] = {}

    @cached_property
    def phases(self) -> list[Phase]:
        """The phases that have begun."""
        return self.recording.phases()

    @cached_property
    def events(self) -> list[Event]:
        """What happened."""
        return self.recording.events()

    @cached_property
    def changes(self) -> list[RatioChange]:
        """The changes of the ratio."""
        return self.recording.ratio_changes()

    @cached_property
    def last_pair(self) -> Stamp | None:
        """The last moment at which virtual and real time were compared."""
        pairs = self.recording.clock_pairs()
        return pairs[-1].stamp if pairs else None

    @cached_property
    def last(self) -> Stamp:
        """The last moment that was recorded."""
        return self.recording.last or Stamp(0, 0, 0)

    @property
    def end(self) -> Stamp:
        """Where the last phase ended, or the recording."""
        ended = [phase.ended for phase in self.phases if phase.ended is not None]
        open_one = bool(self.phases) and self.phases[-1].ended is None
        return self.last if open_one or not ended else ended[-1]

    def job(self, name: str | None) -> Job | None:
        """Return the scenario's job of that name."""
        return next((job for job in self.scenario.jobs if job.name == name), None)

    def span(self, check: Check) -> tuple[Stamp, Stamp] | None:
        """Return begin and end of what a check looks at; None when its phase never began."""
        if check.phase is None:
            begin = self.phases[0].begun if self.phases else self.last
            return begin, self.end
        phase = next((each for each in self.phases if each.name == check.phase), None)
        if phase is None:
            return None
        return phase.begun, phase.ended or self.last

    def window(self, check: Check) -> tuple[int, int] | None:
        """Return the same in virtual time, without what ``settle`` leaves out."""
        span = self.span(check)
        if span is None:
            return None
        return span[0].virtual_ns + nanoseconds(check.settle), span[1].virtual_ns

    def covers(self, check: Check, phase: int) -> bool:
        """Return whether a check looks at what was counted in the phase of that index."""
        if check.phase is None:
            return True
        return any(each.name == check.phase and each.index == phase for each in self.phases)

    def lines(self, log: str) -> list[LogLine]:
        """Return the lines of a log."""
        if log not in self._logs:
            self._logs[log] = self.recording.logs(log)
        return self._logs[log]

    def excerpt(self, line: LogLine) -> Excerpt:
        """Return a line with those around it; alone when it was dropped since."""
        lines = self.lines(line.log)
        place = bisect.bisect_left(lines, line.stamp, key=lambda each: each.stamp)
        for index in range(place, len(lines)):
            if lines[index].stamp != line.stamp:
                break
            if lines[index].text == line.text:
                first = max(index - AROUND, 0)
                shown = tuple(lines[first : index + AROUND + 1])
                return Excerpt(log=line.log, lines=shown, found=index - first)
        return Excerpt(log=line.log, lines=(line,), found=0)

    def excerpt_at(self, log: str, stamp: Stamp) -> tuple[Excerpt, ...]:
        """Return the lines of a log up to a moment and shortly after; none when there are none."""
        lines = self.lines(log)
        place = bisect.bisect_right(lines, stamp.virtual_ns, key=lambda each: each.stamp.virtual_ns)
        shown = tuple(lines[max(place - AROUND, 0) : place + AROUND])
        return (Excerpt(log=log, lines=shown),) if shown else ()

    def realtime_at(self, virtual_ns: int) -> int | None:
        """Return the guest's date at a virtual time, by the nearest pair of clocks before it."""
        pairs = self._pairs
        place = bisect.bisect_right(pairs, virtual_ns, key=lambda each: each.virtual_ns)
        if not pairs:
            return None
        near = pairs[max(place - 1, 0)]
        return near.realtime_ns + virtual_ns - near.virtual_ns

    @cached_property
    def _pairs(self) -> list[Stamp]:
        stamps = [pair.stamp for pair in self.recording.clock_pairs()]
        stamps += [phase.begun for phase in self.phases]
        return sorted(stamps)


def passed(check: Check, message: str, notes: Sequence[str] = ()) -> Result:
    """Return that a check passed."""
    return Result(check=check, outcome=Outcome.PASSED, message=message, notes=tuple(notes))


def undecided(check: Check, message: str) -> Result:
    """Return that what was recorded does not tell."""
    return Result(check=check, outcome=Outcome.UNDECIDED, message=message)


def never_began(check: Check) -> Result:
    """Return that the phase which a check is about never began."""
    return undecided(check, f"the phase {check.phase!r} never began")


def nanoseconds(duration: timedelta) -> int:
    """Return a duration in nanoseconds, exactly."""
    return duration // timedelta(microseconds=1) * (NS // 1_000_000)

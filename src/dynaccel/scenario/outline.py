# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said of a scenario before it runs: how long it takes, how often what happens.

Real times are those at which the ratios are kept exactly; booting and checkpoints come on top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.core.cron import parse_cron
from dynaccel.scenario.model import JobKind

if TYPE_CHECKING:
    from dynaccel.scenario.model import Fault, Job, Phase, Sample, Scenario

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseOutline:
    """A phase.

    Attributes:
        phase: The phase.
        virtual: Its length in the guest's time; None when the guest decides.
        real: Its length in real time; likewise.
        ends: The guest's date then; likewise.
    """

    phase: Phase
    virtual: timedelta | None
    real: timedelta | None
    ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A scenario's lengths.

    Attributes:
        begin: The guest's date as the first phase begins.
        phases: In order.
    """

    begin: datetime
    phases: tuple[PhaseOutline, ...]

    @classmethod
    def of(cls, scenario: Scenario, *, now: datetime) -> Outline:
        """Return the outline of a scenario.

        Args:
            scenario: Complete and without mistakes.
            now: This machine's date, where the scenario names none.
        """
        begin = (scenario.start or now).astimezone(UTC)
        date: datetime | None = begin
        ratio = 1
        phases = []
        for phase in scenario.phases:
            virtual = phase.duration
            if phase.until is not None and date is not None:
                virtual = max(phase.until - date, _ZERO)
            ends = phase.until or (date + virtual if date and virtual else None)
            real = real_time(virtual, phase, before=ratio) if virtual is not None else None
            phases.append(PhaseOutline(phase=phase, virtual=virtual, real=real, ends=ends))
            date, ratio = ends, phase.ratio
        return cls(begin=begin, phases=tuple(phases))

    @property
    def virtual(self) -> timedelta | None:
        """Length of all phases in the guest's time; None when the guest decides on one."""
        return _sum([phase.virtual for phase in self.phases])

    @property
    def real(self) -> timedelta | None:
        """Length of all phases in real time; None when the guest decides on one."""
        return _sum([phase.real for phase in self.phases])

    @property
    def least_virtual(self) -> timedelta:
        """Length in the guest's time of the phases of which it is known."""
        return sum((phase.virtual for phase in self.phases if phase.virtual is not None), _ZERO)

    @property
    def least_real(self) -> timedelta:
        """Length in real time of the phases of which it is known."""
        return sum((phase.real for phase in self.phases if phase.real is not None), _ZERO)

    @property
    def end(self) -> datetime | None:
        """The guest's date as the last phase ends; None when the guest decides."""
        return self.phases[-1].ends if self.phases else self.begin

    def runs(self, job: Job) -> int | None:
        """Return how often a job is due during the phases; None when the guest decides."""
        if job.kind is not JobKind.REPEAT:
            return 1
        if job.cron is not None:
            return parse_cron(job.cron).count(self.begin, self.end) if self.end else None
        return self._times(job.after, job.every)

    def points(self, sample: Sample) -> int | None:
        """Return how often a sample is taken; None when the guest decides."""
        return self._times(sample.every, sample.every)

    def times(self, fault: Fault) -> int | None:
        """Return how often a fault comes; None when the guest decides."""
        if fault.at is None:
            return self._times(fault.after or _ZERO, fault.every)
        return self._times(fault.at - self.begin, fault.every)

    def _times(self, first: timedelta, every: timedelta | None) -> int | None:
        length = self.virtual
        if length is None:
            return None
        if first >= length:
            return 0
        return math.ceil((length - first) / every) if every else 1


def real_time(virtual: timedelta, phase: Phase, *, before: int) -> timedelta:
    """Return the real time that a phase takes.

    Args:
        virtual: Its length.
        phase: Its ratio, and the ramp to it.
        before: The ratio as it begins.
    """
    ramp = min(phase.ramp or _ZERO, virtual)
    real = (virtual - ramp) / phase.ratio
    if phase.ratio == before:
        return real + ramp / before
    # The ratio grows by equal factors: the mean of its inverse over the ramp.
    mean = (1 / before - 1 / phase.ratio) / math.log(phase.ratio / before)
    return real + ramp * mean


def _sum(lengths: list[timedelta | None]) -> timedelta | None:
    known = [length for length in lengths if length is not None]
    return sum(known, _ZERO) if len(known) == len(lengths) else None

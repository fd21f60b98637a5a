# SPDX-License-Identifier: GPL-2.0-or-later
"""What a verdict is made of, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynaccel.recording.records import Event, JobRun, LogLine
    from dynaccel.scenario.model import Check


class Outcome(enum.StrEnum):
    """How a check came out."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """What was recorded does not tell; counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change point of a series.

    Attributes:
        virtual_ns: When, to within the width of a block.
        kind: ``step`` (the level changed) or ``bend`` (the slope did).
        size: Of a step: by how much, in the series' unit. Of a bend: by how much the slope changed,
            per ``per`` of the trend.
    """

    virtual_ns: int
    kind: str
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What a check found in one series.

    Attributes:
        series: ``SAMPLE.SUBJECT.METRIC``.
        series_id: Its number in the recording.
        unit: ``bytes``, ``seconds`` or ``count``.
        outcome: Of this series.
        message: Why, in words.
        begin_ns, end_ns: The window that was looked at, virtual.
        values: Number of values measured in it.
        low, high: The least and the greatest of them; 0 when there are none.
        limit: The upper bound, in the series' unit; None when there is none.
        minimum: The lower bound; likewise.
        per_ns: Of a growth: the virtual time that slopes and the limit refer to; else 0.
        blocks: Number of blocks that the slope is reckoned from; 0 when there is no slope.
        slope: Growth per ``per_ns`` where the series is after its last bend.
        slope_low, slope_high: Its 95 % confidence interval.
        p_value: Probability of such a slope without growth.
        line_begin_ns: Where the stretch with that slope begins.
        line_begin, line_end: The trend's values there and at the end of the window, for a picture.
        changes: Change points in the window.
    """

    series: str
    series_id: int
    unit: str
    outcome: Outcome
    message: str
    begin_ns: int
    end_ns: int
    values: int
    low: float = 0.0
    high: float = 0.0
    limit: float | None = None
    minimum: float | None = None
    per_ns: int = 0
    blocks: int = 0
    slope: float = 0.0
    slope_low: float = 0.0
    slope_high: float = 0.0
    p_value: float = 1.0
    line_begin_ns: int = 0
    line_begin: float = 0.0
    line_end: float = 0.0
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Lines of a log around one that a check found, or around a moment.

    Attributes:
        log: The log's or job's name.
        lines: In order.
        found: Which of them is the one; None when the excerpt is of a moment.
    """

    log: str
    lines: tuple[LogLine, ...]
    found: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRatio:
    """The ratio that a phase reached.

    Attributes:
        phase: Its name.
        wanted: The ratio asked for, averaged over real time when it changed.
        reached: Virtual over real time.
        real_ns: Real time that was looked at: without ramps.
    """

    phase: str
    wanted: float
    reached: float
    real_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a check came out, and by what.

    Attributes:
        check: The check.
        outcome: How it came out.
        message: In one line.
        virtual_ns: The first offence; None when there is none, or it has no moment.
        realtime_ns: The guest's date then.
        trends: Of ``growth`` and ``value``: each series looked at.
        excerpts: Log lines around offences.
        runs: Job runs that offend; the first few.
        events: Events that offend; the first few.
        ratios: Of ``ratio``: each phase looked at.
        notes: What should be known beside it.
    """

    check: Check
    outcome: Outcome
    message: str
    virtual_ns: int | None = None
    realtime_ns: int | None = None
    trends: tuple[Trend, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    runs: tuple[JobRun, ...] = ()
    events: tuple[Event, ...] = ()
    ratios: tuple[PhaseRatio, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the check passed."""
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on a run.

    Attributes:
        scenario: The scenario's name.
        results: Of each check, in the scenario's order.
        virtual_ns: How far the run came.
        real_ns: The real time that took.
        attempts: Number of attempts.
    """

    scenario: str
    results: tuple[Result, ...]
    virtual_ns: int
    real_ns: int
    attempts: int

    @property
    def passed(self) -> bool:
        """Whether every check passed; a scenario without checks passes."""
        return all(result.passed for result in self.results)

    @property
    def ratio(self) -> float:
        """Virtual over real time; 0 when none has passed."""
        return self.virtual_ns / self.real_ns if self.real_ns > 0 else 0.0

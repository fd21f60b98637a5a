# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recording is made of, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NS = 1_000_000_000
DAY_NS = 86400 * NS
OUTSIDE = -1
"""Stands for a phase's index before the first phase and after the last."""


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When something was, in nanoseconds by three clocks.

    Attributes:
        virtual_ns: The guest's time since the first phase began; negative before it.
        realtime_ns: The guest's date, since 1970.
        real_ns: Real time since the same moment, without what the guest stood still for.
    """

    virtual_ns: int
    realtime_ns: int
    real_ns: int

    @property
    def columns(self) -> tuple[int, int, int]:
        """The three."""
        return (self.virtual_ns, self.realtime_ns, self.real_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase that has begun.

    Attributes:
        index: Its place in the scenario, from 0.
        name: Its name.
        ratio: The ratio that it asks for.
        begun: When.
        ended: When; None while it goes on, or when the run broke off in it.
        ended_by: ``time``, ``date``, ``file``, ``job``, ``host`` or ``limit``; empty before.
    """

    index: int
    name: str
    ratio: int
    begun: Stamp
    ended: Stamp | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A run of a job that was kept whole.

    Attributes:
        job: The job's name.
        run: From 1.
        state: ``started`` while it goes on; ``ended``, ``stopped`` (it was told to end),
            ``timeout``, ``skipped`` or ``failed_to_start``.
        started: When; for one that never started, when it should have.
        ended: When; None while it goes on.
        pid: Its process in the guest.
        status: Exit status; None when a signal ended it.
        signal: The signal that ended it.
        runtime_ns: How long it took, virtual.
        message: What the guest says of it.
        phase: Index of the phase that it ended in (started in, while it goes on).
    """

    job: str
    run: int
    state: str
    started: Stamp
    ended: Stamp | None = None
    pid: int | None = None
    status: int | None = None
    signal: int | None = None
    runtime_ns: int | None = None
    message: str = ""
    phase: int = OUTSIDE

    @property
    def exit_status(self) -> int | None:
        """Exit status, 128 + N for a death by signal N; None when there is none (yet)."""
        return self.status if self.signal is None else 128 + self.signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How often a job came out one way in one phase; exact, also of runs that were not kept.

    Attributes:
        phase: Index of the phase; :data:`OUTSIDE` before the first and after the last.
        state: ``started``, ``ended``, ``stopped``, ``timeout``, ``skipped``, ``failed_to_start``
            or ``restarting``.
        exit_status: Of ``ended`` and ``stopped``: as :attr:`JobRun.exit_status`.
        count: How often.
        first, last: When the first and the last of them were.
    """

    phase: int
    state: str
    exit_status: int | None
    count: int
    first: Stamp
    last: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDay:
    """What became of a job in one virtual day.

    Attributes:
        day: Number of the day, from 0; the set-up is in day -1.
        well: Runs that ended with status 0, or were told to end.
        failed: Runs that ended otherwise, took too long or could not start.
        skipped: Runs that were due while the last one went on.
        runtime_ns: Virtual time that all that ended took together.
        longest_ns: The longest of them.
    """

    day: int
    well: int = 0
    failed: int = 0
    skipped: int = 0
    runtime_ns: int = 0
    longest_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTotals:
    """All runs of a job together; exact, also of runs that were not kept."""

    job: str
    outcomes: tuple[Outcome, ...] = ()
    days: tuple[JobDay, ...] = ()

    def count(self, *states: str) -> int:
        """Return how often the job came out in one of the ways ``states``."""
        return sum(each.count for each in self.outcomes if each.state in states)

    @property
    def started(self) -> int:
        """Number of runs that started."""
        return self.count("started")

    @property
    def well(self) -> int:
        """Number of runs that ended with status 0."""
        return sum(
            each.count for each in self.outcomes if each.state == "ended" and each.exit_status == 0
        )

    @property
    def failed(self) -> int:
        """Number of runs that ended otherwise, took too long or could not start."""
        return self.count("ended", "timeout", "failed_to_start") - self.well

    @property
    def skipped(self) -> int:
        """Number of runs that were due while the last one went on."""
        return self.count("skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is measured again and again.

    Attributes:
        id: Its number in this recording.
        sample: The sample's name.
        subject: ``system``, ``nginx[812]``, a path, ...
        metric: ``rss``, ``descriptors``, ...
        unit: ``bytes``, ``seconds`` or ``count``.
        total: Whether it counts up from the boot and is read best as a rate.
    """

    id: int
    sample: str
    subject: str
    metric: str
    unit: str
    total: bool = False

    @property
    def name(self) -> str:
        """``SAMPLE.SUBJECT.METRIC``."""
        return f"{self.sample}.{self.subject}.{self.metric}"


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a series, or neighbouring ones that were merged.

    Attributes:
        virtual_ns, realtime_ns, real_ns: When the first of them was.
        until_ns: When the last of them was, virtual.
        level: How often they were merged; 0 is a value as it was measured.
        count: How many values they are.
        min, max, mean, last: Of these values.
    """

    virtual_ns: int
    realtime_ns: int
    real_ns: int
    until_ns: int
    level: int
    count: int
    min: float
    max: float
    mean: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a log or of a job's output.

    Attributes:
        log: The log's or job's name.
        stream: ``line`` of a log, ``out`` or ``err`` of a job.
        text: The line, without its end.
        stamp: When.
        dropped: Number of lines that were lost just before it: in the guest, or because the
            recording of this log reached its bound.
    """

    log: str
    stream: str
    text: str
    stamp: Stamp
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTotals:
    """A log as a whole.

    Attributes:
        log: Its name.
        lines: Lines that came.
        bytes: Their bytes.
        lost: Lines that were lost in the guest before they came; not among ``lines``.
        dropped: Lines that came and were dropped from the recording, because of its bound.
    """

    log: str
    lines: int
    bytes: int
    lost: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A pattern that is looked for as lines come, so that none escapes that is dropped later.

    Attributes:
        name: Unique.
        pattern: Regular expression of Python's re, searched for in each line.
        log: The only log or job that is looked at; None: all.
    """

    name: str
    pattern: str
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How often a watch found its pattern in one log in one phase; exact.

    Attributes:
        watch: The watch's name.
        log: The log's or job's name.
        phase: Index of the phase.
        count: Number of lines.
        first: The first of them.
    """

    watch: str
    log: str
    phase: int
    count: int
    first: LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: a fault, a clock that went back, an error, a checkpoint's end.

    Attributes:
        kind: ``fault``, ``clock``, ``error``, ``resumed``, ``recording``, ``panic``, ...
        name: What it happened to: the fault's name, the clock's, ...
        text: In words.
        stamp: When.
        data: Further values, as the guest sent them.
    """

    kind: str
    name: str
    text: str
    stamp: Stamp
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioChange:
    """The ratio changed.

    Attributes:
        before, after: The ratios.
        why: ``phase``, ``ramp``, ``host`` or ``finish``.
        stamp: When.
    """

    before: int
    after: int
    why: str
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPair:
    """Virtual and real time at one moment, and the ratio then."""

    stamp: Stamp
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A saved guest.

    Attributes:
        tag: Its name.
        seq: The last frame that the guest sent before it.
        stamp: When.
        wall: The host's date.
        bytes: Its size.
        seconds_stopped: Real time that the guest stood still for it.
        kept: Whether the recording can still be rewound to it.
    """

    tag: str
    seq: int
    stamp: Stamp
    wall: datetime
    bytes: int = 0
    seconds_stopped: float = 0.0
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A stretch of the run from a start or resumption to an end or a loss.

    Attributes:
        number: From 1.
        begun_wall, ended_wall: The host's dates; of one that was killed, when it last wrote.
        begun, ended: The last stamps before its begin and its end; None when there were none.
        why: Why it ended; empty while it goes on.
        checkpoint: The tag that it went on from; empty when from nothing.
    """

    number: int
    begun_wall: datetime
    ended_wall: datetime | None = None
    begun: Stamp | None = None
    ended: Stamp | None = None
    why: str = ""
    checkpoint: str = ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the conductor says, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A frame from the conductor.

    Attributes:
        seq: Its number; each has the next one.
        virtual_ns: BOOTTIME since the begin of the first phase; below 0 before it.
        realtime_ns: REALTIME, ns since 1970.
        ratio: The ratio then.
    """

    seq: int
    virtual_ns: int
    realtime_ns: int
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Report):
    """The conductor waits for the plan."""

    cpus: int
    page_size: int
    hz: int
    memory_bytes: int


class PhaseState(enum.StrEnum):
    """What became of a phase."""

    BEGUN = "begun"
    ENDED = "ended"
    LIMIT = "limit"
    """It took longer than it may; that ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReport(Report):
    """A phase began or ended.

    Attributes:
        name: Its name.
        index: Its place, from 0.
        state: What became of it.
        ended_by: ``time``, ``date``, ``file``, ``job``, ``host`` or ``limit``.
    """

    name: str
    index: int
    state: PhaseState
    ended_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioReport(Report):
    """The ratio changed.

    Attributes:
        before, after: The ratios.
        why: ``phase``, ``ramp``, ``host`` (also: by somebody in the guest) or ``finish``.
    """

    before: int
    after: int
    why: str


class JobState(enum.StrEnum):
    """What became of a run of a job."""

    STARTED = "started"
    ENDED = "ended"
    SKIPPED = "skipped"
    TIMEOUT = "timeout"
    """It is being ended; ``ended`` follows."""
    FAILED_TO_START = "failed_to_start"
    RESTARTING = "restarting"
    """That run comes after the job's delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport(Report):
    """Something about a run of a job.

    Attributes:
        name: The job.
        run: Number of the run, from 1.
        state: What became of it.
        count: So many runs, from this one on, were skipped.
        pid: Of one that started.
        status, signal: Of one that ended, either.
        runtime_ns: Virtual time that it took.
        stopped: Whether the conductor ended it because the run is over.
        message: Why it did not start.
    """

    name: str
    run: int
    state: JobState
    count: int = 1
    pid: int | None = None
    status: int | None = None
    signal: int | None = None
    runtime_ns: int | None = None
    stopped: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport(Report):
    """Measured values of one subject.

    Attributes:
        name: The sample.
        subject: ``system``, ``nginx[812]``, a job, a path ...
        values: Metrics and numbers, in order.
    """

    name: str
    subject: str
    values: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a log.

    Attributes:
        virtual_ns, realtime_ns: When it was read.
        stream: ``out`` or ``err`` of a job, ``line`` of a log.
        text: Without its end; at most 8 KiB, what is longer comes in several.
        dropped: Lines that are missing just before it.
    """

    virtual_ns: int
    realtime_ns: int
    stream: str
    text: str
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport(Report):
    """Lines of a log or job.

    Attributes:
        name: The log or job.
        lines: In order.
        dropped: Lines that are missing after the last.
    """

    name: str
    lines: tuple[Line, ...]
    dropped: int = 0


class FaultState(enum.StrEnum):
    """What became of a fault."""

    WANTED = "wanted"
    """The host has to make it: a pause."""
    BEGUN = "begun"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport(Report):
    """Something about a fault."""

    name: str
    kind: str
    state: FaultState
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReport(Report):
    """A clock went back by ``back_ns``; when negative, forward by a step of somebody else."""

    clock: str
    back_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Report):
    """Nothing follows before ``GO``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Report):
    """All has ended; ``reason`` is ``finished``, ``ended``, ``setup_failed`` or ``limit``."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport(Report):
    """Something cannot be done; the run goes on."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive(Report):
    """Nothing else was said for a real second."""

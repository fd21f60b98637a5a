# SPDX-License-Identifier: GPL-2.0-or-later
"""What the conductor is told: a scenario as frames, and what is asked for on the way."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.core.units import epoch_ns
from dynaccel.vm.channel import Value, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynaccel.scenario.model import Fault, Job, Log, Phase, Sample, Scenario

PROGRAM = "conductor"
"""Its name in the guest's image."""

Record = tuple[str, Value]


class Order(enum.IntEnum):
    """What a frame to the conductor says."""

    JOB = 64
    SAMPLE = 65
    LOG = 66
    FAULT = 67
    PHASE = 68
    BEGIN = 69
    SET_RATIO = 70
    HOLD = 71
    GO = 72
    END = 73
    NEXT_PHASE = 74
    FILE = 75


def plan(scenario: Scenario) -> Iterator[bytes]:
    """Yield the frames of a whole plan; :func:`begin` comes after them.

    Raises:
        UserError: A text has a NUL byte in it, or is too long for a frame.
    """
    for job in scenario.jobs:
        yield encode(Order.JOB, _given(_job(job)))
    for sample in scenario.samples:
        yield encode(Order.SAMPLE, _given(_sample(sample)))
    for log in scenario.logs:
        yield encode(Order.LOG, _given(_log(log)))
    for fault in scenario.faults:
        yield encode(Order.FAULT, _given(_fault(fault)))
    for phase in scenario.phases:
        yield encode(Order.PHASE, _given(_phase(phase)))


def begin(start: datetime | None = None) -> bytes:
    """Return the frame that begins the run; ``start`` is the date of the first phase."""
    return encode(Order.BEGIN, [] if start is None else [("realtime_ns", epoch_ns(start))])


def set_ratio(ratio: int) -> bytes:
    """Return the frame that changes the ratio until the phase ends."""
    return encode(Order.SET_RATIO, [("ratio", ratio)])


def next_phase() -> bytes:
    """Return the frame that ends the present phase."""
    return encode(Order.NEXT_PHASE)


def hold() -> bytes:
    """Return the frame that lets the conductor say ``HELD``, and nothing more up to :func:`go`."""
    return encode(Order.HOLD)


def go() -> bytes:
    """Return the frame that ends a hold; without one it does nothing."""
    return encode(Order.GO)


def end() -> bytes:
    """Return the frame that ends the run cleanly; the second one skips the finish jobs, too."""
    return encode(Order.END)


def duration_ns(duration: timedelta) -> int:
    """Return a duration in ns."""
    return duration // timedelta(microseconds=1) * 1000


def _given(records: Iterable[tuple[str, Value | None]]) -> list[Record]:
    return [(key, value) for key, value in records if value is not None]


def _ns(duration: timedelta | None) -> int | None:
    return None if duration is None else duration_ns(duration)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _job(job: Job) -> Iterator[tuple[str, Value | None]]:
    yield from (("name", job.name), ("kind", job.kind.value))
    yield from (("arg", word) for word in job.command)
    yield from (("env", f"{name}={value}") for name, value in job.environment)
    yield "directory", str(job.directory)
    yield "user", job.user
    yield "after_ns", duration_ns(job.after)
    yield "every_ns", _ns(job.every)
    yield "cron", job.cron
    yield "restart", job.restart.value
    yield "restart_delay_ns", duration_ns(job.restart_delay)
    yield "timeout_ns", _ns(job.timeout)
    yield "stop_signal", job.stop_signal


def _sample(sample: Sample) -> Iterator[tuple[str, Value | None]]:
    yield from (("name", sample.name), ("kind", sample.kind.value))
    yield "every_ns", duration_ns(sample.every)
    yield from (("job", sample.job), ("process", sample.process))
    yield from (("path", str(path)) for path in sample.paths)
    yield from (("arg", word) for word in sample.command)
    yield "timeout_real_ms", duration_ns(sample.timeout_real) // 1_000_000
    yield "pss", 1 if sample.pss else None


def _log(log: Log) -> Iterator[tuple[str, Value | None]]:
    yield from (("name", log.name), ("kind", log.kind.value))
    yield "path", _text(log.path)
    yield "match", log.match or None


def _fault(fault: Fault) -> Iterator[tuple[str, Value | None]]:
    yield from (("name", fault.name), ("kind", fault.kind.value))
    yield "after_ns", _ns(fault.after)
    yield "at_ns", None if fault.at is None else epoch_ns(fault.at)
    yield "every_ns", _ns(fault.every)
    yield "step_ns", duration_ns(fault.step)
    yield "duration_ns", duration_ns(fault.duration)
    yield "size", fault.size_bytes
    yield "path", str(fault.path)
    yield "signal", fault.signal
    yield from (("job", fault.job), ("process", fault.process))
    yield "interface", fault.interface


def _phase(phase: Phase) -> Iterator[tuple[str, Value | None]]:
    yield from (("name", phase.name), ("ratio", phase.ratio))
    yield from (("ramp_ns", _ns(phase.ramp)), ("for_ns", _ns(phase.duration)))
    yield "until_ns", None if phase.until is None else epoch_ns(phase.until)
    yield "until_file", _text(phase.until_file)
    yield "until_job", phase.until_job
    yield "limit_ns", _ns(phase.limit)

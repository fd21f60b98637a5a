# SPDX-License-Identifier: GPL-2.0-or-later
"""From the tables of a file without mistakes to the scenario."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dynaccel.core.cron import five_fields
from dynaccel.scenario.files.checks import make_check
from dynaccel.scenario.files.defaults import default_checks, default_logs, default_samples
from dynaccel.scenario.files.fits import kind_of
from dynaccel.scenario.files.machine import can_be_saved, make_machine
from dynaccel.scenario.files.phases import phase_names
from dynaccel.scenario.model import (
    Checkpoints,
    Fault,
    FaultKind,
    Job,
    Log,
    Phase,
    Sample,
    Scenario,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.scenario.files.shape import FaultTable, JobTable, PhaseTable
    from dynaccel.scenario.files.take import Document, Taken

_ZERO = timedelta(0)
_LEAP = timedelta(seconds=1)


def build(document: Document, *, directory: Path, text: str) -> Scenario:
    """Return the scenario.

    Args:
        document: The tables, in which nothing is wrong.
        directory: Where the file is.
        text: What stands in it.
    """
    top, saved = document.top.table, document.checkpoints.table
    return Scenario(
        name=top.name or "",
        description=top.description,
        start=top.start,
        budget_real=top.budget_real,
        machine=make_machine(document.machine.table, directory),
        checkpoints=Checkpoints(
            every_real=saved.every_real if can_be_saved(document, directory) else None,
            keep=saved.keep,
        ),
        phases=tuple(
            _phase(name, taken.table)
            for name, taken in zip(phase_names(document), document.phases, strict=True)
        ),
        jobs=tuple(_job(taken) for taken in document.jobs.values()),
        samples=(*default_samples(document), *_samples(document)),
        logs=(*default_logs(document), *_logs(document)),
        faults=tuple(_fault(name, taken.table) for name, taken in document.faults.items()),
        checks=(
            *default_checks(document),
            *(make_check(taken, document) for taken in document.checks.values()),
        ),
        text=text,
    )


def _phase(name: str, table: PhaseTable) -> Phase:
    return Phase(
        name=name,
        ratio=table.ratio or 1,
        ramp=table.ramp,
        duration=table.for_,
        until=table.until,
        until_file=table.until_file,
        until_job=table.until_job,
        limit=table.limit,
    )


def _job(taken: Taken[JobTable]) -> Job:
    table = taken.table
    return Job(
        name=taken.name,
        kind=kind_of(taken),
        command=table.command or (),
        environment=table.environment,
        directory=table.directory,
        user=table.user,
        after=table.after or _ZERO,
        every=table.every,
        cron=None if table.cron is None else five_fields(table.cron),
        restart=table.restart,
        restart_delay=table.restart_delay,
        timeout=table.timeout,
        stop_signal=table.stop_signal,
    )


def _samples(document: Document) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            name=name,
            kind=taken.table.kind,
            every=taken.table.every or document.top.table.sample_every,
            job=taken.table.job,
            process=taken.table.process,
            pss=taken.table.pss,
            paths=taken.table.paths or (),
            command=taken.table.command or (),
            timeout_real=taken.table.timeout_real,
        )
        for name, taken in document.samples.items()
        if taken.table.kind is not None
    )


def _logs(document: Document) -> tuple[Log, ...]:
    return tuple(
        Log(
            name=name,
            kind=taken.table.kind,
            path=taken.table.path,
            match=taken.table.match,
            limit_bytes=taken.table.limit,
        )
        for name, taken in document.logs.items()
        if taken.table.kind is not None
    )


def _fault(name: str, table: FaultTable) -> Fault:
    kind = table.kind or FaultKind.PAUSE
    size = table.leave if kind is FaultKind.DISK_FULL else table.size
    return Fault(
        name=name,
        kind=kind,
        after=table.after,
        at=table.at,
        every=table.every,
        step=table.step or (_LEAP if kind is FaultKind.LEAP_SECOND else _ZERO),
        duration=table.for_ or _ZERO,
        duration_real=table.for_real or _ZERO,
        size_bytes=size or 0,
        path=table.path,
        signal=table.signal,
        job=table.job,
        process=table.process,
        interface=table.interface,
    )

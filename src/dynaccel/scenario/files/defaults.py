# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario has that its file does not speak of: samples, checks, the kernel's log.

A default stays away when the file has one of that kind itself, and of a service when it has a
sample of that job.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dynaccel.scenario.files.fits import kind_of
from dynaccel.scenario.model import (
    Check,
    CheckKind,
    JobKind,
    Log,
    LogKind,
    Sample,
    SampleKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.scenario.files.take import Document

KERNEL_LOG = "kernel"
CLOCKS_EVERY = timedelta(hours=1)
DEFAULT_CHECKS = (
    CheckKind.FINISHED,
    CheckKind.EXIT_STATUS,
    CheckKind.KERNEL_LOG,
    CheckKind.CLOCKS,
    CheckKind.RATIO,
)


def default_logs(document: Document) -> tuple[Log, ...]:
    """Return the kernel's log, unless the file has one of its own."""
    if any(taken.table.kind is LogKind.KERNEL for taken in document.logs.values()):
        return ()
    return (Log(name=KERNEL_LOG, kind=LogKind.KERNEL),)


def default_samples(document: Document) -> tuple[Sample, ...]:
    """Return a sample of the system, of the clocks, and of each service."""
    top = document.top.table
    if not top.default_samples:
        return ()
    tables = [taken.table for taken in document.samples.values()]
    kinds = {table.kind for table in tables}
    sampled = {table.job for table in tables if table.kind is SampleKind.PROCESS}
    system = Sample(name="system", kind=SampleKind.SYSTEM, every=top.sample_every)
    clocks = Sample(name="clocks", kind=SampleKind.CLOCKS, every=CLOCKS_EVERY)
    services = (
        Sample(name=name, kind=SampleKind.PROCESS, every=top.sample_every, job=name)
        for name, taken in document.jobs.items()
        if kind_of(taken) is JobKind.SERVICE and name not in sampled
    )
    return (*(one for one in (system, clocks) if one.kind not in kinds), *services)


def default_checks(document: Document) -> tuple[Check, ...]:
    """Return the checks that every scenario has."""
    if not document.top.table.default_checks:
        return ()
    kinds = {taken.table.kind for taken in document.checks.values()}
    return (
        *(Check(name=kind.value, kind=kind) for kind in DEFAULT_CHECKS if kind not in kinds),
        *_other_jobs(document),
    )


def _other_jobs(document: Document) -> Iterator[Check]:
    """Yield a check for each job that the file's own checks of exit statuses leave out."""
    tables = [taken.table for taken in document.checks.values()]
    named = [table.job for table in tables if table.kind is CheckKind.EXIT_STATUS]
    if named and None not in named:
        for job in document.jobs:
            if job not in named:
                name = f"{CheckKind.EXIT_STATUS.value}-{job}"
                yield Check(name=name, kind=CheckKind.EXIT_STATUS, job=job)

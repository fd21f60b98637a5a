# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what a file's tables name is there, and fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.core.cron import five_fields, parse_cron
from dynaccel.core.errors import UserError
from dynaccel.scenario.files.defaults import default_checks, default_logs, default_samples
from dynaccel.scenario.files.findings import Findings, did_you_mean
from dynaccel.scenario.model import FaultKind, LogKind, Restart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynaccel.scenario.files.places import Steps
    from dynaccel.scenario.files.shape import FaultTable, JobTable
    from dynaccel.scenario.files.take import Document, Taken

ETHERNET = "eth0"


def check_references(document: Document, findings: Findings) -> None:
    """Note what is wrong with jobs, samples, logs and faults, and with names."""
    _check_names(document, findings)
    for job in document.jobs.values():
        _check_job(job, findings)
    for sample in document.samples.values():
        require(sample.table.job, document.jobs, "job", sample.at("job"), findings)
    for log in document.logs.values():
        if log.table.kind is LogKind.JOURNAL and not document.machine.table.system:
            findings.wrong(
                log.at("kind"),
                "there is a journal only in a guest that boots its system: write system = true in"
                " [machine]",
            )
    for fault in document.faults.values():
        require(fault.table.job, document.jobs, "job", fault.at("job"), findings)
        _check_fault(fault, document, findings)


def require(
    name: str | None, known: Iterable[str], what: str, steps: Steps, findings: Findings
) -> bool:
    """Note that a name is not known; return whether it is there and known.

    Args:
        name: The name; None when there is none, which is no mistake.
        known: All names.
        what: What they are names of.
        steps: The way to the name.
        findings: Gets the mistake.
    """
    names = list(known)
    if name is None or name in names:
        return name is not None
    findings.wrong(steps, f"there is no {what} {name!r}; {did_you_mean(name, names)}".rstrip("; "))
    return False


def _check_names(document: Document, findings: Findings) -> None:
    for name, log in document.logs.items():
        if name in document.jobs:
            findings.wrong_key(
                log.steps, f"a job is called {name!r}, too, and its output is a log of that name:"
                " choose another",
            )  # fmt: skip
    for kernel in default_logs(document):
        for tables in (document.jobs, document.logs):
            if kernel.name in tables:
                findings.wrong_key(
                    tables[kernel.name].steps,
                    f"{kernel.name!r} is the name of the kernel's own log: choose another",
                )
    for steps, name in _taken_names(document):
        findings.wrong_key(
            steps,
            f"{name!r} is the name of a default sample: choose another, or write"
            " default-samples = false",
        )
    for check in default_checks(document):
        if check.name in document.checks:
            findings.wrong_key(
                document.checks[check.name].steps,
                f"{check.name!r} is the name of a default check: choose another, or write"
                " default-checks = false",
            )


def _taken_names(document: Document) -> Iterator[tuple[Steps, str]]:
    """Yield what has the name of a default sample; that of a service has the service's."""
    made = [sample.name for sample in default_samples(document)]
    for name in dict.fromkeys(made):
        if name in document.samples:
            yield document.samples[name].steps, name
        elif made.count(name) > 1:
            yield document.jobs[name].steps, name


def _check_job(job: Taken[JobTable], findings: Findings) -> None:
    table = job.table
    if table.cron is not None:
        try:
            parse_cron(five_fields(table.cron))
        except UserError as error:
            hint = f": {error.hint}" if error.hint else ""
            findings.wrong(job.at("cron"), f"{error.message}{hint}")
        if "after" in job.given:
            findings.wrong_key(job.at("after"), "with 'cron' the date says when: leave 'after' out")
    if "restart-delay" in job.given and table.restart is Restart.NO:
        findings.wrong_key(
            job.at("restart-delay"),
            'the job is not restarted: write restart = "on-failure" or "always", too',
        )


def _check_fault(fault: Taken[FaultTable], document: Document, findings: Findings) -> None:
    table, machine = fault.table, document.machine.table
    start = document.top.table.start or datetime.now(UTC)
    if table.at is not None and table.at <= start:
        findings.wrong(
            fault.at("at"), f"the guest begins at {start:%Y-%m-%d %H:%M:%S}, later than that"
        )
    if table.every and table.for_ and table.every <= table.for_:
        findings.wrong(fault.at("every"), "it would come again before it is over")
    if table.kind is FaultKind.LEAP_SECOND and table.step is not None:  # noqa: SIM102
        if abs(table.step) != timedelta(seconds=1):
            findings.wrong(fault.at("step"), 'a leap second is one: write "1s" or "-1s"')
    if table.kind is FaultKind.MEMORY_PRESSURE and table.size and table.size >= machine.memory:
        findings.wrong(
            fault.at("size"), f"the guest has {machine.memory >> 20} MiB in all: write less, or"
            " give it more in [machine]",
        )  # fmt: skip
    if table.kind is FaultKind.NETWORK_CUT and table.interface == ETHERNET and not machine.network:
        findings.wrong(
            fault.steps, f"the guest has no {ETHERNET}: write network = true in [machine]"
        )

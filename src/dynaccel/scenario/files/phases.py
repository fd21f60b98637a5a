# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file's phases make sense one after the other."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dynaccel.scenario.files.findings import Findings, did_you_mean, listed
from dynaccel.scenario.files.fits import kind_of
from dynaccel.scenario.model import FaultKind, JobKind, Restart

if TYPE_CHECKING:
    from dynaccel.scenario.files.shape import PhaseTable
    from dynaccel.scenario.files.take import Document, Taken

ENDS = ("for", "until", "until-file", "until-job")


def phase_names(document: Document) -> list[str]:
    """Return the names of the phases, made up for those that have none."""
    return [
        taken.table.name or f"phase-{number}"
        for number, taken in enumerate(document.phases, start=1)
    ]


def check_phases(document: Document, findings: Findings) -> None:
    """Note what is wrong with phases."""
    names = phase_names(document)
    counts = Counter(names)
    for name, taken in zip(names, document.phases, strict=True):
        if counts[name] > 1:
            findings.wrong(
                taken.at("name"), f"{counts[name]} phases are called {name!r}: each has its own"
            )
        if not taken.broken:
            _check_keys(taken, findings)
        _check_job(taken, document, findings)
    _check_dates(document, findings)


def _check_keys(taken: Taken[PhaseTable], findings: Findings) -> None:
    table, given = taken.table, taken.given
    if "ratio" not in given:
        findings.wrong(taken.steps, "the phase has no ratio: write such as ratio = 500")
    ends = [key for key in ENDS if key in given]
    if not ends:
        findings.wrong(
            taken.steps,
            f'the phase has no end: write one of {listed(ENDS, "or")}, such as for = "30d"',
        )
    for key in ends[1:]:
        findings.wrong_key(taken.at(key), f"the phase ends by {ends[0]!r} already: leave one out")
    if ends and "limit" in given and not given & {"until-file", "until-job"}:
        findings.wrong_key(
            taken.at("limit"),
            f"a phase that ends by {ends[0]!r} takes no 'limit': it is known when it ends",
        )
    if table.ramp and table.for_ and table.ramp > table.for_:
        findings.wrong(taken.at("ramp"), "the ramp is longer than its phase")


def _check_job(taken: Taken[PhaseTable], document: Document, findings: Findings) -> None:
    name = taken.table.until_job
    if name is None:
        return
    job = document.jobs.get(name)
    if job is None:
        findings.wrong(taken.at("until-job"), _no_job(name, document))
        return
    kind = kind_of(job)
    endless = {
        JobKind.REPEAT: "is repeated without an end",
        JobKind.SETUP: "ends before the first phase",
        JobKind.FINISH: "starts after the last phase",
    }
    reason = endless.get(kind)
    if kind is JobKind.SERVICE and job.table.restart is Restart.ALWAYS:
        reason = "is always restarted"
    if reason:
        findings.wrong(
            taken.at("until-job"),
            f"the phase would wait for {name!r}, which {reason}: name a job of kind 'once'",
        )


def _no_job(name: str, document: Document) -> str:
    return f"there is no job {name!r}; {did_you_mean(name, document.jobs)}".rstrip("; ")


def _check_dates(document: Document, findings: Findings) -> None:
    """See that dates lie ahead, as far as it is known where the guest's date is by then."""
    now = document.top.table.start or datetime.now(UTC)
    stepped = any(t.table.kind is FaultKind.DATE_STEP for t in document.faults.values())
    known = "when it begins"
    for taken in document.phases:
        until, length = taken.table.until, taken.table.for_
        if until is not None and until <= now:
            findings.wrong(
                taken.at("until"),
                f"the guest's date is {_shown(now)} {known}: the phase cannot end before that",
            )
        elif until is not None:
            now, known = until, "when the phase before ends"
        if length is not None and not stepped:
            try:
                now, known = now + length, "by then"
            except OverflowError:
                findings.wrong(taken.at("for"), "no clock goes that far: write a shorter time")


def _shown(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S")

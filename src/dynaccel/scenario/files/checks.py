# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file's checks speak of what is there; and the checks themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dynaccel.recording.metrics import unit_of
from dynaccel.scenario.files.bounds import parse_bound, split_per
from dynaccel.scenario.files.defaults import default_logs, default_samples
from dynaccel.scenario.files.findings import Findings, did_you_mean
from dynaccel.scenario.files.fits import kind_of
from dynaccel.scenario.files.phases import phase_names
from dynaccel.scenario.files.references import require
from dynaccel.scenario.metrics import METRICS, Metric, Unit, split_series
from dynaccel.scenario.model import Check, CheckKind, JobKind, SampleKind

if TYPE_CHECKING:
    from dynaccel.scenario.files.shape import CheckTable
    from dynaccel.scenario.files.take import Document, Taken

PSS = "pss"
"""The one metric that has to be asked for."""

_SHARE = 0.01
_SHARES = {CheckKind.RUNS: 0.99}
_JOBS = {CheckKind.RUNS: JobKind.REPEAT, CheckKind.RESTARTS: JobKind.SERVICE}
_WHOLE = {CheckKind.RESTARTS: "limit", CheckKind.LOG_PRESENT: "minimum"}
"""Bounds that are numbers of something."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """A check's bounds as numbers."""

    limit: float | None
    minimum: float | None
    per: timedelta


def check_checks(document: Document, findings: Findings) -> None:
    """Note what is wrong with checks."""
    logs = [*document.logs, *document.jobs, *(log.name for log in default_logs(document))]
    phases = phase_names(document)
    for taken in document.checks.values():
        table = taken.table
        require(table.log, logs, "log or job", taken.at("log"), findings)
        require(table.phase, phases, "phase", taken.at("phase"), findings)
        found = require(table.job, document.jobs, "job", taken.at("job"), findings)
        wanted = _JOBS.get(table.kind) if table.kind else None
        if found and table.job and wanted and kind_of(document.jobs[table.job]) is not wanted:
            findings.wrong(
                taken.at("job"),
                f"such a check is about a job of kind {wanted.value!r}, which {table.job!r} is not",
            )
        known, metric = _metric(taken, document, findings)
        if known:
            _check_bounds(taken, metric, findings)


def make_check(taken: Taken[CheckTable], document: Document) -> Check:
    """Return a check of a file without mistakes."""
    table = taken.table
    kind = table.kind or CheckKind.FINISHED
    bounds = _bounds(taken, _metric(taken, document, None)[1], None)
    return Check(
        name=taken.name,
        kind=kind,
        job=table.job,
        log=table.log,
        pattern=table.pattern or "",
        statuses=table.statuses,
        series=table.series or "",
        limit=bounds.limit,
        minimum=bounds.minimum,
        share=table.share or _SHARES.get(kind, _SHARE),
        per=bounds.per,
        settle=table.settle or timedelta(0),
        phase=table.phase,
    )


def _metric(
    taken: Taken[CheckTable], document: Document, findings: Findings | None
) -> tuple[bool, Metric | None]:
    """Return whether a check's series is right, and what it is of.

    That is None when the check has no series.
    """
    series = taken.table.series
    if series is None:
        return "series" not in taken.given, None
    kinds = {sample.name: sample.kind for sample in default_samples(document)}
    kinds |= {
        name: sample.table.kind for name, sample in document.samples.items() if sample.table.kind
    }
    parts = split_series(series)
    message = None
    if parts is None:
        message = f"{series!r} is not a series: write SAMPLE.METRIC, such as system.memory_used"
    elif parts[0] not in {*kinds, *document.samples}:
        message = f"there is no sample {parts[0]!r}; {did_you_mean(parts[0], kinds)}".rstrip("; ")
    elif parts[0] in kinds:
        sample, _, name = parts
        known = METRICS[kinds[sample]]
        if kinds[sample] is SampleKind.COMMAND:
            return True, Metric(Unit(unit_of(name)), "What the command prints")
        if name in known and name != PSS:
            return True, known[name]
        if name == PSS and sample in document.samples and document.samples[sample].table.pss:
            return True, known[name]
        message = f"the sample {sample!r} has no metric {name!r}; {did_you_mean(name, known)}"
        if name in known:
            message = f"{name!r} has to be asked for: write pss = true in [sample.{sample}]"
    if message and findings:
        findings.wrong(taken.at("series"), message)
    return False, None


def _check_bounds(taken: Taken[CheckTable], metric: Metric | None, findings: Findings) -> None:
    bounds = _bounds(taken, metric, findings)
    if bounds.limit is not None and bounds.minimum is not None and bounds.minimum > bounds.limit:
        findings.wrong(taken.at("minimum"), "the lower bound lies above the upper one")
    if taken.table.kind is CheckKind.GROWTH and bounds.limit is not None and bounds.limit < 0:
        findings.wrong(taken.at("limit"), "what may grow by less than nothing? write 0 or more")
    for kind, key in _WHOLE.items():
        number = getattr(bounds, key)
        if taken.table.kind is kind and key in taken.given and number is not None:  # noqa: SIM102
            if number != int(number) or number < 0:
                findings.wrong(
                    taken.at(key), f"{number:g} is not a number of times: write 0 or more"
                )


def _bounds(taken: Taken[CheckTable], metric: Metric | None, findings: Findings | None) -> _Bounds:
    table = taken.table
    per = table.per
    numbers: dict[str, float | None] = {"limit": None, "minimum": None}
    for key, bound in (("limit", table.limit), ("minimum", table.minimum)):
        if bound is None:
            continue
        try:
            amount, named = split_per(bound)
            if named is not None:
                _check_per(taken, key)
                per = named
            numbers[key] = parse_bound(amount, _counted(table.kind, metric))
        except ValueError as error:
            if findings is not None:
                findings.wrong(taken.at(key), str(error))
    if table.kind is CheckKind.RESTARTS and "limit" not in taken.given:
        numbers["limit"] = 0.0
    if table.kind is CheckKind.LOG_PRESENT and "minimum" not in taken.given:
        numbers["minimum"] = 1.0
    return _Bounds(limit=numbers["limit"], minimum=numbers["minimum"], per=per)


def _check_per(taken: Taken[CheckTable], key: str) -> None:
    if taken.table.kind is not CheckKind.GROWTH or key != "limit":
        raise ValueError("only the limit of a 'growth' is per time: leave it out")
    if "per" in taken.given:
        raise ValueError("there is a key 'per', too: write the time in one place")


def _counted(kind: CheckKind | None, metric: Metric | None) -> Metric | None:
    return metric if kind in {CheckKind.GROWTH, CheckKind.VALUE} else None

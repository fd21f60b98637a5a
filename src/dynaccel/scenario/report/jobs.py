# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of jobs: how often each ran, how long it took, what went wrong."""

from __future__ import annotations

import shlex
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import DAY_NS
from dynaccel.scenario.model import JobKind
from dynaccel.scenario.report.anchors import anchor
from dynaccel.scenario.report.span import Moment, duration, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import JobDay, JobRun, JobTotals
    from dynaccel.scenario.model import Job, Scenario
    from dynaccel.scenario.report.span import Span

_RUNS_MAX = 40
_DAYS_MAX = 120
"""How many bars the strip of a job has at most."""
_WELL = frozenset({"started", "restarting", "skipped", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRun:
    """A run that went wrong."""

    run: int
    moment: Moment
    how: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Some days of a job in its strip: place and width in percent, and whether a run failed."""

    at: float
    width: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job."""

    id: str
    name: str
    what: str
    command: str
    started: int
    failed: int
    skipped: int
    restarted: int
    mean: str
    longest: str
    bars: tuple[Bar, ...]
    strip: str
    bad: tuple[BadRun, ...]
    bad_left_out: int


def job_rows(scenario: Scenario, recording: Recording, span: Span) -> list[JobRow]:
    """Return a row for each job of the scenario, then for others that were recorded."""
    known = {job.name: job for job in scenario.jobs}
    names = [*known, *(name for name in recording.job_names() if name not in known)]
    return [
        _row(known.get(name), name, recording.job_totals(name), recording.job_runs(name), span)
        for name in names
    ]


def how_it_ended(run: JobRun) -> str:
    """Return in words how a run ended."""
    words = {
        "timeout": "took too long",
        "failed_to_start": "could not be started",
        "skipped": "skipped: the last one went on",
        "stopped": "was told to end",
        "started": "goes on",
    }.get(run.state)
    if words is None and run.signal is not None:
        words = f"killed by {_signal(run.signal)}"
    words = words or f"status {run.status}"
    return f"{words}: {run.message}" if run.message else words


def _row(
    job: Job | None, name: str, totals: JobTotals, runs: Sequence[JobRun], span: Span
) -> JobRow:
    ended = sum(day.well + day.failed for day in totals.days)
    taken = sum(day.runtime_ns for day in totals.days)
    bad = [run for run in runs if run.state not in _WELL and run.exit_status != 0]
    failed_days = [day.day + 1 for day in totals.days if day.failed]
    return JobRow(
        id=anchor("job", name),
        name=name,
        what=_what(job),
        command=shlex.join(job.command) if job is not None else "",
        started=totals.started,
        failed=totals.failed,
        skipped=totals.skipped,
        restarted=totals.count("restarting"),
        mean=duration(taken / ended) if ended else "",
        longest=duration(max(day.longest_ns for day in totals.days)) if ended else "",
        bars=tuple(_bars(totals.days, span)),
        strip=_strip(failed_days),
        bad=tuple(
            BadRun(
                run=run.run,
                moment=moment(run.ended or run.started),
                how=how_it_ended(run),
                took=duration(run.runtime_ns) if run.runtime_ns is not None else "",
            )
            for run in bad[:_RUNS_MAX]
        ),
        bad_left_out=max(0, totals.failed - min(len(bad), _RUNS_MAX)),
    )


def _what(job: Job | None) -> str:
    if job is None:
        return ""
    if job.every is not None:
        return f"every {format_duration(job.every.total_seconds())}"
    return {
        JobKind.SETUP: "before the first phase",
        JobKind.SERVICE: "service",
        JobKind.ONCE: "once",
        JobKind.REPEAT: f"cron {job.cron}",
        JobKind.FINISH: "after the last phase",
    }[job.kind]


def _bars(days: Sequence[JobDay], span: Span) -> list[Bar]:
    """Return when a job ended runs, in stretches of equal length: failed ones stand out."""
    count = max(1, min(_DAYS_MAX, -(-span.virtual_ns // DAY_NS)))
    stretches: dict[int, bool] = {}
    for each in days:
        if each.day >= 0 and each.well + each.failed:
            number = min(count - 1, int(span.place(each.day * DAY_NS) * count))
            stretches[number] = stretches.get(number, False) or each.failed > 0
    # Neighbours that are alike are one.
    bars: list[Bar] = []
    last = -2
    width = 100 / count
    for number, failed in sorted(stretches.items()):
        if bars and number == last + 1 and bars[-1].failed == failed:
            bars[-1] = Bar(
                at=bars[-1].at, width=round((number + 1) * width - bars[-1].at, 3), failed=failed
            )
        else:
            bars.append(Bar(at=round(number * width, 3), width=round(width, 3), failed=failed))
        last = number
    return bars


def _strip(failed_days: Sequence[int]) -> str:
    if not failed_days:
        return "no run failed"
    said = ", ".join(map(str, failed_days[:8]))
    more = f" and {len(failed_days) - 8} more" if len(failed_days) > 8 else ""  # noqa: PLR2004
    return f"runs failed on day {said}{more}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

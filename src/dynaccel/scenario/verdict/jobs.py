# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of jobs: how their runs ended, how many there were, how often a service fell."""

from __future__ import annotations

import math
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dynaccel.core.cron import parse_cron
from dynaccel.core.units import format_duration
from dynaccel.recording import records
from dynaccel.recording.records import NS, OUTSIDE
from dynaccel.scenario.model import FaultKind, JobKind
from dynaccel.scenario.verdict.case import (
    SHOWN,
    Case,
    nanoseconds,
    never_began,
    passed,
    undecided,
)
from dynaccel.scenario.verdict.records import Outcome, Result

if TYPE_CHECKING:
    from dynaccel.scenario.model import Check, Job

_CRASHES = frozenset(
    128 + number
    for number in (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
)
_KILLED_WITHIN_NS = 60 * NS
_KILLED_WITHIN_REAL_NS = 2 * NS


def exit_status(case: Case, check: Check) -> Result:
    """Judge how runs ended."""
    names = [check.job] if check.job else _all_jobs(case)
    offences: list[tuple[str, records.Outcome]] = []
    runs = 0
    for name in names:
        spared = _killed_by_faults(case, name)
        for outcome in case.recording.job_totals(name).outcomes:
            if not case.covers(check, outcome.phase):
                continue
            if outcome.state in {"ended", "stopped", "timeout", "failed_to_start"}:
                runs += outcome.count
                count = outcome.count - spared.get((outcome.phase, outcome.exit_status), 0)
                if count > 0 and _offends(check, case.job(name), outcome):
                    offences.append((name, outcome))
    if not offences:
        going = _never_ended(case, names) if check.phase is None else []
        if not runs and going:
            return passed(check, f"no run ended; {', '.join(going)} went on to the end")
        if not runs:
            return undecided(check, f"no run of {_listed(names)} was recorded")
        return passed(check, f"{_runs(runs)} ended as they should")
    offences.sort(key=lambda each: each[1].first)
    job, first = offences[0]
    number = sum(outcome.count for _, outcome in offences)
    ways = [f"{job}: {_way(outcome)}, {outcome.count} times" for job, outcome in offences[:SHOWN]]
    shown = [
        run
        for name in dict.fromkeys(job for job, _ in offences)
        for run in case.recording.job_runs(name)
        if case.covers(check, run.phase) and _run_offends(check, case.job(name), run)
    ]
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=f"{number} of {_runs(runs)} ended otherwise: {'; '.join(ways)}",
        virtual_ns=first.first.virtual_ns,
        realtime_ns=first.first.realtime_ns,
        runs=tuple(sorted(shown, key=lambda run: run.started)[:SHOWN]),
        excerpts=case.excerpt_at(job, first.first),
    )


def runs(case: Case, check: Check) -> Result:
    """Judge how many runs of a repeated job there were."""
    job = case.job(check.job)
    span = case.span(check)
    if span is None:
        return never_began(check)
    if job is None or (job.every is None and job.cron is None):
        return undecided(check, f"the job {check.job!r} has neither 'every' nor 'cron'")
    expected = _expected(job, *span)
    if not expected:
        return undecided(check, f"no run of {job.name} was due in the recorded time")
    totals = case.recording.job_totals(job.name)
    inside = [each for each in totals.outcomes if case.covers(check, each.phase)]
    started = sum(each.count for each in inside if each.state == "started")
    skipped = sum(each.count for each in inside if each.state == "skipped")
    needed = math.ceil(check.share * expected - 1e-9)
    over = f", {skipped} were skipped because the one before went on" if skipped else ""
    text = f"{job.name} ran {started} of {expected} times, at least {needed} are asked for{over}"
    first = next((each.first for each in inside if each.state == "skipped"), None)
    if started >= needed:
        return passed(check, text)
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=text,
        virtual_ns=first.virtual_ns if first else None,
        realtime_ns=first.realtime_ns if first else None,
    )


def restarts(case: Case, check: Check) -> Result:
    """Judge how often a service ended by itself."""
    name = check.job or ""
    totals = case.recording.job_totals(name)
    if not totals.outcomes:
        return undecided(check, f"no run of {name} was recorded")
    spared = sum(_killed_by_faults(case, name).values())
    ends = [
        each
        for each in totals.outcomes
        if each.state in {"ended", "timeout", "failed_to_start"}
        and each.phase != OUTSIDE
        and case.covers(check, each.phase)
    ]
    count = max(sum(each.count for each in ends) - spared, 0)
    most = check.limit or 0
    text = f"{name} ended by itself {count} times, {most:g} are allowed"
    if count <= most:
        return passed(check, text)
    first = min(ends, key=lambda each: each.first).first
    shown = [
        run
        for run in case.recording.job_runs(name)
        if run.ended is not None and run.state != "stopped" and run.phase != OUTSIDE
    ]
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=text,
        virtual_ns=first.virtual_ns,
        realtime_ns=first.realtime_ns,
        runs=tuple(shown[:SHOWN]),
        excerpts=case.excerpt_at(name, first),
    )


def _expected(job: Job, begin: records.Stamp, end: records.Stamp) -> int:
    """Return how often a job is due from one moment to another, without the last itself."""
    if job.every is not None:
        after, every = nanoseconds(job.after), nanoseconds(job.every)
        due = [max(-(-(each.virtual_ns - after) // every), 0) for each in (begin, end)]
        return due[1] - due[0]
    cron = parse_cron(job.cron or "")
    first = max(begin.realtime_ns, begin.realtime_ns - begin.virtual_ns + nanoseconds(job.after))
    return cron.count(_date(first), _date(end.realtime_ns))


def _date(realtime_ns: int) -> datetime:
    return datetime.fromtimestamp(realtime_ns / NS, tz=UTC)


def _offends(check: Check, job: Job | None, outcome: records.Outcome) -> bool:
    if outcome.state in {"timeout", "failed_to_start"}:
        return True
    status = outcome.exit_status
    if status in check.statuses:
        return False
    # What a service answers to being told to end is its own matter, unless it crashes over it.
    service = job is not None and job.kind is JobKind.SERVICE
    if outcome.state == "stopped" or (service and outcome.phase == OUTSIDE):
        return status in _CRASHES
    return outcome.state == "ended"


def _run_offends(check: Check, job: Job | None, run: records.JobRun) -> bool:
    if run.state in {"skipped", "started"}:
        return False
    stamp = run.ended or run.started
    outcome = records.Outcome(
        phase=run.phase,
        state=run.state,
        exit_status=run.exit_status,
        count=1,
        first=stamp,
        last=stamp,
    )
    return _offends(check, job, outcome)


def _killed_by_faults(case: Case, job: str) -> dict[tuple[int, int | None], int]:
    """Return how many ends of a job a fault caused, by phase and exit status."""
    faults = {
        fault.name: fault
        for fault in case.scenario.faults
        if fault.kind is FaultKind.KILL and fault.job == job
    }
    kills = [each for each in case.events if each.kind == "fault" and each.name in faults]
    spared: dict[tuple[int, int | None], int] = {}
    taken: set[int] = set()
    ends = [run for run in case.recording.job_runs(job) if run.ended is not None]
    for kill in kills:
        if kill.data.get("state", "begun") != "begun":
            continue
        for run in ends:
            late = run.ended.virtual_ns - kill.stamp.virtual_ns if run.ended else 0
            real = run.ended.real_ns - kill.stamp.real_ns if run.ended else 0
            near = late <= _KILLED_WITHIN_NS or real <= _KILLED_WITHIN_REAL_NS
            if run.run not in taken and late >= 0 and near and run.state == "ended":
                taken.add(run.run)
                key = (run.phase, run.exit_status)
                spared[key] = spared.get(key, 0) + 1
                break
    return spared


def _all_jobs(case: Case) -> list[str]:
    names = [job.name for job in case.scenario.jobs]
    return list(dict.fromkeys(names + case.recording.job_names()))


def _never_ended(case: Case, names: list[str]) -> list[str]:
    return [
        name for name in names if any(run.ended is None for run in case.recording.job_runs(name))
    ]


def _way(outcome: records.Outcome) -> str:
    at = f"first at virtual {format_duration(outcome.first.virtual_ns / NS)}"
    if outcome.state == "timeout":
        return f"took too long, {at}"
    if outcome.state == "failed_to_start":
        return f"could not start, {at}"
    status = outcome.exit_status or 0
    if status > 128:  # noqa: PLR2004
        try:
            return f"killed by {signal.Signals(status - 128).name}, {at}"
        except ValueError:
            pass
    return f"status {status}, {at}"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "any job"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The check that the run came to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.verdict.case import SHOWN, Case, nanoseconds, passed
from dynaccel.scenario.verdict.records import Outcome, Result
from dynaccel.scenario.verdict.watch import kernel_log_name

if TYPE_CHECKING:
    from dynaccel.recording.records import Stamp
    from dynaccel.scenario.model import Check

BAD_ENDS = {
    "panic": "the guest's kernel panicked",
    "lost": "the guest was lost",
    "shutdown": "the guest was powered off from within",
    "boot": "the guest did not boot",
    "setup_failed": "a set-up job failed",
    "limit": "a phase took longer than its limit",
    "budget": "the budget of real time was used up",
}
"""Kinds of events that a run must not have, nor its last attempt as the word for its end."""


def finished(case: Case, check: Check) -> Result:
    """Judge that all phases came to their end, within the budget, with the guest alive."""
    offence = _bad_end(case) or _open_phase(case) or _overdrawn(case)
    if offence is not None:
        return _failed(case, check, *offence)
    attempts = len(case.recording.attempts())
    times = f" in {attempts} attempts" if attempts > 1 else ""
    length = format_duration(case.end.virtual_ns / NS)
    return passed(check, f"all {len(case.phases)} phases ended, {length} of virtual time{times}")


def _bad_end(case: Case) -> tuple[str, Stamp] | None:
    for event in case.events:
        if event.kind in BAD_ENDS:
            words = BAD_ENDS[event.kind]
            return (f"{words}: {event.text}" if event.text else words), event.stamp
    # What befell an attempt before, and was overcome by going on from a checkpoint, is no offence.
    for attempt in case.recording.attempts()[-1:]:
        if attempt.why in BAD_ENDS:
            return BAD_ENDS[attempt.why], attempt.ended or case.last
    return None


def _open_phase(case: Case) -> tuple[str, Stamp] | None:
    for phase in case.phases:
        if phase.ended_by == "limit":
            words = f"the phase {phase.name!r} took longer than its limit"
            return words, phase.ended or phase.begun
        if phase.ended is None:
            return f"the phase {phase.name!r} did not come to its end", case.last
    missing = [each.name for each in case.scenario.phases[len(case.phases) :]]
    if not missing:
        return None
    attempts = case.recording.attempts()
    why = f" (the run ended: {attempts[-1].why})" if attempts and attempts[-1].why else ""
    return f"the phase {missing[0]!r} never began{why}", case.last


def _overdrawn(case: Case) -> tuple[str, Stamp] | None:
    budget = case.scenario.budget_real
    if budget is None or case.end.real_ns <= nanoseconds(budget):
        return None
    took, may = format_duration(case.end.real_ns / NS), format_duration(budget.total_seconds())
    return f"took {took} of real time, budget {may}", case.end


def _failed(case: Case, check: Check, words: str, stamp: Stamp) -> Result:
    log = kernel_log_name(case.scenario)
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=f"{words}, at virtual {format_duration(stamp.virtual_ns / NS)}",
        virtual_ns=stamp.virtual_ns,
        realtime_ns=stamp.realtime_ns,
        excerpts=case.excerpt_at(log, stamp) if log else (),
        events=tuple(event for event in case.events if event.kind in BAD_ENDS)[:SHOWN],
    )

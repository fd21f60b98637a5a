# SPDX-License-Identifier: GPL-2.0-or-later
"""The check that virtual time passes as fast as was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS, Phase
from dynaccel.scenario.verdict.case import Case, never_began, passed, undecided
from dynaccel.scenario.verdict.records import Outcome, PhaseRatio, Result

if TYPE_CHECKING:
    from dynaccel.scenario.model import Check

_SHORTEST_REAL_NS = 10 * NS


def ratio(case: Case, check: Check) -> Result:
    """Judge virtual over real time in each phase that is long enough, but for ramps."""
    phases = [each for each in case.phases if check.phase in {None, each.name}]
    if not phases:
        return never_began(check)
    reached: list[PhaseRatio] = []
    offences: list[tuple[PhaseRatio, Phase]] = []
    for phase in phases:
        found = _of_phase(case, phase)
        if found is None or found.real_ns < _SHORTEST_REAL_NS:
            continue
        reached.append(found)
        if abs(found.reached / found.wanted - 1) > check.share:
            offences.append((found, phase))
    if not reached:
        return undecided(check, "not enough data: no phase took 10 s of real time at an even ratio")
    shown = [
        f"{each.phase}: {each.reached:.2f} of {each.wanted:g}"
        f" ({each.reached / each.wanted - 1:+.2%}) over {format_duration(each.real_ns / NS)}"
        for each in ([found for found, _ in offences] or reached)
    ]
    text = f"{'; '.join(shown)}; within {check.share:.2%} is asked for"
    if not offences:
        result = passed(check, text)
        return Result(check=check, outcome=result.outcome, message=text, ratios=tuple(reached))
    at = offences[0][1].begun
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=text,
        virtual_ns=at.virtual_ns,
        realtime_ns=at.realtime_ns,
        ratios=tuple(reached),
    )


def _of_phase(case: Case, phase: Phase) -> PhaseRatio | None:
    """Return what a phase reached where its ratio was even; None when nowhere."""
    end = phase.ended or case.last_pair or phase.begun
    earlier = [each for each in case.changes if each.stamp.virtual_ns <= phase.begun.virtual_ns]
    changes = [
        each
        for each in case.changes
        if phase.begun.virtual_ns < each.stamp.virtual_ns < end.virtual_ns
    ]
    first = earlier[-1].after if earlier else changes[0].before if changes else phase.ratio
    moments = [(phase.begun, first), *((each.stamp, each.after) for each in changes)]
    ramped = [change.stamp for change in changes if change.why == "ramp"]
    even_from = max(ramped, default=phase.begun).virtual_ns
    virtual = real = wanted = 0
    for (begin, now), (after, _) in zip(moments, [*moments[1:], (end, 0)], strict=True):
        if begin.virtual_ns < even_from:
            continue
        virtual += after.virtual_ns - begin.virtual_ns
        real += after.real_ns - begin.real_ns
        wanted += now * (after.real_ns - begin.real_ns)
    if real <= 0:
        return None
    return PhaseRatio(phase=phase.name, wanted=wanted / real, reached=virtual / real, real_ns=real)

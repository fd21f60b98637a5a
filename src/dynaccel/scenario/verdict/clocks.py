# SPDX-License-Identifier: GPL-2.0-or-later
"""The check that no clock goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.model import FaultKind, SampleKind
from dynaccel.scenario.verdict.case import SHOWN, Case, never_began, passed
from dynaccel.scenario.verdict.records import Outcome, Result

if TYPE_CHECKING:
    from dynaccel.recording.records import Event
    from dynaccel.scenario.model import Check

_STEPS = frozenset({FaultKind.DATE_STEP, FaultKind.LEAP_SECOND})
_NEAR_NS = 60 * NS
_NEAR_REAL_NS = 2 * NS
_DAY_NS = 86400 * NS


def clocks(case: Case, check: Check) -> Result:
    """Judge that no clock went back but by a fault that steps the date."""
    span = case.span(check)
    if span is None:
        return never_began(check)
    begin, end = span
    events = [
        event
        for event in case.events
        if event.kind == "clock"
        and begin.virtual_ns <= event.stamp.virtual_ns <= end.virtual_ns
        and float(event.data.get("back_ns", 1)) > 0
    ]
    offences = [event for event in events if not _by_fault(case, event)]
    readings = _readings(case)
    watched = f"{readings:,.0f} readings" if readings else "watched by the conductor alone"
    if not offences:
        excused = f", {len(events)} steps by faults" if events else ""
        return passed(check, f"no clock went back ({watched}{excused})")
    first = offences[0]
    back = float(first.data.get("back_ns", 0)) / NS
    at = format_duration(first.stamp.virtual_ns / NS)
    counts = case.recording.event_counts()
    whole = sum(count for (kind, _), count in counts.items() if kind == "clock")
    number = max(len(offences), whole - len(events)) if check.phase is None else len(offences)
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=f"clocks went back {number} times, first {first.name} by {back:.9f} s"
        f" at virtual {at} ({watched})",
        virtual_ns=first.stamp.virtual_ns,
        realtime_ns=first.stamp.realtime_ns,
        events=tuple(offences[:SHOWN]),
    )


def _readings(case: Case) -> float:
    samples = {each.name for each in case.scenario.samples if each.kind is SampleKind.CLOCKS}
    total = 0.0
    for series in case.recording.series_list():
        if series.sample in samples and series.metric == "readings":
            total += max((point.max for point in case.recording.points(series)), default=0.0)
    return total


def _by_fault(case: Case, event: Event) -> bool:
    """Return whether a fault of the scenario set the date back just then."""
    if not event.name.startswith("realtime"):
        return False
    kinds = {fault.name: fault.kind for fault in case.scenario.faults if fault.kind in _STEPS}
    for fault in case.events:
        if fault.kind != "fault" or fault.name not in kinds:
            continue
        late = event.stamp.virtual_ns - fault.stamp.virtual_ns
        real = event.stamp.real_ns - fault.stamp.real_ns
        # A leap second comes at the next midnight.
        leap = kinds[fault.name] is FaultKind.LEAP_SECOND and 0 <= late <= _DAY_NS + _NEAR_NS
        if leap or abs(late) <= _NEAR_NS or abs(real) <= _NEAR_REAL_NS:
            return True
    return False

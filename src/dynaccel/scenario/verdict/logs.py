# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of logs: lines that must not be there, lines that must, the kernel's complaints."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS, Match
from dynaccel.scenario.verdict.case import SHOWN, Case, never_began, passed, undecided
from dynaccel.scenario.verdict.records import Outcome, Result
from dynaccel.scenario.verdict.watch import kernel_log_name, watch_of

if TYPE_CHECKING:
    from dynaccel.recording.records import LogLine
    from dynaccel.scenario.model import Check

_QUOTED = 160
"""Characters of a line that a message quotes."""


def log_absent(case: Case, check: Check) -> Result:
    """Judge that no line matches."""
    return _absent(case, check)


def log_present(case: Case, check: Check) -> Result:
    """Judge that enough lines match."""
    found, notes = _found(case, check)
    if found is None:
        return never_began(check)
    needed = math.ceil(check.minimum if check.minimum is not None else 1)
    count = sum(match.count for match in found)
    text = f"{count} lines match /{check.pattern}/, at least {needed} are asked for"
    if count >= needed:
        return passed(check, text, notes)
    excerpts = tuple(case.excerpt(match.first) for match in found[:1])
    return Result(
        check=check, outcome=Outcome.FAILED, message=text, notes=tuple(notes), excerpts=excerpts
    )


def kernel_log(case: Case, check: Check) -> Result:
    """Judge that the kernel does not complain."""
    name = kernel_log_name(case.scenario)
    if name is None:
        return undecided(check, "the kernel's log is not recorded; add a log of kind 'kernel'")
    return _absent(case, check)


def _absent(case: Case, check: Check) -> Result:
    found, notes = _found(case, check)
    if found is None:
        return never_began(check)
    if not found:
        watch = watch_of(case.scenario, check)
        logs = [watch.log] if watch.log else case.recording.log_names()
        lines = sum(case.recording.log_totals(log).lines for log in logs)
        return passed(check, f"none of {lines} lines matches", notes)
    count = sum(match.count for match in found)
    first = found[0].first
    where = f"{first.log}, virtual {format_duration(first.stamp.virtual_ns / NS)}"
    quoted = first.text if len(first.text) <= _QUOTED else first.text[:_QUOTED] + "..."
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        message=f"{count} lines match, the first ({where}): {quoted}",
        virtual_ns=first.stamp.virtual_ns,
        realtime_ns=first.stamp.realtime_ns,
        excerpts=tuple(case.excerpt(match.first) for match in found[:SHOWN]),
        notes=tuple(notes),
    )


def _found(case: Case, check: Check) -> tuple[list[Match] | None, list[str]]:
    """Return what matches, by log and phase, the earliest first; None when the phase never began.

    The writer looked at each line as it came. A recording that was made without that is looked
    through; what was dropped from it is then told.
    """
    span = case.span(check)
    if span is None:
        return None, []
    watch = watch_of(case.scenario, check)
    logs = [watch.log] if watch.log else case.recording.log_names()
    notes = [
        f"{totals.lost} lines of {log} were lost in the guest and not looked at"
        for log in logs
        if (totals := case.recording.log_totals(log)).lost
    ]
    if case.recording.watches().get(check.name) == (watch.pattern, watch.log):
        matches = [
            match for match in case.recording.matches(check.name) if case.covers(check, match.phase)
        ]
    else:
        matches = []
        for log in logs:
            dropped = case.recording.log_totals(log).dropped
            if dropped:
                notes.append(f"{dropped} lines of {log} were dropped and not looked at")
            matches += _search(case.lines(log), watch.name, re.compile(watch.pattern))
        if check.phase is not None:
            begin, end = span
            matches = [
                match
                for match in matches
                if begin.virtual_ns <= match.first.stamp.virtual_ns <= end.virtual_ns
            ]
    matches = _together(matches)
    return sorted(matches, key=lambda match: match.first.stamp), notes


def _search(lines: list[LogLine], name: str, pattern: re.Pattern[str]) -> list[Match]:
    return [
        Match(watch=name, log=line.log, phase=0, count=1, first=line)
        for line in lines
        if pattern.search(line.text)
    ]


def _together(matches: list[Match]) -> list[Match]:
    """Return one match a log and phase."""
    found: dict[tuple[str, int], Match] = {}
    for match in matches:
        key = (match.log, match.phase)
        old = found.get(key)
        found[key] = match if old is None else replace(old, count=old.count + match.count)
    return list(found.values())

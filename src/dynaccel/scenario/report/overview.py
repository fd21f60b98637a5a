# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page says first: the verdict in words, and the key figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.scenario.report import figures, pace
from dynaccel.scenario.report.span import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import Attempt, ClockPair, Point, Series
    from dynaccel.scenario.model import Scenario
    from dynaccel.scenario.report.findings import Finding
    from dynaccel.scenario.report.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A key figure."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The top of the page.

    Attributes:
        name, description: The scenario's.
        tone: ``pass``, ``fail``, ``care`` or ``wait``: colour and picture.
        word: The verdict in a word or two.
        sentence: The same in a sentence.
        failures: The checks that do not hold.
        tiles: The key figures.
    """

    name: str
    description: str
    tone: str
    word: str
    sentence: str
    failures: tuple[Finding, ...]
    tiles: tuple[Tile, ...]


def overview(
    scenario: Scenario,
    recording: Recording,
    span: Span,
    *,
    passed: bool | None,
    findings: Sequence[Finding],
    pairs: Sequence[ClockPair],
    measured: Sequence[tuple[Series, Sequence[Point]]],
) -> Overview:
    """Return the top of the page; ``passed`` is None while there is no verdict."""
    attempts = recording.attempts()
    tone, word, sentence = _verdict(passed, findings, attempts, span)
    return Overview(
        name=scenario.name,
        description=scenario.description.strip(),
        tone=tone,
        word=word,
        sentence=sentence,
        failures=tuple(finding for finding in findings if finding.tone == "fail"),
        tiles=tuple(_tiles(scenario, recording, span, pairs=pairs, measured=measured)),
    )


def _verdict(
    passed: bool | None, findings: Sequence[Finding], attempts: Sequence[Attempt], span: Span
) -> tuple[str, str, str]:
    came = f"{duration(span.virtual_ns)} of virtual time in {duration(span.real_ns)}"
    failed = sum(finding.tone == "fail" for finding in findings)
    if passed is None:
        last = attempts[-1] if attempts else None
        if last is not None and last.why:
            return (
                "care",
                "No verdict",
                f"The run ended without one: {last.why}. It came to {came}.",
            )
        if last is not None and last.ended_wall is not None:
            return "care", "No verdict", f"The run broke off. It came to {came}."
        return "wait", "Still running", f"It has come to {came}. Checks are judged at the end."
    if passed:
        held = f"All {len(findings)} checks hold" if len(findings) != 1 else "Its one check holds"
        held = held if findings else "There was nothing to check"
        return "pass", "Passed", f"{held}, over {came}."
    how_many = f"{failed} of {len(findings)} checks {'does' if failed == 1 else 'do'} not hold"
    return "fail", "Failed", f"{how_many}, over {came}."


def _tiles(
    scenario: Scenario,
    recording: Recording,
    span: Span,
    *,
    pairs: Sequence[ClockPair],
    measured: Sequence[tuple[Series, Sequence[Point]]],
) -> list[Tile]:
    attempts = recording.attempts()
    begin, end = span.at(0), span.at(span.virtual_ns)
    budget = scenario.budget_real
    tiles = [
        Tile(
            name="Virtual time",
            value=duration(span.virtual_ns),
            note=f"{begin.date[:10]} to {end.date[:10]}",
        ),
        Tile(
            name="Real time",
            value=duration(span.real_ns),
            note=f"of at most {format_duration(budget.total_seconds())}" if budget else "",
        ),
    ]
    if ratios := pace.reached(pairs):
        reached, wanted = ratios
        tiles.append(
            Tile(
                name="Ratio reached",
                value=figures.significant(reached, 4),
                note=f"{100 * reached / wanted:.2f}{figures.THIN}% of what was asked for",
            )
        )
    checkpoints = recording.checkpoints()
    broken = sum(1 for attempt in attempts[:-1] if attempt.number)
    tiles += [
        Tile(
            name="Attempts",
            value=figures.count(len(attempts)),
            note=f"{broken} broke off" if broken else "without a break",
        ),
        Tile(
            name="Checkpoints",
            value=figures.count(len(checkpoints)),
            note=_checkpoints_note([each.seconds_stopped for each in checkpoints]),
        ),
    ]
    totals = [recording.job_totals(name) for name in recording.job_names()]
    failed = sum(each.failed for each in totals)
    values = sum(point.count for _, points in measured for point in points)
    logs = [recording.log_totals(name) for name in recording.log_names()]
    return [
        *tiles,
        Tile(
            name="Runs of jobs",
            value=figures.count(sum(each.started for each in totals)),
            note=f"{figures.count(failed)} failed" if failed else "none failed",
        ),
        Tile(
            name="Values measured",
            value=figures.count(values),
            note=f"in {figures.count(len(measured))} series",
        ),
        Tile(
            name="Log lines",
            value=figures.count(sum(each.lines for each in logs)),
            note=f"in {figures.count(len(logs))} logs" if len(logs) != 1 else "in one log",
        ),
    ]


def _checkpoints_note(stopped: Sequence[float]) -> str:
    if not stopped or not any(stopped):
        return ""
    return f"{format_duration(sum(stopped) / len(stopped))} of standstill each"

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks found, as the page tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS, Stamp
from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.report import figures
from dynaccel.scenario.report.anchors import anchor, chart_anchor
from dynaccel.scenario.report.asked import in_words
from dynaccel.scenario.report.jobs import how_it_ended
from dynaccel.scenario.report.span import Moment, duration, moment
from dynaccel.scenario.verdict.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dynaccel.recording.records import Point, Series
    from dynaccel.scenario.model import Scenario
    from dynaccel.scenario.report.span import Span
    from dynaccel.scenario.verdict.records import Excerpt, PhaseRatio, Result, Trend, Verdict

Ends = tuple[tuple[int, float], tuple[int, float]]
_TRENDS_MAX = 5
_TONES = {
    Outcome.PASSED: ("pass", "holds"),
    Outcome.FAILED: ("fail", "fails"),
    Outcome.UNDECIDED: ("fail", "undecided"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A series that a check looked at, and what is drawn of that.

    Attributes:
        series_id: Its number in the recording.
        failed: Whether it is why the check does not hold.
        trend: Ends of the trend's line: virtual time and value.
        steepest: Ends of the steepest line that is allowed.
        minimum, limit: Bounds of the values.
    """

    series_id: int
    failed: bool
    trend: Ends | None = None
    steepest: Ends | None = None
    minimum: float | None = None
    limit: float | None = None

    def values(self) -> list[float]:
        """Return the values that its lines reach."""
        ends = [end for line in (self.trend, self.steepest) if line is not None for end in line]
        bounds = [value for value in (self.minimum, self.limit) if value is not None]
        return [value for _, value in ends] + bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check in the page.

    Attributes:
        id: Where links point to.
        name, what: The check's name, and what it asks for.
        tone, word: ``pass`` and ``holds``, ...
        message: What was found.
        moment: When it first did not hold.
        href, link: Where in the page more of it is, and what the link is called.
        evidence: Names and texts, in parts that belong together.
        excerpts: Lines of logs around what was found.
        looked: The series it looked at.
    """

    id: str
    name: str
    what: str
    tone: str
    word: str
    message: str
    moment: Moment | None = None
    href: str = ""
    link: str = ""
    evidence: tuple[tuple[tuple[str, str], ...], ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    looked: tuple[Looked, ...] = ()


def findings(
    scenario: Scenario,
    verdict: Verdict | None,
    span: Span,
    measured: Sequence[tuple[Series, Sequence[Point]]],
) -> list[Finding]:
    """Return the checks, those that do not hold first; without a verdict those that wait."""
    if verdict is None:
        return [
            Finding(
                id=anchor("check", check.name),
                name=check.name,
                what=in_words(check),
                tone="wait",
                word="open",
                message="",
            )
            for check in scenario.checks
        ]
    series = {series.id: series for series, _ in measured}
    found = [_finding(result, span, series) for result in verdict.results]
    return sorted(found, key=lambda finding: finding.tone == "pass")


def _finding(result: Result, span: Span, series: Mapping[int, Series]) -> Finding:
    check = result.check
    trends = sorted(
        (trend for trend in result.trends if trend.series_id in series),
        key=lambda trend: (trend.outcome is Outcome.PASSED, -trend.values),
    )
    href, link = "", ""
    if trends:
        first = series[trends[0].series_id]
        href, link = f"#{chart_anchor(first.sample, first.metric)}", "see the chart"
    elif result.excerpts and not result.passed:
        href, link = f"#{anchor('excerpt', check.name)}", "see the lines"
    elif check.job is not None:
        href, link = f"#{anchor('job', check.job)}", "see the job"
    elif check.kind is CheckKind.RATIO:
        href, link = "#ratio-chart", "see the chart"
    tone, word = _TONES[result.outcome]
    when = None
    if result.virtual_ns is not None:
        realtime = result.realtime_ns
        when = moment(
            Stamp(
                result.virtual_ns,
                realtime if realtime is not None else span.epoch_ns + result.virtual_ns,
                0,
            )
        )
    return Finding(
        id=anchor("check", check.name),
        name=check.name,
        what=in_words(check),
        tone=tone,
        word=word,
        message=result.message,
        moment=when,
        href=href,
        link=link,
        evidence=tuple(_evidence(result, trends, span)),
        excerpts=result.excerpts,
        looked=tuple(map(_looked, trends)),
    )


def _looked(trend: Trend) -> Looked:
    failed = trend.outcome is not Outcome.PASSED
    if not trend.per_ns:
        return Looked(
            series_id=trend.series_id, failed=failed, minimum=trend.minimum, limit=trend.limit
        )
    if not trend.blocks:
        return Looked(series_id=trend.series_id, failed=failed)
    begin = (trend.line_begin_ns, trend.line_begin)
    steepest: Ends | None = None
    if trend.limit is not None:
        grown = trend.limit * (trend.end_ns - trend.line_begin_ns) / trend.per_ns
        steepest = (begin, (trend.end_ns, trend.line_begin + grown))
    return Looked(
        series_id=trend.series_id,
        failed=failed,
        trend=(begin, (trend.end_ns, trend.line_end)),
        steepest=steepest,
    )


def _evidence(
    result: Result, trends: Sequence[Trend], span: Span
) -> Iterator[tuple[tuple[str, str], ...]]:
    for trend in trends[:_TRENDS_MAX]:
        yield tuple(_of_trend(trend, span, told=result.message))
    if len(trends) > _TRENDS_MAX:
        yield (("Further series", figures.count(len(trends) - _TRENDS_MAX)),)
    if result.ratios:
        yield tuple((ratio.phase, _of_phase(ratio)) for ratio in result.ratios)
    if result.runs:
        yield tuple(
            (f"{run.job}, run {run.run}", f"{how_it_ended(run)}, {_when(run.ended or run.started)}")
            for run in result.runs
        )
    if result.events:
        yield tuple(
            (event.name or event.kind, f"{event.text}, {_when(event.stamp)}")
            for event in result.events
        )
    if result.notes:
        yield tuple(("Note", note) for note in result.notes)


def _of_phase(ratio: PhaseRatio) -> str:
    reached, wanted = figures.significant(ratio.reached, 5), figures.significant(ratio.wanted, 5)
    return f"{reached} of {wanted} over {duration(ratio.real_ns)}"


def _of_trend(trend: Trend, span: Span, *, told: str) -> Iterator[tuple[str, str]]:
    unit = "" if trend.unit == "count" else trend.unit
    begin, end = span.at(trend.begin_ns), span.at(trend.end_ns)
    yield "Series", trend.series
    if trend.message not in told:
        yield "Found", trend.message
    yield "Window", f"{begin.date} to {end.date}, {figures.count(trend.values)} values"
    if trend.values:
        low, high = figures.number(trend.low, unit), figures.number(trend.high, unit)
        yield "Values", f"{low} to {high}"
    per = f" per {format_duration(trend.per_ns / NS)}" if trend.per_ns else ""
    if trend.blocks:
        low, high = figures.change(trend.slope_low, unit), figures.change(trend.slope_high, unit)
        slope = figures.change(trend.slope, unit)
        yield "Slope", f"{slope}{per}; with 95 % confidence {low} to {high}"
        yield "By chance", _probability(trend.p_value)
    if trend.minimum is not None:
        yield "At least", figures.number(trend.minimum, unit)
    if trend.limit is not None:
        yield "At most", figures.number(trend.limit, unit) + per
    for change in trend.changes:
        size = figures.change(change.size, unit) + (per if change.kind == "bend" else "")
        at = span.at(change.virtual_ns)
        yield change.kind.capitalize(), f"{size} at {at.date}, {at.day}"


def _probability(p_value: float) -> str:
    return "p < 0.0001" if p_value < 0.0001 else f"p = {figures.significant(p_value, 2)}"  # noqa: PLR2004


def _when(stamp: Stamp) -> str:
    when = moment(stamp)
    return f"{when.date}, {when.day}"

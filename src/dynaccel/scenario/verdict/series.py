# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of series: bounds of their values, and growth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.verdict.case import Case, nanoseconds, never_began, undecided
from dynaccel.scenario.verdict.quantity import quantity
from dynaccel.scenario.verdict.records import Outcome, Result, Trend
from dynaccel.scenario.verdict.trend import ALPHA, Growth, judge_growth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Series
    from dynaccel.scenario.model import Check

_TOLD = 3
"""Series that a message tells of."""


def growth(case: Case, check: Check) -> Result:
    """Judge that series grow less than they may.

    Raises:
        MissingError: The libraries for it are not installed.
    """
    window = case.window(check)
    if window is None:
        return never_began(check)
    chosen = select(case.recording.series_list(), check.series)
    if not chosen:
        return _nothing(case, check)
    limit = Growth(
        limit=check.limit or 0.0,
        per_ns=nanoseconds(check.per),
        # Of a hundred series one would grow by chance.
        alpha=ALPHA / len(chosen),
    )
    trends = [judge_growth(each, case.recording.points(each), *window, limit) for each in chosen]
    inside = [trend for trend in trends if trend.values] or trends
    return _result(case, check, _forgive_short(inside, limit))


def value(case: Case, check: Check) -> Result:
    """Judge that series stay within bounds."""
    window = case.window(check)
    if window is None:
        return never_began(check)
    chosen = select(case.recording.series_list(), check.series)
    if not chosen:
        return _nothing(case, check)
    trends = [_bounded(case, check, each, *window) for each in chosen]
    inside = [trend for trend in trends if trend.values] or trends
    return _result(case, check, inside)


def select(series: Sequence[Series], name: str) -> list[Series]:
    """Return the series that ``SAMPLE.METRIC`` or ``SAMPLE.SUBJECT.METRIC`` means.

    The subject may have dots; ``*`` and none are each, and a process may be named without its
    number.
    """
    sample, _, rest = name.partition(".")
    subject, _, metric = rest.rpartition(".")
    return [
        each
        for each in series
        if each.sample == sample
        and each.metric == metric
        and (
            subject in {"", "*", each.subject}
            or (each.subject.startswith(f"{subject}[") and each.subject.endswith("]"))
        )
    ]


def _bounded(case: Case, check: Check, series: Series, begin_ns: int, end_ns: int) -> Trend:
    points = [
        each
        for each in case.recording.points(series)
        if begin_ns <= each.until_ns and each.virtual_ns <= end_ns
    ]
    trend = Trend(
        series=series.name,
        series_id=series.id,
        unit=series.unit,
        outcome=Outcome.UNDECIDED,
        message="no value in the window",
        begin_ns=begin_ns,
        end_ns=end_ns,
        values=sum(each.count for each in points),
        limit=check.limit,
        minimum=check.minimum,
    )
    if not points:
        return trend
    low, high = min(each.min for each in points), max(each.max for each in points)
    over = check.limit is not None and high > check.limit
    under = check.minimum is not None and low < check.minimum
    span = f"between {quantity(low, series.unit)} and {quantity(high, series.unit)}"
    bounds = [
        f"{word} {quantity(bound, series.unit)}"
        for word, bound in (("minimum", check.minimum), ("limit", check.limit))
        if bound is not None
    ]
    first = next(
        (
            each
            for each in points
            if (check.limit is not None and each.max > check.limit)
            or (check.minimum is not None and each.min < check.minimum)
        ),
        points[0],
    )
    return replace(
        trend,
        outcome=Outcome.FAILED if over or under else Outcome.PASSED,
        message=f"{span}; {', '.join(bounds)}",
        low=low,
        high=high,
        line_begin_ns=first.virtual_ns if over or under else begin_ns,
    )


def _forgive_short(trends: list[Trend], limit: Growth) -> list[Trend]:
    """Let processes pass that were too short for a trend and too small to matter.

    Only beside one of them that was long enough: what all the short ones share would show there.
    """
    if not any(trend.blocks or trend.outcome is not Outcome.UNDECIDED for trend in trends):
        return trends
    return [
        replace(
            trend,
            outcome=Outcome.PASSED,
            message=f"{trend.message}; it differs by no more than the limit",
        )
        if trend.outcome is Outcome.UNDECIDED and trend.high - trend.low <= limit.limit
        else trend
        for trend in trends
    ]


def _result(case: Case, check: Check, trends: list[Trend]) -> Result:
    order = {Outcome.FAILED: 0, Outcome.UNDECIDED: 1, Outcome.PASSED: 2}
    worst = sorted(trends, key=lambda trend: order[trend.outcome])
    outcome = worst[0].outcome
    telling = [trend for trend in worst if trend.outcome is outcome]
    if outcome is Outcome.PASSED and len(trends) > 1:
        message = f"{len(trends)} series hold"
    else:
        message = "; ".join(f"{each.series}: {each.message}" for each in telling[:_TOLD])
    if outcome is not Outcome.PASSED and len(telling) > _TOLD:
        message += f"; and {len(telling) - _TOLD} more"
    at = None
    if outcome is Outcome.FAILED:
        at = min(_offence(each) for each in telling)
    return Result(
        check=check,
        outcome=outcome,
        message=message,
        virtual_ns=at,
        realtime_ns=None if at is None else case.realtime_at(at),
        trends=tuple(worst),
    )


def _offence(trend: Trend) -> int:
    """Return when a series first offends: where the growth begins, or is beyond a step."""
    rising = [each.virtual_ns for each in trend.changes if each.kind == "step" and each.size > 0]
    if trend.slope <= (trend.limit or 0.0) and trend.per_ns and rising:
        return rising[0]
    return trend.line_begin_ns or trend.begin_ns


def _nothing(case: Case, check: Check) -> Result:
    names = sorted({f"{each.sample}.*.{each.metric}" for each in case.recording.series_list()})
    there = ", ".join(names[:12]) or "none"
    length = format_duration(case.end.virtual_ns / NS)
    return undecided(
        check, f"no series {check.series!r} was recorded in {length}; there are: {there}"
    )

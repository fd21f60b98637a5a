# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a series grows more than it may. docs/verdicts.md tells the reasoning and its figures."""

from __future__ import annotations

import site
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynaccel.core.errors import MissingError
from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.verdict.quantity import quantity
from dynaccel.scenario.verdict.records import Change, Outcome, Trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Point, Series
    from dynaccel.scenario.verdict.slope import Slope

FEWEST_VALUES = 20
"""Values that a trend needs."""
SHORTEST = 30
"""The window is at least the ``per`` of the limit divided by it: a month's growth from a day's."""
ALPHA = 0.01
"""How probable a growth found may be by chance, one-sided, in all series of a check together."""
_SURE = 2.5
"""Standard errors that the slope must be large beside change points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a series may grow.

    Attributes:
        limit: By how much, in its unit,
        per_ns: in this virtual time.
        alpha: How probable a growth may be by chance.
    """

    limit: float
    per_ns: int
    alpha: float = ALPHA


def judge_growth(
    series: Series, points: Sequence[Point], begin_ns: int, end_ns: int, growth: Growth
) -> Trend:
    """Judge whether a series grows more than it may in a window.

    Args:
        series: The series.
        points: Its points, in order; those outside of the window are not looked at.
        begin_ns: Where the window begins, virtual.
        end_ns: Where it ends.
        growth: What it may.

    Raises:
        MissingError: The libraries for it are not installed.
    """
    inside = [each for each in points if begin_ns <= each.virtual_ns and each.until_ns <= end_ns]
    trend = Trend(
        series=series.name,
        series_id=series.id,
        unit=series.unit,
        outcome=Outcome.UNDECIDED,
        message="no value in the window",
        begin_ns=begin_ns,
        end_ns=end_ns,
        values=sum(each.count for each in inside),
        limit=growth.limit,
        per_ns=growth.per_ns,
    )
    if not inside:
        return trend
    # A process may come late and end early.
    begin_ns, end_ns = inside[0].virtual_ns, inside[-1].until_ns
    low, high = min(each.min for each in inside), max(each.max for each in inside)
    trend = replace(trend, begin_ns=begin_ns, end_ns=end_ns, low=low, high=high)
    span = end_ns - begin_ns
    found = None
    if low < high and trend.values >= FEWEST_VALUES and span * SHORTEST >= growth.per_ns:
        found = _slope_of(inside, begin_ns, end_ns)
    if found is None:
        return _untold(trend, growth, series.unit)
    return _told(_with_slope(trend, found, growth), found, growth)


def _untold(trend: Trend, growth: Growth, unit: str) -> Trend:
    """Judge a series that is too short, or does not change at all, by its range."""
    span = trend.end_ns - trend.begin_ns
    if trend.low == trend.high and span * SHORTEST >= growth.per_ns:
        text = f"always {quantity(trend.low, unit)}"
        return replace(trend, outcome=Outcome.PASSED, message=text)
    length = format_duration(span / NS)
    said = f"{trend.values} values in {length} are not enough data for a trend"
    if trend.values > 1 and trend.high - trend.low <= growth.limit * min(span / growth.per_ns, 1.0):
        text = f"{said}, but they differ by no more than {quantity(trend.high - trend.low, unit)}"
        return replace(trend, outcome=Outcome.PASSED, message=text)
    needed = format_duration(growth.per_ns / SHORTEST / NS)
    text = f"not enough data: {said} (at least {FEWEST_VALUES} values and {needed} are)"
    return replace(trend, outcome=Outcome.UNDECIDED, message=text)


def _with_slope(trend: Trend, found: Slope, growth: Growth) -> Trend:
    blocks = found.blocks
    span = blocks.end_ns - blocks.begin_ns
    scale = growth.per_ns / span
    changes = tuple(
        Change(
            virtual_ns=round(blocks.begin_ns + term.at * span),
            kind=term.kind,
            size=term.size * (scale if term.kind == "bend" else 1.0),
        )
        for term in found.fit.terms
    )
    steps_before = sum(
        term.size for term in found.fit.terms if term.kind == "step" and term.at <= found.begin
    )
    steps = sum(term.size for term in found.fit.terms if term.kind == "step")
    return replace(
        trend,
        blocks=len(blocks),
        slope=found.slope * scale,
        slope_low=found.low * scale,
        slope_high=found.high * scale,
        p_value=found.p_value,
        line_begin_ns=round(blocks.begin_ns + found.begin * span),
        line_begin=found.level + steps_before,
        line_end=found.level + found.slope * (1 - found.begin) + steps,
        changes=changes,
    )


def _told(trend: Trend, found: Slope, growth: Growth) -> Trend:
    per = format_duration(growth.per_ns / NS)
    unit = trend.unit
    span = found.blocks.end_ns - found.blocks.begin_ns
    windows = span / growth.per_ns
    allowed = growth.limit * windows
    rate = f"{quantity(trend.slope, unit, signed=True)} per {per}"
    interval = (
        f"95 % sure between {quantity(trend.slope_low, unit, signed=True)}"
        f" and {quantity(trend.slope_high, unit, signed=True)}"
    )
    limit = f"limit {quantity(growth.limit, unit)}"
    if found.falls:
        moved = quantity(found.floor_rise, unit, signed=True)
        back = f"falls back again and again, and what it falls back to changed by {moved}"
        grown = found.floor_rise > max(allowed, growth.limit)
        text = f"{back} in {format_duration(span / NS)} ({limit} per {per})"
        return replace(trend, outcome=_outcome(not grown), message=text)
    if _grows(found, growth):
        certain = found.slope * windows**-1 > growth.limit
        if certain:
            text = f"grows by {rate}, {interval}, p {found.p_value:.2g}; {limit}"
            return replace(trend, outcome=Outcome.FAILED, message=text + _changed(trend))
    allowed_at_once = max(allowed, growth.limit)
    steady = found.slope * (1 - found.begin) if _grows(found, growth) else 0.0
    if found.rise > 0 and found.rise + max(steady, 0.0) > allowed_at_once:
        text = (
            f"rose by {quantity(found.rise, unit)} in steps, no steady growth;"
            f" {quantity(allowed_at_once, unit)} are allowed in {format_duration(span / NS)}"
        )
        return replace(trend, outcome=Outcome.FAILED, message=text + _changed(trend))
    if _grows(found, growth):
        text = f"grows by {rate}, {interval}; {limit}"
    elif trend.slope_high > growth.limit:
        text = (
            f"no growth that stands out of the noise, which would hide up to"
            f" {quantity(trend.slope_high, unit)} per {per}; {limit}"
        )
    else:
        text = f"no growth that stands out; {interval} per {per}; {limit}"
    return replace(trend, outcome=Outcome.PASSED, message=text + _changed(trend))


def _grows(found: Slope, growth: Growth) -> bool:
    """Return whether there is a steady growth that is not chance, a peak or what settles down."""
    return (
        found.p_value < growth.alpha
        and found.floor_p < max(5 * growth.alpha, 0.05)
        and found.fit.slope > _SURE * found.fit.slope_error
        and found.floor_slope > found.slope / 4
        and found.late_slope > found.slope / 4
    )


def _changed(trend: Trend) -> str:
    if not trend.changes:
        return ""
    words = []
    for each in trend.changes:
        size = f" of {quantity(each.size, trend.unit, signed=True)}" if each.kind == "step" else ""
        words.append(f"{each.kind}{size} at {format_duration(each.virtual_ns / NS)}")
    return "; " + ", ".join(words)


def _outcome(passed: bool) -> Outcome:
    return Outcome.PASSED if passed else Outcome.FAILED


def need_trends() -> None:
    """See, before a run of days, that trends can be judged after it.

    Raises:
        MissingError: The libraries for it are not installed.
    """
    missing = _load()
    # A distribution's package of dynaccel sees its own Python packages alone. These two it does
    # not bring along: they are larger than all else in it, and each distribution has them.
    if missing and sys.flags.no_site:
        sys.path += [place for place in site.getsitepackages() if place not in sys.path]
        missing = _load()
    if missing:
        raise MissingError(
            f"trends cannot be judged: the Python package {missing} is not installed",
            hint="apt-get install python3-scipy, dnf install python3-scipy, or where dynaccel was"
            " installed by pip: pip install 'dynaccel[report]'",
        )


def _load() -> str:
    """Import what trends need; return the name of what is not there, or nothing."""
    # Imported here: they take a second, and few commands judge.
    try:
        import numpy as np  # noqa: F401, PLC0415
        import scipy.stats  # noqa: F401, PLC0415
    except ImportError as error:
        return error.name or str(error)
    return ""


def _slope_of(points: Sequence[Point], begin_ns: int, end_ns: int) -> Slope | None:
    need_trends()
    from dynaccel.scenario.verdict.slope import slope_of  # noqa: PLC0415

    return slope_of(points, begin_ns, end_ns)

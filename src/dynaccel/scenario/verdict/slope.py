# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a series grows, and how fast: Theil's and Sen's slope, Mann's and Kendall's test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from dynaccel.scenario.verdict.blocks import FEWEST, Blocks, cut, widths
from dynaccel.scenario.verdict.fit import Fit, correlation_of, fit, inflation_of, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Point
    from dynaccel.scenario.verdict.blocks import Floats

_ALIKE = 0.3
"""First autocorrelation from which on blocks are made wider, where there are enough of them."""
_ENOUGH = 20
_CONFIDENCE = 0.95
_SETTLING = 0.25
"""The share of a window in which a step counts as settling down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """What the blocks of a series say; slopes are per window, places shares of it.

    Attributes:
        blocks: The blocks.
        fit: The line with its change points.
        begin: Where the last straight stretch begins.
        slope, low, high: The slope there, and its 95 % confidence interval.
        p_value: Of a growth, one-sided.
        level: Where the straight line is at ``begin``.
        floor_slope: The slope of the floors there.
        floor_p: Of a growth of the floors.
        late_slope: The slope of the second half of that stretch.
        rise: By how much the steps after the settling raised the level.
        falls: Whether it falls back again and again, as a sawtooth does.
        floor_rise: By how much what it falls back to has risen; of one that falls.
    """

    blocks: Blocks
    fit: Fit
    begin: float
    slope: float
    low: float
    high: float
    p_value: float
    level: float
    floor_slope: float
    floor_p: float
    late_slope: float
    rise: float
    falls: bool
    floor_rise: float


def slope_of(points: Sequence[Point], begin_ns: int, end_ns: int) -> Slope | None:
    """Return the slope of a series in a window; None when there is too little to tell."""
    chosen: tuple[Blocks, Fit] | None = None
    for width in widths(end_ns - begin_ns):
        number = int((end_ns - begin_ns) / width * (1 + 1e-9))
        blocks = cut(points, end_ns, width, number)
        if len(blocks) < FEWEST:
            break
        if chosen is not None and len(blocks) < _ENOUGH:
            break
        if len(blocks) < number * 3 // 4 and len(blocks) >= _ENOUGH:
            # Values are sparser than blocks.
            continue
        chosen = (blocks, fit(blocks.at, blocks.mean))
        if correlation_of(chosen[1].residual) <= _ALIKE:
            break
    return None if chosen is None else _measure(*chosen)


def _measure(blocks: Blocks, line: Fit) -> Slope:
    at = blocks.at
    bends = [term for term in line.terms if term.kind == "bend"]
    first = bends[-1].index if bends else 0
    begin = bends[-1].at if bends else 0.0
    straight = blocks.mean - line.steps(at)
    slope, level, low, high, p_value = _theil_kendall(at[first:], straight[first:], line.residual)
    # The floors have steps of their own size at the same places.
    floors, _ = solve(at, blocks.low, [(term.kind, term.index) for term in line.terms])
    floor = blocks.low - floors.steps(at)
    floor_slope, _, _, _, floor_p = _theil_kendall(at[first:], floor[first:], floors.residual)
    half = first + (len(at) - first) // 2
    late = float(stats.theilslopes(straight[half:], at[half:])[0])
    steps = [term for term in line.terms if term.kind == "step"]
    falls, floor_rise = _falls(blocks, line, slope)
    return Slope(
        blocks=blocks,
        fit=line,
        begin=begin,
        slope=slope,
        low=low,
        high=high,
        p_value=p_value,
        level=level + slope * begin,
        floor_slope=floor_slope,
        floor_p=floor_p,
        late_slope=late,
        rise=sum(term.size for term in steps if term.at > _SETTLING),
        falls=falls,
        floor_rise=floor_rise,
    )


def _theil_kendall(
    at: Floats, values: Floats, residual: Floats
) -> tuple[float, float, float, float, float]:
    """Return slope, level at 0, the slope's bounds and its p value, neighbours' likeness heeded."""
    if np.ptp(values) <= 1e-12 * max(float(np.max(np.abs(values))), 1e-300):
        return 0.0, float(values[0]), 0.0, 0.0, 1.0
    wider = np.sqrt(inflation_of(residual))
    score = stats.norm.isf((1 - _CONFIDENCE) / 2) * wider
    # Theil and Sen take the share of slopes that the interval holds: a wider one holds more.
    share = min(1 - 2 * float(stats.norm.sf(score)), 1 - 1e-12)
    slope, level, low, high = stats.theilslopes(values, at, alpha=share)
    tau = stats.kendalltau(at, values, alternative="greater")
    p_value = float(stats.norm.sf(stats.norm.isf(max(float(tau.pvalue), 1e-300)) / wider))
    return float(slope), float(level), float(low), float(high), p_value


def _falls(blocks: Blocks, line: Fit, slope: float) -> tuple[bool, float]:
    """Tell whether a series rises and falls back by steps, and how much its floor has risen.

    What falls by much more than it rose has let go of something, and may leak all the same.
    """
    drops = [term for term in line.terms if term.kind == "step" and term.size < 0]
    fallen = -sum(term.size for term in drops)
    if not drops or not slope / 3 <= fallen <= slope * 3 / 2:
        return False, 0.0
    edges = [0, *(term.index for term in drops), len(blocks)]
    floors = [float(np.min(blocks.low[a:b])) for a, b in pairwise(edges)]
    return True, floors[-1] - floors[0]

# SPDX-License-Identifier: GPL-2.0-or-later
"""A series as means of equal stretches of virtual time.

Neighbouring values are alike: the memory of a process is what it was ten minutes ago. A test of
significance that takes each for news finds trends everywhere. Means of stretches that are long
against what the values remember, and that hold whole days or weeks, are news.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dynaccel.recording.records import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dynaccel.recording.records import Point

    Floats = NDArray[Any]

MOST = 120
"""Blocks at the finest."""
FEWEST = 10
"""Blocks that a trend needs."""
_LOW = 0.1
"""The share of a block's values that lies below its floor."""
_ROUND = (7 * DAY_NS, DAY_NS)
"""Periods that people and their programs keep; blocks are whole ones where there are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A series in blocks, those without a value left out.

    Attributes:
        width_ns: Width of a block.
        begin_ns: Where the first one begins.
        end_ns: Where the last one ends.
        at_ns: The middle of each.
        mean: Its values' mean.
        low: What a tenth of its values lie below: the floor that a sawtooth comes back to.
    """

    width_ns: float
    begin_ns: float
    end_ns: float
    at_ns: Floats
    mean: Floats
    low: Floats

    def __len__(self) -> int:
        return len(self.at_ns)

    @property
    def at(self) -> Floats:
        """The middle of each, as a share of the window from its begin to its end."""
        return (self.at_ns - self.begin_ns) / (self.end_ns - self.begin_ns)


def widths(span_ns: int) -> Iterator[float]:
    """Yield widths of blocks for a window, the narrowest first."""
    width = span_ns / MOST
    for period in _ROUND:
        if span_ns >= 2 * FEWEST * period or (period == DAY_NS and span_ns >= FEWEST * period):
            width = -(-width // period) * period
            break
    while span_ns / width >= FEWEST:
        yield width
        width *= 2


def cut(points: Sequence[Point], end_ns: int, width_ns: float, number: int) -> Blocks:
    """Return the last ``number`` blocks of a series that end at ``end_ns``."""
    centre = np.array([(each.virtual_ns + each.until_ns) / 2 for each in points])
    weight = np.array([each.count for each in points], dtype=np.float64)
    mean = np.array([each.mean for each in points])
    least = np.array([each.min for each in points])
    place = number - np.ceil((end_ns - centre) / width_ns).astype(np.int64)
    # A value between two blocks belongs to the later one, one at the end to the last.
    place = np.minimum(place, number - 1)
    inside = place >= 0
    place, weight, mean, least = place[inside], weight[inside], mean[inside], least[inside]
    counts = np.bincount(place, weight, minlength=number)
    sums = np.bincount(place, weight * mean, minlength=number)
    there = np.flatnonzero(counts)
    order = np.lexsort((least, place))
    bounds = np.searchsorted(place[order], [there, there + 1])
    lows = [
        _quantile(least[order[first:last]], weight[order[first:last]])
        for first, last in zip(*bounds, strict=True)
    ]
    begin = end_ns - number * width_ns
    return Blocks(
        width_ns=width_ns,
        begin_ns=begin,
        end_ns=end_ns,
        at_ns=begin + (there + 0.5) * width_ns,
        mean=sums[there] / counts[there],
        low=np.array(lows),
    )


def _quantile(values: Floats, weights: Floats) -> float:
    """Return what ``_LOW`` of the weighted, sorted values lie below."""
    reached = np.cumsum(weights)
    return float(values[np.searchsorted(reached, _LOW * reached[-1])])

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is drawn: values thinned to the width of a chart, as short paths of SVG.

A path's coordinates are whole numbers, x from 0 to the chart's :data:`WIDTH` and y from 0 (top) to
:data:`HEIGHT`; they are exact enough for the page's script to read the values back from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dynaccel.recording.records import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynaccel.recording.records import Point

WIDTH = 2000
HEIGHT = 10_000
COLUMNS = 240
"""How many values a line has at most: more than a phone and fewer than a screen has pixels."""
_COLUMNS_LEAST = 80
_CHARTS = 50
"""With more charts than these each line has fewer values, so that the page stays small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Values that lie so close that they are drawn as one.

    Attributes:
        at: Where, from 0 to 1.
        low, high, mean: Of the values.
    """

    at: float
    low: float
    high: float
    mean: float


def column_ns(span_ns: int, charts: int = 1) -> int:
    """Return the virtual time that a column stands for, on a page with so many charts.

    Where that is about a day or more, it is whole days or weeks: what goes up and down every day
    would otherwise beat against the columns, and show waves that are not there.
    """
    columns = min(COLUMNS, max(_COLUMNS_LEAST, COLUMNS * _CHARTS // max(charts, 1)))
    width = -(-span_ns // columns)
    for whole, least in ((7 * DAY_NS, 3 * DAY_NS), (DAY_NS, DAY_NS // 2)):
        if width > least:
            return -(-width // whole) * whole
    return width


def thin(points: Sequence[Point], span_ns: int, width: int) -> list[Column]:
    """Return points in columns of a width, each at the middle of what it stands for.

    A rare peak stays: it is in its column's ``low`` or ``high``.
    """
    thinned: list[Column] = []
    group: list[Point] = []
    number = -1
    for point in points:
        if point.virtual_ns < 0:
            continue
        column = point.virtual_ns // width
        if column != number and group:
            thinned.append(_merged(group, span_ns))
            group = []
        number = column
        group.append(point)
    if group:
        thinned.append(_merged(group, span_ns))
    return thinned


def line(columns: Iterable[Column], height: Callable[[float], float]) -> str:
    """Return the path through the means; ``height`` says where a value lies, from 0 to 1."""
    return path([(column.at, height(column.mean)) for column in columns])


def band(columns: Sequence[Column], height: Callable[[float], float]) -> str:
    """Return the outline of all that lies between lowest and highest; empty when there is none."""
    if len(columns) < 2 or all(column.low == column.high for column in columns):  # noqa: PLR2004
        return ""
    upper = [(column.at, height(column.high)) for column in columns]
    lower = [(column.at, height(column.low)) for column in reversed(columns)]
    return path([*upper, *lower]) + "z"


def path(places: Sequence[tuple[float, float]]) -> str:
    """Return a path through places, each from 0 to 1 with y upwards."""
    dots = [(round(x * WIDTH), round((1 - y) * HEIGHT)) for x, y in places]
    if not dots:
        return ""
    if len(dots) == 1:
        # A single value is a short dash, as a path of one point is not drawn at all.
        x, y = dots[0]
        dots = [(max(0, x - 5), y), (min(WIDTH, x + 5), y)]
    words = [f"M{dots[0][0]} {dots[0][1]}l"]
    for (x, y), (next_x, next_y) in pairwise(dots):
        words.append(f"{next_x - x} {next_y - y} ")
    return "".join(words).rstrip().replace(" -", "-")


def _merged(group: Sequence[Point], span_ns: int) -> Column:
    count = sum(point.count for point in group)
    first, last = group[0], group[-1]
    return Column(
        at=min(1.0, (first.virtual_ns + max(last.virtual_ns, last.until_ns)) / 2 / span_ns),
        low=min(point.min for point in group),
        high=max(point.max for point in group),
        mean=sum(point.mean * point.count for point in group) / count,
    )

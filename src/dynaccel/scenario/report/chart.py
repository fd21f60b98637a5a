# SPDX-License-Identifier: GPL-2.0-or-later
"""A chart as the page's templates draw it: text is HTML, lines are SVG that is stretched to fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynaccel.scenario.report.figures import Scale
from dynaccel.scenario.report.strokes import HEIGHT, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.scenario.report.axes import Axis, Tick

_WIDE, _NARROW = 130, 31
"""Characters that fit below a chart that has the page's width, and below another or on a phone."""
_APART = 1.5
_EDGE = 0.09
PLAIN = Scale(factor=1.0, unit="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """Something that is drawn.

    Attributes:
        style: Its classes in the style sheet: ``line s1``, ``band s1``, ``trend``, ``limit`` ...
        path: Its path.
        name: What the read-out calls it; None: it is not read out.
    """

    style: str
    path: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An entry of a legend."""

    style: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of the x axis: its place in percent; ``spare`` when a narrow page has no room."""

    at: float
    side: str
    text: str
    spare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a check found in the series that a chart shows."""

    check: str
    href: str
    tone: str
    word: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart.

    Attributes:
        id: Where links point to.
        title: What is shown.
        note: A second name, such as the metric's own.
        label: All of it in a sentence or two, for who does not see it.
        x, y: The axes.
        x_ends, x_kind, epoch: What the page's script knows of the x axis: its ends in ms,
            ``virtual`` or ``real``, and the date of virtual time 0.
        y_kind: ``number`` or ``date``.
        scale: What the y axis is in.
        strokes: In the order in which they are drawn.
        keys: The legend.
        summary: A line below it.
        judged: What checks found.
        wide: Whether it has the page's whole width.
    """

    id: str
    title: str
    label: str
    x: Axis
    y: Axis
    x_ends: tuple[int, int]
    epoch: int
    strokes: tuple[Stroke, ...]
    note: str = ""
    x_kind: str = "virtual"
    y_kind: str = "number"
    scale: Scale = PLAIN
    keys: tuple[Key, ...] = ()
    summary: str = ""
    judged: tuple[Judged, ...] = field(default=())
    wide: bool = False

    @property
    def grid(self) -> str:
        """The lines at the y axis's ticks."""
        return "".join(f"M0 {round((1 - tick.at) * HEIGHT)}h{WIDTH}" for tick in self.y.ticks)

    @property
    def labels(self) -> list[Label]:
        """The x axis's labels: none covers another, and those at the ends turn inwards."""
        spare = {tick for tick in self.x.ticks if tick not in _fitting(self.x.ticks, _NARROW)}
        shown = _fitting(self.x.ticks, _WIDE if self.wide else _NARROW)
        return [
            Label(
                at=round(100 * tick.at, 2), side=_side(tick), text=tick.label, spare=tick in spare
            )
            for tick in shown
        ]


def _side(tick: Tick) -> str:
    return "left" if tick.at < _EDGE else "right" if tick.at > 1 - _EDGE else ""


def _fitting(ticks: Sequence[Tick], room: int) -> list[Tick]:
    """Return the ticks whose labels fit beside each other in a width of so many characters."""
    shown: list[Tick] = []
    end = -1.0
    for tick in ticks:
        length = max(map(len, tick.label.split("\n")))
        begin = tick.at * room - {"left": 0.0, "right": 1.0}.get(_side(tick), 0.5) * length
        if begin >= end:
            shown.append(tick)
            end = begin + length + _APART
    return shown


def shades(begins: Sequence[float], ends: Sequence[float]) -> str:
    """Return the path that shades every other phase, those that are shorter together.

    Begins and ends lie from 0 to 1.
    """
    places = [
        (round(min(1.0, max(0.0, a)) * WIDTH), round(min(1.0, max(0.0, b)) * WIDTH))
        for a, b in zip(begins, ends, strict=True)
    ]
    halves = (places[1::2], places[::2])
    shaded = min(halves, key=lambda half: sum(b - a for a, b in half)) if len(places) > 1 else []
    return "".join(f"M{a} 0h{b - a}v{HEIGHT}h{a - b}z" for a, b in shaded if b > a)

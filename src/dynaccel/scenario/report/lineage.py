# SPDX-License-Identifier: GPL-2.0-or-later
"""Series that follow each other as one: a service that is started anew has another process."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynaccel.recording.records import Point, Series

_PROCESS = re.compile(r"(?P<name>.*)\[(?P<pid>\d+)\]\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Series of one program whose times do not overlap, with their points.

    Attributes:
        name: Of one subject its name, of several the program's with their number.
        short: The program's name; of what is no process as ``name``.
        series: In order.
        points: Of all of them, in order.
    """

    name: str
    short: str
    series: tuple[Series, ...]
    points: tuple[Point, ...]

    @property
    def weight(self) -> float:
        """How much it is worth a line: the virtual time that it covers, then how large it is."""
        covered = self.points[-1].until_ns - self.points[0].virtual_ns
        return covered * math.log(3 + max(abs(point.mean) for point in self.points))


def lineages(measured: Iterable[tuple[Series, Sequence[Point]]]) -> list[Lineage]:
    """Return series in lineages, the weightiest first; those without points are left out."""
    chains: list[list[tuple[Series, Sequence[Point]]]] = []
    for series, points in sorted(
        (each for each in measured if each[1]), key=lambda each: (each[1][0].virtual_ns, each[0].id)
    ):
        for chain in chains:
            last_series, last_points = chain[-1]
            if (
                _program(series) is not None
                and _program(series) == _program(last_series)
                and last_points[-1].until_ns < points[0].virtual_ns
            ):
                chain.append((series, points))
                break
        else:
            chains.append([(series, points)])
    found = [
        Lineage(
            name=_name([series for series, _ in chain]),
            short=_program(chain[0][0]) or chain[0][0].subject,
            series=tuple(series for series, _ in chain),
            points=tuple(point for _, points in chain for point in points),
        )
        for chain in chains
    ]
    return sorted(found, key=lambda lineage: -lineage.weight)


def _program(series: Series) -> str | None:
    match = _PROCESS.match(series.subject)
    return match["name"] if match else None


def _name(chain: Sequence[Series]) -> str:
    if len(chain) == 1:
        return chain[0].subject
    return f"{_program(chain[0])}, {len(chain)} processes in turn"

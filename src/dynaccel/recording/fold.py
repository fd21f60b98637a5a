# SPDX-License-Identifier: GPL-2.0-or-later
"""How the points of a series become fewer: neighbours merge, older ones first, pure."""

from __future__ import annotations

from typing import NamedTuple


class Folded(NamedTuple):
    """A row of the table ``point``; fields as of :class:`~dynaccel.recording.records.Point`.

    ``number`` is its ``count``, which a tuple has for something else.
    """

    tick: int
    virtual_ns: int
    realtime_ns: int
    real_ns: int
    until_ns: int
    level: int
    number: int
    min: float
    max: float
    mean: float
    last: float


def merge(first: Folded, second: Folded) -> Folded:
    """Return two neighbouring points as one."""
    number = first.number + second.number
    return Folded(
        first.tick,
        first.virtual_ns,
        first.realtime_ns,
        first.real_ns,
        second.until_ns,
        max(first.level, second.level) + (first.level == second.level),
        number,
        min(first.min, second.min),
        max(first.max, second.max),
        # Weighted so that the mean of two equal values is that value, exactly.
        first.mean + (second.mean - first.mean) * (second.number / number),
        second.last,
    )


def thin(points: list[Folded], *, target: int, recent: int) -> list[Folded]:
    """Return ``points`` as at most ``target``, in order.

    Neighbours of the same level merge, the lowest level and there the oldest first: what is far
    back becomes evenly coarse, by at most a factor of two, while the newest stay as they are.

    Args:
        points: In order of time.
        target: How many may stay; above ``recent``.
        recent: How many of the newest are left whole.
    """
    split = max(len(points) - recent, 0)
    old, new = points[:split], points[split:]
    goal = max(target - len(new), 1)
    while len(old) > goal:
        old = _pass(old, len(old) - goal)
    return old + new


def _pass(points: list[Folded], spare: int) -> list[Folded]:
    """Merge those of the lowest level with their neighbours, at most ``spare`` times."""
    lowest = min(point.level for point in points)
    merged: list[Folded] = []
    index = 0
    while index < len(points):
        point = points[index]
        following = points[index + 1] if index + 1 < len(points) else None
        index += 1
        if not spare or point.level != lowest:
            merged.append(point)
        elif following is not None and (following.level == lowest or not merged):
            merged.append(merge(point, following))
            index += 1
            spare -= 1
        else:
            # One that none of its level is left for joins the coarser one before it.
            merged[-1] = merge(merged[-1], point)
            spare -= 1
    return merged

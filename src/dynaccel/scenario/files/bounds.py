# SPDX-License-Identifier: GPL-2.0-or-later
"""Bounds of checks: numbers, or sizes and durations where the metric is one."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from dynaccel.scenario.files.parse import parse_duration, parse_size
from dynaccel.scenario.metrics import Unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from dynaccel.scenario.metrics import Metric

_PER = " per "


def split_per(bound: float | str) -> tuple[float | str, timedelta | None]:
    """Return a bound without its ``per TIME``, and that time; None when it names none.

    Raises:
        ValueError: What follows ``per`` is no duration.
    """
    if not isinstance(bound, str) or _PER not in bound:
        return bound, None
    amount, _, per = bound.partition(_PER)
    return amount.strip(), parse_duration(per)


def parse_bound(bound: float | str, metric: Metric | None) -> float:
    """Return a bound as a number of what the metric is counted in.

    Args:
        bound: As it stands in a file, without ``per``.
        metric: What it is of; None: of a number of times.

    Raises:
        ValueError: It is no such number; says what to write.
    """
    if not isinstance(bound, str):
        return float(bound)
    with suppress(ValueError):
        number = float(bound)
        if math.isfinite(number):
            return number
    if metric is None:
        raise ValueError(f"{bound!r} is not a number of times: write a number, without quotes")
    return float(_READERS[metric.unit](bound))


def _size(bound: str) -> float:
    negative, text = bound.startswith("-"), bound.removeprefix("-")
    return parse_size(text) * (-1 if negative else 1)


def _seconds(bound: str) -> float:
    negative, text = bound.startswith("-"), bound.removeprefix("-")
    return parse_duration(text).total_seconds() * (-1 if negative else 1)


def _number(bound: str) -> float:
    raise ValueError(f"{bound!r} is not a number, and the metric is a plain count: write a number")


_READERS: dict[Unit, Callable[[str], float]] = {
    Unit.BYTES: _size,
    Unit.SECONDS: _seconds,
    Unit.COUNT: _number,
}

# SPDX-License-Identifier: GPL-2.0-or-later
"""Axes: where their ticks are and what stands at them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.scenario.report import figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_SECOND = 1_000_000_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_PLAIN_STEPS = (
    1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE,
    30 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY,
    14 * _DAY,
)  # fmt: skip
"""Seconds between ticks of dates, below months."""
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_MONTH = 30.44 * _DAY
_NOTHING = 1e-6
"""What is smaller is zero."""
_WHOLE = 4
"""Counts are shown over at least so many, with whole numbers at the ticks."""
_LOG_SPAN = 20
"""A ratio that changes by more than this is shown on a logarithmic axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis, from 0 (low) to 1 (high), and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis.

    Attributes:
        low, high: Its ends, in the unit of what is shown.
        ticks: In order.
        logarithmic: Whether equal factors are equally far apart.
    """

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where ``value`` lies, 0 at the low end and 1 at the high one."""
        if self.logarithmic:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def percent(self, value: float) -> float:
        """Return :meth:`place` in percent, within the axis, as style sheets have it."""
        return round(100 * min(1.0, max(0.0, self.place(value))), 3)


def number_axis(low: float, high: float, unit: str = "", *, most: int = 5) -> Axis:
    """Return an axis for numbers from ``low`` to ``high``.

    It starts at zero unless that would flatten what is to be seen; its ends are ticks.
    """
    if max(abs(low), abs(high)) < _NOTHING:
        low = high = 0.0
    if low == high:
        # One value: on an axis from zero, with room beyond it.
        beyond = max(0.25 * abs(low), 1.0 if unit == "" else 0.0)
        low, high = (low - beyond, 0.0) if low < 0 else (0.0, high + beyond)
    elif 0 <= low <= high / 2 or 2 * low <= high <= 0:
        low, high = min(low, 0.0), max(high, 0.0)
    # Numbers that hardly differ are not blown up to the full height.
    least = max(abs(low), abs(high)) * 0.02 or 1.0
    if unit == "" and max(abs(low), abs(high)) >= _WHOLE and high > low:
        least = max(least, float(_WHOLE))
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    how = figures.scale(unit, max(abs(low), abs(high)))
    step = _nice((high - low) / how.factor / (most - 1)) * how.factor
    if unit == "" and high - low >= _WHOLE:
        step = math.ceil(step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    low, high = first * step, last * step
    ticks = tuple(
        Tick(at=(k - first) / (last - first), label=how.text(k * step, 4))
        for k in range(first, last + 1)
    )
    return Axis(low=low, high=high, ticks=ticks)


def ratio_axis(low: float, high: float) -> Axis:
    """Return an axis for ratios; logarithmic when they are far apart."""
    low, high = max(low, 0.001), max(high, 0.002)
    if high / low < _LOG_SPAN:
        return number_axis(min(low, 0.9 * high), high * 1.02)
    first, last = math.floor(math.log10(low) + 0.05), math.ceil(math.log10(high) - 0.08)
    axis = Axis(low=10.0**first * 0.8, high=10.0**last * 1.25, ticks=(), logarithmic=True)
    values = [10.0**power for power in range(first, last + 1)]
    ticks = tuple(Tick(at=axis.place(value), label=figures.significant(value)) for value in values)
    return Axis(low=axis.low, high=axis.high, ticks=ticks, logarithmic=True)


def date_axis(low_ns: int, high_ns: int, epoch_ns: int, *, most: int = 6) -> Axis:
    """Return an axis of virtual times with dates as labels.

    Args:
        low_ns: Its low end, virtual.
        high_ns: Its high end.
        epoch_ns: The date (ns since 1970) of virtual time 0.
        most: About how many ticks there is room for.
    """
    high_ns = max(high_ns, low_ns + _SECOND)
    span = (high_ns - low_ns) / _SECOND
    begin, end = _date(epoch_ns + low_ns), _date(epoch_ns + high_ns)
    step = next((s for s in _PLAIN_STEPS if span / s <= most), None)
    if step is not None:
        dates = list(_by_seconds(begin, end, step))
    else:
        months = next((m for m in _MONTH_STEPS if span / (m * _MONTH) <= most), _MONTH_STEPS[-1])
        dates = list(_by_months(begin, end, months))
    # A run that begins milliseconds after midnight begins at midnight.
    near = (high_ns - low_ns) / 300
    dates = [
        date
        for date in dates
        if -near <= _stamp(date) - epoch_ns - low_ns <= high_ns - low_ns + near
    ]
    labels = _date_labels(dates, step)
    places = [(_stamp(date) - epoch_ns - low_ns) / (high_ns - low_ns) for date in dates]
    ticks = tuple(
        Tick(at=min(1.0, max(0.0, at)), label=label)
        for at, label in zip(places, labels, strict=True)
    )
    return Axis(low=low_ns, high=high_ns, ticks=ticks)


def duration_axis(high_ns: int, *, most: int = 6) -> Axis:
    """Return an axis of real durations from 0 on."""
    high_ns = max(high_ns, _SECOND)
    span = high_ns / _SECOND
    step = next((s for s in _PLAIN_STEPS if span / s <= most), None)
    if step is None:
        step = math.ceil(span / most / (7 * _DAY)) * 7 * _DAY
    unit, name = next(
        (u, n) for u, n in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")) if step >= u
    )
    ticks = tuple(
        Tick(
            at=k * step / span, label=f"{figures.significant(k * step / unit)}{figures.THIN}{name}"
        )
        for k in range(int(span // step) + 1)
    )
    return Axis(low=0, high=high_ns, ticks=ticks)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(k for k in _STEPS if k * power >= step * 0.999999) * power


def _date(realtime_ns: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=realtime_ns // 1000)


def _stamp(date: datetime) -> int:
    return (date - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _by_seconds(begin: datetime, end: datetime, step: int) -> Iterator[datetime]:
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (begin - midnight).total_seconds()
    date = midnight + timedelta(seconds=passed // step * step)
    while date <= end + timedelta(seconds=step):
        yield date
        date += timedelta(seconds=step)


def _by_months(begin: datetime, end: datetime, step: int) -> Iterator[datetime]:
    months = (begin.year * 12 + begin.month - 1) // step * step
    while True:
        date = datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
        yield date
        if date > end:
            return
        months += step


def _date_labels(dates: Iterable[datetime], step: int | None) -> Iterator[str]:
    """Return a label for each; its second line says the rest of the date where that changed."""
    before: datetime | None = None
    for date in dates:
        new_year = before is None or date.year != before.year
        new_day = before is None or date.date() != before.date()
        if step is None:
            yield f"{date:%b}\n{date.year}" if new_year else f"{date:%b}"
        elif step >= _DAY:
            yield f"{date.day} {date:%b}\n{date.year}" if new_year else f"{date.day} {date:%b}"
        else:
            clock = f"{date:%H:%M}" if step >= _MINUTE else f"{date:%H:%M:%S}"
            yield f"{clock}\n{date.day} {date:%b %Y}" if new_day else clock
        before = date

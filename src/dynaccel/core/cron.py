# SPDX-License-Identifier: GPL-2.0-or-later
"""The five fields of cron(8), reckoned in UTC: when they are due, and how often in a span.

As Debian's cron has them: lists, ranges, steps, names of months and weekdays; 7 is Sunday; where
both the day of the month and that of the week are given (neither begins with ``*``), either makes a
day due. No ``@daily`` and its like; no ``L``, ``W``, ``#`` or ``?``, which other crons have.
``guest/conductor/cron.c`` reckons the same in the guest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: Sequence[str] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS),
)
_SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d{1,2}))?")
_SUNDAY = 7
_YEARS = 45
"""Longer than from a 29th of February to the next on the same weekday, wherever they are."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """Five fields, read; made by :func:`parse_cron`.

    Attributes:
        minutes, hours, days, months, weekdays: What is due; Sunday is 0.
        either_day: Whether the day of the month or that of the week is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Seconds of a due day at which it is due."""
        return tuple(
            hour * 3600 + minute * 60
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
        )

    def on_day(self, day: date) -> bool:
        """Return whether anything is due on that day."""
        if day.month not in self.months:
            return False
        of_month = day.day in self.days
        of_week = day.isoweekday() % 7 in self.weekdays
        return (of_month or of_week) if self.either_day else (of_month and of_week)

    def count(self, begin: datetime, end: datetime) -> int:
        """Return how often it is due from ``begin`` (with it) to ``end`` (without it).

        A span of years takes a step a day, not one each time.
        """
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
        if end <= begin:
            return 0
        return sum(self._before(day, end) - self._before(day, begin) for day in _days(begin, end))

    def after(self, moment: datetime) -> datetime | None:
        """Return when it is due next, later than ``moment``; None when it never is.

        Never is, for example, the 30th of February.
        """
        moment = moment.astimezone(UTC)
        for day in _days(moment, moment + timedelta(days=_YEARS * 366)):
            if self.on_day(day):
                midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
                for seconds in self.times:
                    due = midnight + timedelta(seconds=seconds)
                    if due > moment:
                        return due
        return None

    def _before(self, day: date, moment: datetime) -> int:
        """Return how often it is due on ``day`` before ``moment``."""
        if not self.on_day(day):
            return 0
        seconds = (moment - datetime(day.year, day.month, day.day, tzinfo=UTC)).total_seconds()
        return sum(time < seconds for time in self.times) if seconds < 86400 else len(self.times)  # noqa: PLR2004


def parse_cron(text: str) -> Cron:
    """Return what five fields of cron(8) say.

    Raises:
        UserError: They are none, or it is never due.
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise _mistake(text, f"it has {len(words)} fields, not {len(_FIELDS)}")
    sets = [_values(text, word, field) for word, field in zip(words, _FIELDS, strict=True)]
    cron = Cron(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=frozenset(day % _SUNDAY for day in sets[4]),
        either_day=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if cron.after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise _mistake(text, "no such day ever comes")
    return cron


def five_fields(text: str) -> str:
    """Return the five fields of what may be one of ``@daily`` and its like."""
    return _SHORT.get(text.strip().lower(), " ".join(text.split()))


def _values(text: str, word: str, field: _Field) -> frozenset[int]:
    values: set[int] = set()
    for item in word.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise _mistake(text, f"{item!r} is no {field.name}")
        if found["all"]:
            first, last = field.low, field.high
        else:
            first = last = _number(text, found["low"], field)
            if found["high"]:
                last = _number(text, found["high"], field)
            elif found["step"]:
                better = f"{first}-{field.high}/{found['step']}"
                raise _mistake(text, f"{item!r} has a step but no range; write {better}")
        step = int(found["step"] or 1)
        if first > last:
            raise _mistake(text, f"the range {item!r} goes backwards")
        if not step:
            raise _mistake(text, f"{item!r} has a step of zero")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, word: str, field: _Field) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.low
    if not word.isascii() or not word.isdigit() or not field.low <= int(word) <= field.high:
        raise _mistake(text, f"{word!r} is no {field.name}, {field.low} to {field.high}")
    return int(word)


def _days(begin: datetime, end: datetime) -> Iterator[date]:
    day = begin.date()
    while day <= end.date():
        yield day
        day += timedelta(days=1)


def _mistake(text: str, why: str) -> UserError:
    return UserError(
        f"{text!r} is no time of cron: {why}",
        hint="write minute, hour, day of the month, month, weekday: '30 3 * * *'",
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""When cron is due, against a reckoning minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaccel.core.cron import parse_cron
from dynaccel.core.errors import UserError

MINUTE = timedelta(minutes=1)


def date(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("* * * * *", "2026-01-01T00:00", "2026-01-01T00:01"),
        ("*/10 * * * *", "2026-01-01T00:59:59", "2026-01-01T01:00"),
        ("30 3 * * *", "2026-01-01T03:30", "2026-01-02T03:30"),
        ("0 0 1 * *", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00", "2026-03-31T00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00", "2104-02-29T00:00"),
        ("59 23 31 dec *", "2038-01-19T03:14:08", "2038-12-31T23:59"),
        ("0 12 * * mon-fri", "2026-01-02T12:00", "2026-01-05T12:00"),
        ("0 12 * * 7", "2026-01-02T12:00", "2026-01-04T12:00"),
        ("0 12 * * 0", "2026-01-02T12:00", "2026-01-04T12:00"),
        ("5-20/5,40 4 * * *", "2026-01-01T04:20", "2026-01-01T04:40"),
        # Either the day of the month or that of the week.
        ("0 0 13 * fri", "2026-01-02T00:00", "2026-01-09T00:00"),
        ("0 0 13 * fri", "2026-01-09T00:00", "2026-01-13T00:00"),
        # Both, when one begins with a star, as Debian's cron has it.
        ("0 0 */2 * fri", "2026-01-01T00:00", "2026-01-09T00:00"),
        ("0 0 13 * */5", "2026-01-01T00:00", "2026-02-13T00:00"),
    ],
)
def test_when_it_is_due_next(text: str, after: str, due: str) -> None:
    assert parse_cron(text).after(date(after)) == date(due)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "it has 4 fields, not 5"),
        ("@daily", "it has 1 fields, not 5"),
        ("60 * * * *", "'60' is no minute, 0 to 59"),
        ("* 24 * * *", "'24' is no hour, 0 to 23"),
        ("* * 0 * *", "'0' is no day of the month, 1 to 31"),
        ("* * * 13 *", "'13' is no month, 1 to 12"),
        ("* * * * 8", "'8' is no day of the week, 0 to 7"),
        ("* * * * monday", "'monday' is no day of the week"),
        ("* * * mon *", "'mon' is no month"),
        ("5/15 * * * *", "has a step but no range; write 5-59/15"),
        ("*/0 * * * *", "has a step of zero"),
        ("9-5 * * * *", "goes backwards"),
        ("1,,2 * * * *", "'' is no minute"),
        ("-1 * * * *", "'-1' is no minute"),
        ("0 0 30 2 *", "no such day ever comes"),
        ("0 0 31 4,6 *", "no such day ever comes"),
        ("0 0 L * *", "'L' is no day of the month"),
        ("\u0663 * * * *", "is no minute"),
    ],
)
def test_what_is_none_is_told(text: str, why: str) -> None:
    with pytest.raises(UserError, match="no time of cron") as raised:
        parse_cron(text)
    assert why in raised.value.message
    assert raised.value.hint is not None


@st.composite
def fields(draw: st.DrawFn) -> str:
    def one(low: int, high: int) -> str:
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 9))
        return draw(
            st.sampled_from(
                ["*", f"*/{step}", f"{first}", f"{first}-{last}/{step}", f"{first},{last}"]
            )
        )

    return " ".join([one(0, 59), one(0, 23), one(1, 28), one(1, 12), one(0, 7)])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=fields(), start=st.integers(0, 10**6), minutes=st.integers(0, 4000))
def test_counting_is_what_one_by_one_gives(text: str, start: int, minutes: int) -> None:
    cron = parse_cron(text)
    begin = date("2027-12-01T00:00") + timedelta(seconds=start * 7)
    end = begin + timedelta(minutes=minutes, seconds=start % 60)
    due = 0
    moment = cron.after(begin - timedelta(seconds=1))
    while moment is not None and moment < end:
        assert moment.minute in cron.minutes
        assert moment.hour in cron.hours
        due += 1
        moment = cron.after(moment)
    assert cron.count(begin, end) == due


def test_ten_years_are_counted() -> None:
    begin = date("2026-01-01")
    assert parse_cron("*/10 * * * *").count(begin, begin + timedelta(days=3650)) == 525_600
    assert parse_cron("0 3 * * *").count(begin, date("2026-01-01T03:00")) == 0
    assert parse_cron("0 3 * * *").count(begin, date("2026-01-01T03:00:01")) == 1
    assert parse_cron("0 3 * * *").count(begin, begin) == 0
    assert parse_cron("0 3 * * *").count(begin, begin - timedelta(days=2)) == 0


def test_dates_of_other_zones_are_reckoned_in_utc() -> None:
    zone = timezone(timedelta(hours=5))
    after = datetime(2026, 1, 1, 4, 0, tzinfo=zone)
    assert parse_cron("0 0 * * *").after(after) == date("2026-01-01T00:00")

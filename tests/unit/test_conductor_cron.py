# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's reckoning of cron's five fields, against one that looks at each minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conductor_lab import FLAGS, GUEST, SANITIZE

from dynaccel.host import process

HERE = Path(__file__).resolve().parent
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOWEST = (0, 0, 1, 1, 0)
HIGHEST = (59, 23, 31, 12, 7)
NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: i + 1 for i, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    )},
    {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
)  # fmt: skip


@pytest.fixture(scope="module")
def cron(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("cron") / "cron"
    sources = [HERE / "conductor_cron.c", GUEST / "conductor" / "cron.c"]
    process.run(["gcc", *FLAGS, *SANITIZE, "-o", program, *sources])
    return program


def minutes(when: datetime) -> int:
    return (when - EPOCH) // timedelta(minutes=1)


def ask(cron: Path, *questions: tuple[datetime, int, str]) -> list[str]:
    text = "".join(f"{minutes(when)} {count} {fields}\n" for when, count, fields in questions)
    return process.run([cron], stdin=text.encode()).stdout.decode().splitlines()


def following(cron: Path, when: datetime, count: int, fields: str) -> list[datetime]:
    [line] = ask(cron, (when, count, fields))
    return [EPOCH + timedelta(minutes=int(word)) for word in line.split()[1:] if word != "-1"]


def numbers(field: str, place: int) -> set[int]:
    """The plain reading of one field."""

    def number(text: str) -> int:
        return NAMES[place][text] if text in NAMES[place] else int(text)

    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span == "*":
            first, last = LOWEST[place], HIGHEST[place]
        else:
            first = number(low)
            last = number(high) if dash else first
        found |= set(range(first, last + 1, int(step or 1)))
    return {7 % 7 if place == 4 and one == 7 else one for one in found}


def expected(when: datetime, count: int, text: str, limit_days: int) -> list[datetime]:
    """Look at each minute, one after the other."""
    fields = text.split()
    sets = [numbers(field, place) for place, field in enumerate(fields)]
    found: list[datetime] = []
    day = when.replace(hour=0, minute=0)
    for _ in range(limit_days):
        by_day = day.day in sets[2]
        by_weekday = day.isoweekday() % 7 in sets[4]
        starred = "*" in {fields[2][0], fields[4][0]}
        right = (by_day and by_weekday) if starred else (by_day or by_weekday)
        if day.month in sets[3] and right:
            for hour in sorted(sets[1]):
                for minute in sorted(sets[0]):
                    at = day.replace(hour=hour, minute=minute)
                    if at > when:
                        found.append(at)
                    if len(found) == count:
                        return found
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize(
    "fields",
    [
        "* * * * *",
        "*/7 * * * *",
        "0 0 31 * *",
        "30 4 29 2 *",
        "0 12 28-31 * *",
        "15,45 8-18/2 * * 1-5",
        "0 0 13 * 5",
        "0 0 */10 * 1",
        "0 0 1 * */2",
        "5 4 * jan-mar,DEC sun",
        "0 0 * * 7",
        "0 0 * * 5-7",
        "59 23 31 12 *",
        "0-59/13 0-23/5 1,15 1-12/3 0",
    ],
)
@pytest.mark.parametrize(
    "when",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, tzinfo=UTC),
        datetime(2099, 2, 28, 12, 0, tzinfo=UTC),
    ],
    ids=str,
)
def test_next_times_are_those_of_a_calendar(cron: Path, fields: str, when: datetime) -> None:
    assert following(cron, when, 12, fields) == expected(when, 12, fields, 366 * 60)


def random_field(source: random.Random, place: int) -> str:
    low, high = LOWEST[place], HIGHEST[place]

    def part() -> str:
        first = source.randint(low, high)
        span = source.choice(["*", str(first), f"{first}-{source.randint(first, high)}"])
        step = f"/{source.randint(1, 9)}" if "-" in span or span == "*" else ""
        return span + (step if source.random() < 0.5 else "")

    return ",".join(part() for _ in range(source.choice([1, 1, 1, 2, 3])))


def test_any_fields_agree_with_the_plain_reading(cron: Path) -> None:
    source = random.Random(7)  # noqa: S311
    questions = []
    for _ in range(300):
        when = EPOCH + timedelta(minutes=source.randrange(130 * 365 * 1440))
        fields = " ".join(random_field(source, place) for place in range(5))
        questions.append((when, 5, fields))
    answers = ask(cron, *questions)
    for (when, count, fields), answer in zip(questions, answers, strict=True):
        wanted = expected(when, count, fields, 366 * 3)
        got = [EPOCH + timedelta(minutes=int(word)) for word in answer.split()[1:] if word != "-1"]
        assert got[: len(wanted)] == wanted, (when, fields)


def test_what_never_comes_is_told(cron: Path) -> None:
    assert following(cron, datetime(2026, 1, 1, tzinfo=UTC), 1, "0 0 31 2,4,6,9,11 *") == []


@pytest.mark.parametrize(
    ("fields", "wild"), [("* 1 * * *", "1"), ("1 */2 * * *", "1"), ("1 2 * * *", "0")]
)
def test_fixed_times_are_told_from_others(cron: Path, fields: str, wild: str) -> None:
    assert ask(cron, (EPOCH, 1, fields))[0][0] == wild


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ("", "minute"),
        ("60 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1- * * * *", "minute"),
        ("5-3 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("5/10 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * 32 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * foo *", "month"),
        ("* * * * 8", "day of the week"),
        ("* * * * mon,", "day of the week"),
        ("* * * *", "month"),
        ("* * * * * *", "day of the week"),
        ("@daily", "minute"),
    ],
)
def test_what_makes_no_sense_is_refused(cron: Path, fields: str, place: str) -> None:
    [answer] = ask(cron, (EPOCH, 1, fields))
    assert answer.startswith(f"wrong has an impossible {place} in cron: ")

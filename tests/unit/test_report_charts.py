# SPDX-License-Identifier: GPL-2.0-or-later
"""What the report's charts are made of: axes, numbers in words, lines, lineages, ratios."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaccel.recording.records import (
    DAY_NS,
    NS,
    ClockPair,
    Phase,
    Point,
    RatioChange,
    Series,
    Stamp,
)
from dynaccel.scenario.report import axes, chart, figures, metrics, pace, strokes
from dynaccel.scenario.report.lineage import lineages
from dynaccel.scenario.report.span import Span, day, moment

HOUR_NS = 3600 * NS
THIN, MINUS = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}"
UNITS = ("", figures.BYTES, figures.SECONDS, figures.PERCENT)


def stamp_of(date: str) -> int:
    return round(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * NS


def point(hour: float, value: float, *, count: int = 1, spread: float = 0.0) -> Point:
    at = round(hour * HOUR_NS)
    return Point(at, at, at, at, 0, count, value - spread, value + spread, value, value)


def thinned(points: list[Point]) -> list[strokes.Column]:
    """Return points of a year in columns."""
    return strokes.thin(points, 365 * DAY_NS, strokes.column_ns(365 * DAY_NS))


def pairs(*legs: tuple[int, int, float]) -> list[ClockPair]:
    """Return pairs of clocks: so many seconds at a ratio, of which a share is reached."""
    virtual, real = 0.0, 0
    found = []
    for seconds, ratio, reached in legs:
        at = Stamp(round(virtual * NS), round(virtual * NS), real * NS)
        found.append(ClockPair(stamp=at, ratio=ratio))
        for _ in range(seconds):
            real += 1
            virtual += ratio * reached
            at = Stamp(round(virtual * NS), round(virtual * NS), real * NS)
            found.append(ClockPair(stamp=at, ratio=ratio))
    return found


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "", "0"),
        (7, "", "7"),
        (9999, "", f"9{THIN}999"),
        (12_345, "", f"12.3{THIN}k"),
        (0.001234, "", "0.00123"),
        (-5.5, "", f"{MINUS}5.5"),
        (512, figures.BYTES, f"512{THIN}B"),
        (1536, figures.BYTES, f"1.5{THIN}KiB"),
        (1 << 40, figures.BYTES, f"1{THIN}TiB"),
        (-3 << 20, figures.BYTES, f"{MINUS}3{THIN}MiB"),
        (90, figures.SECONDS, f"90{THIN}s"),
        (7200, figures.SECONDS, f"2{THIN}h"),
        (99.94, figures.PERCENT, f"99.9{THIN}%"),
        (math.nan, "", "?"),
    ],
)
def test_numbers_in_words(value: float, unit: str, text: str) -> None:
    assert figures.number(value, unit) == text


def test_a_growth_has_its_sign_and_a_count_its_groups() -> None:
    assert figures.change(2.0) == "+2"
    assert figures.change(-2.0) == f"{MINUS}2"
    assert figures.count(1_234_567) == f"1{THIN}234{THIN}567"


@given(
    a=st.floats(-1e15, 1e15), b=st.floats(-1e15, 1e15), unit=st.sampled_from(UNITS)
)  # fmt: skip
def test_an_axis_of_numbers_holds_them_between_few_ticks(a: float, b: float, unit: str) -> None:
    low, high = sorted((a, b))
    axis = axes.number_axis(low, high, unit)
    slack = (axis.high - axis.low) * 1e-6
    assert axis.low - slack <= low <= high <= axis.high + slack
    places = [tick.at for tick in axis.ticks]
    assert places[0] == 0
    assert places[-1] == 1
    assert places == sorted(places)
    assert 2 <= len(places) <= 9
    labels = [tick.label for tick in axis.ticks]
    assert len(set(labels)) == len(labels)


def test_an_axis_starts_at_zero_unless_that_would_hide_what_is_to_be_seen() -> None:
    assert axes.number_axis(10, 90).low == 0
    assert axes.number_axis(900, 1000).low == 900
    constant = axes.number_axis(3, 3)
    assert (constant.low, constant.place(3) < 1) == (0, True)
    # Noise of a thousandth does not fill the chart.
    hardly = axes.number_axis(1000.0, 1001.0)
    assert hardly.place(1001) - hardly.place(1000) < 0.1


def test_ratios_that_are_far_apart_are_logarithmic() -> None:
    assert not axes.ratio_axis(900, 1000).logarithmic
    axis = axes.ratio_axis(1, 1000)
    assert axis.logarithmic
    assert [tick.label for tick in axis.ticks] == ["1", "10", "100", f"1{THIN}000"]
    assert axis.place(100) - axis.place(10) == pytest.approx(axis.place(10) - axis.place(1))


@pytest.mark.parametrize(
    ("begin", "length_ns", "labels"),
    [
        ("2026-01-01", 365 * DAY_NS, ["Jan\n2026", "Apr", "Jul", "Oct", "Jan\n2027"]),
        ("2026-12-30", 4 * DAY_NS, ["30 Dec\n2026", "31 Dec", "1 Jan\n2027", "2 Jan", "3 Jan"]),
        ("2038-01-19T03:00", 900 * NS, ["03:00\n19 Jan 2038", "03:05", "03:10", "03:15"]),
        ("2026-01-01", 7 * NS, ["00:00:00\n1 Jan 2026", "00:00:02", "00:00:04", "00:00:06"]),
        ("2026-06-01", 6000 * DAY_NS, ["Jan\n2030", "Jan\n2035", "Jan\n2040"]),
    ],
)  # fmt: skip
def test_an_axis_of_dates_says_what_changes(begin: str, length_ns: int, labels: list[str]) -> None:
    axis = axes.date_axis(0, length_ns, stamp_of(begin), most=5)
    assert [tick.label for tick in axis.ticks] == labels
    assert all(0 <= tick.at <= 1 for tick in axis.ticks)


@given(st.integers(1, 20 * 366 * DAY_NS), st.integers(0, stamp_of("2200-01-01")))
def test_an_axis_of_dates_has_few_ticks_in_order(length_ns: int, epoch_ns: int) -> None:
    axis = axes.date_axis(0, length_ns, epoch_ns)
    places = [tick.at for tick in axis.ticks]
    assert len(places) <= 7
    assert all(0 <= a < b <= 1 for a, b in pairwise(places))


def test_a_run_that_begins_just_after_midnight_has_its_date_there() -> None:
    axis = axes.date_axis(0, 8 * HOUR_NS, stamp_of("2038-01-18") + NS // 2)
    assert (axis.ticks[0].at, axis.ticks[0].label) == (0, "00:00\n18 Jan 2038")


def test_durations_have_an_axis_too() -> None:
    labels = [tick.label for tick in axes.duration_axis(9 * HOUR_NS).ticks]
    assert labels == [f"{hours}{THIN}h" for hours in (0, 2, 4, 6, 8)]
    assert len(axes.duration_axis(400 * DAY_NS).ticks) <= 7


def test_labels_do_not_cover_each_other() -> None:
    x = axes.date_axis(0, 365 * DAY_NS, stamp_of("2026-01-01"), most=12)
    drawn = chart.Chart(
        id="c",
        title="",
        label="",
        x=x,
        y=axes.number_axis(0, 1),
        x_ends=(0, 1),
        epoch=0,
        strokes=(),
    )
    assert 3 <= len(drawn.labels) < len(x.ticks)
    assert not any(label.spare for label in drawn.labels)


def test_a_line_can_be_read_back() -> None:
    places = [(0.0, 0.5), (0.25, 1.0), (0.5, 0.0), (1.0, 0.123)]
    path = strokes.path(places)
    numbers = list(map(int, re.findall(r"-?\d+", path)))
    x = y = 0
    back = []
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        x, y = x + dx, y + dy
        back.append((x / strokes.WIDTH, 1 - y / strokes.HEIGHT))
    assert back == [pytest.approx(place, abs=1e-4) for place in places]


def test_a_single_value_is_drawn_and_none_is_not() -> None:
    assert re.fullmatch(r"M\d+ \d+l10 0", strokes.path([(0.5, 0.5)]))
    assert strokes.path([]) == ""


def test_a_rare_peak_is_not_thinned_away() -> None:
    points = [point(hour, 1.0) for hour in range(8760)]
    points[4321] = point(4321, 99.0)
    columns = thinned(points)
    assert len(columns) <= strokes.COLUMNS + 1
    assert max(column.high for column in columns) == 99
    assert strokes.band(columns, lambda value: value / 100)
    assert all(0 <= a.at < b.at <= 1 for a, b in pairwise(columns))


def test_what_varies_by_the_day_shows_no_waves() -> None:
    points = [point(hour, math.sin(hour / 24 * math.tau)) for hour in range(8760)]
    means = [column.mean for column in thinned(points)]
    assert max(map(abs, means[:-1])) < 1e-9


def test_merged_points_count_as_often_as_they_stand_for() -> None:
    columns = thinned([point(0, 10.0, count=3, spread=4), point(0.001, 2.0)])
    assert [(c.low, c.high, c.mean) for c in columns] == [(2.0, 14.0, 8.0)]


def test_a_service_that_was_started_anew_is_one_line() -> None:
    def process(number: int, pid: int, hours: range) -> tuple[Series, list[Point]]:
        series = Series(id=number, sample="s", subject=f"nginx[{pid}]", metric="rss", unit="bytes")
        return series, [point(hour, 1.0) for hour in hours]

    found = lineages(
        [process(1, 10, range(100)), process(2, 11, range(100)), process(3, 40, range(101, 300)),
         process(4, 41, range(0))]
    )  # fmt: skip
    assert [lineage.name for lineage in found] == ["nginx, 2 processes in turn", "nginx[11]"]
    assert len(found[0].points) == 299


def test_what_is_no_process_is_never_joined() -> None:
    def path(number: int, name: str, hour: int) -> tuple[Series, list[Point]]:
        return Series(id=number, sample="s", subject=name, metric="used", unit="bytes"), [
            point(hour, 1.0)
        ]

    assert len(lineages([path(1, "/a", 1), path(2, "/b", 2)])) == 2


def test_the_ratio_is_reckoned_at_one_ratio_at_a_time() -> None:
    found = pace.stretches(pairs((600, 10, 1.0), (600, 1000, 0.98)))
    assert {stretch.wanted for stretch in found} == {10, 1000}
    for stretch in found:
        assert stretch.reached == pytest.approx({10: 10, 1000: 980}[stretch.wanted])
    assert sum(stretch.real_ns for stretch in found) == 1200 * NS


def test_the_ratio_of_a_run_and_of_a_phase() -> None:
    both = pairs((100, 10, 1.0), (300, 1000, 0.99))
    reached = pace.reached(both)
    assert reached == pytest.approx((298_000 / 400, 301_000 / 400), rel=0.01)
    phase = Phase(index=1, name="fast", ratio=1000, begun=both[100].stamp, ended=both[-1].stamp)
    assert pace.of_phase(phase, both[100:]) == pytest.approx((990, 1000), rel=0.01)
    assert pace.reached(both[:1]) is None
    assert pace.stretches([]) == []


def test_a_change_between_two_pairs_is_where_it_was() -> None:
    slow, fast = Stamp(0, 0, 0), Stamp(600 * NS, 600 * NS, 60 * NS)
    end = Stamp(60_600 * NS, 60_600 * NS, 120 * NS)
    told = [ClockPair(stamp=slow, ratio=10), ClockPair(stamp=end, ratio=1000)]
    change = RatioChange(before=10, after=1000, why="phase", stamp=fast)
    found = pace.stretches(pace.with_changes(told, [change]))
    assert [(stretch.wanted, stretch.reached) for stretch in found] == [(10, 10), (1000, 1000)]


def test_virtual_moments_have_their_real_time() -> None:
    times = pace.RealTimes(pairs((100, 10, 1.0), (100, 1000, 1.0)))
    assert times.at(-5) == 0
    assert times.at(500 * NS) == 50 * NS
    assert times.at(51_000 * NS) == 150 * NS
    assert times.at(10**18) == 200 * NS
    assert pace.RealTimes([]).at(5) == 0


def test_the_shorter_half_of_the_phases_is_shaded() -> None:
    assert chart.shades([0.0, 0.1, 0.9], [0.1, 0.9, 1.0]).count("M") == 2
    assert chart.shades([0.0], [1.0]) == ""


def test_moments_in_words() -> None:
    told = moment(Stamp(429 * DAY_NS, stamp_of("2027-03-04T02:10:09"), 11 * HOUR_NS))
    assert (told.date, told.day, told.real) == ("2027-03-04 02:10:09", "day 430", "11 h")
    assert day(-1) == "set-up"
    assert moment(Stamp(0, 1 << 62, 0)).date.startswith("2116-")
    beyond = moment(Stamp(0, 400_000 * 365 * DAY_NS, 0))
    assert beyond.date.startswith("9999-12-31")
    assert Span(virtual_ns=10, real_ns=1, epoch_ns=0).place(99) == 1


def test_metrics_of_a_users_own_come_first_and_have_a_title() -> None:
    assert metrics.title("waiting_mails") == "Waiting mails"
    assert metrics.is_first("waiting_mails")
    assert not metrics.is_first("interrupts")
    assert sorted(["slab", "rss", "mine"], key=metrics.place) == ["mine", "slab", "rss"]

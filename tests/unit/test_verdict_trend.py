# SPDX-License-Identifier: GPL-2.0-or-later
"""Leaks are found, and what is none is not called one; rates of all: benchmarks/trends.py."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import scipy
from scipy import stats

from dynaccel.core.errors import MissingError
from dynaccel.recording.fold import Folded, thin
from dynaccel.recording.records import DAY_NS, Point
from dynaccel.scenario.verdict.quantity import quantity
from dynaccel.scenario.verdict.records import Outcome, Trend
from dynaccel.scenario.verdict.slope import slope_of
from dynaccel.scenario.verdict.trend import Growth, judge_growth, need_trends
from trend_families import FAMILIES, LIMIT, MIB, PER_NS, SERIES, Family, judged, points_of

HOUR_NS = DAY_NS // 24
ROUNDS = 3


def judge(values: list[float], *, every_ns: int = HOUR_NS, limit: float = LIMIT) -> Trend:
    points = [
        Point(at, at, at, at, 0, 1, value, value, value, value)
        for at, value in zip(range(0, len(values) * every_ns, every_ns), values, strict=True)
    ]
    return judge_growth(
        SERIES, points, 0, len(values) * every_ns, Growth(limit=limit, per_ns=PER_NS)
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_family_comes_out_as_it_is(family: Family) -> None:
    wanted = Outcome.FAILED if family.leak or family.fails else Outcome.PASSED
    for seed in range(1000, 1000 + ROUNDS):
        trend = judged(family, seed)
        assert trend.outcome is wanted, trend.message
        if family.leak:
            assert trend.slope > LIMIT
            assert trend.slope_low <= trend.slope <= trend.slope_high
            assert trend.p_value < 0.01


def test_a_leak_s_figures_are_the_leak_s() -> None:
    family = next(each for each in FAMILIES if each.name == "leak of 2 MiB a month, noise 1 MiB")
    trend = judged(family, 5)
    assert trend.slope == pytest.approx(2 * MIB, rel=0.1)
    assert trend.slope_low <= 2 * MIB <= trend.slope_high
    assert trend.slope_high - trend.slope_low < MIB / 4
    assert trend.per_ns == PER_NS
    assert trend.line_begin == pytest.approx(40 * MIB, rel=0.01)
    assert trend.line_end == pytest.approx(44 * MIB, rel=0.01)
    assert trend.changes == ()
    assert "grows by +2" in trend.message
    assert "limit 1 MiB" in trend.message


def test_confidence_intervals_hold_what_they_promise() -> None:
    """95 of 100, that is; neighbours that are alike must not make them too narrow."""
    held = 0
    for name in ("leak of 2 MiB a month, noise 1 MiB",
                 "leak of 2 MiB a month, remembers for 6 h, 1 MiB"):  # fmt: skip
        family = next(each for each in FAMILIES if each.name == name)
        for seed in range(40):
            trend = judged(family, seed)
            held += trend.slope_low <= 2 * MIB <= trend.slope_high
    assert held >= 72


def test_a_step_is_told_where_it_is() -> None:
    values = [MIB * (10 + 30 * (hour >= 700)) for hour in range(1440)]
    trend = judge(values)
    assert trend.outcome is Outcome.FAILED
    (change,) = trend.changes
    assert change.kind == "step"
    assert change.size == pytest.approx(30 * MIB, rel=0.05)
    assert abs(change.virtual_ns - 700 * HOUR_NS) <= DAY_NS
    assert "in steps, no steady growth" in trend.message
    # The same against a limit that has room for it: 2 * 16 MiB in this window.
    assert judge(values, limit=16 * MIB).outcome is Outcome.PASSED


def test_a_growth_that_begins_late_is_told_where_it_begins() -> None:
    family = next(each for each in FAMILIES if "begins at the middle" in each.name)
    trend = judged(family, 3)
    assert trend.outcome is Outcome.FAILED
    assert abs(trend.line_begin_ns - 30 * DAY_NS) <= 4 * DAY_NS
    assert trend.slope == pytest.approx(5 * MIB, rel=0.2)


def test_merged_points_tell_the_same() -> None:
    """A recording of years has coarse points far back and fine ones lately."""
    family = next(each for each in FAMILIES if each.name == "leak of 2 MiB a month, days of 10 MiB")
    whole = points_of(family, 2)
    folded = [Folded(tick, *astuple(point)) for tick, point in enumerate(whole)]
    merged = [Point(*each[1:]) for each in thin(folded, target=900, recent=200)]
    growth = Growth(limit=LIMIT, per_ns=PER_NS)
    one, other = (judge_growth(SERIES, p, 0, 60 * DAY_NS, growth) for p in (whole, merged))
    assert one.outcome is other.outcome is Outcome.FAILED
    assert one.values == other.values
    assert other.slope == pytest.approx(one.slope, rel=0.1)


def test_slope_and_interval_are_those_of_the_library_where_values_are_independent() -> None:
    random = np.random.default_rng(11)
    values = 100 + 0.5 * np.arange(60) + random.normal(0, 3, 60)
    points = [
        Point(day * DAY_NS, 0, 0, day * DAY_NS, 0, 1, v, v, v, v) for day, v in enumerate(values)
    ]
    found = slope_of(points, 0, 60 * DAY_NS)
    assert found is not None
    assert len(found.blocks) == 60
    slope, _, low, high = stats.theilslopes(values, np.arange(60) / 60, alpha=0.95)
    assert found.slope == pytest.approx(slope)
    assert found.low == pytest.approx(low, rel=0.05)
    assert found.high == pytest.approx(high, rel=0.05)


@pytest.mark.parametrize(
    ("values", "outcome", "said"),
    [
        ([], Outcome.UNDECIDED, "no value in the window"),
        ([5e6], Outcome.UNDECIDED, "not enough data: 1 values"),
        ([1e6, 9e6, 3e6], Outcome.UNDECIDED, "not enough data: 3 values in 2 h"),
        ([1e6, 1e6 + 1000], Outcome.PASSED, "differ by no more than 1,000 B"),
        ([4096.0] * 1000, Outcome.PASSED, "always 4 KiB"),
    ],
)
def test_what_is_too_short_is_undecided_unless_it_cannot_matter(
    values: list[float], outcome: Outcome, said: str
) -> None:
    trend = judge(values)
    assert trend.outcome is outcome
    assert said in trend.message


def test_many_values_of_a_short_time_are_not_enough() -> None:
    """Twelve hours cannot tell of a month."""
    values = [1e7 + index * 1e4 for index in range(720)]
    trend = judge(values, every_ns=HOUR_NS // 60)
    assert trend.outcome is Outcome.UNDECIDED
    assert "at least 20 values and 1 d" in trend.message


def test_a_process_that_came_late_is_judged_by_its_own_time() -> None:
    points = [
        replace_time(each, 40 * DAY_NS)
        for each in points_of(FAMILIES[0], 1)
        if each.virtual_ns < 20 * DAY_NS
    ]
    trend = judge_growth(SERIES, points, 0, 60 * DAY_NS, Growth(limit=LIMIT, per_ns=PER_NS))
    assert trend.begin_ns == 40 * DAY_NS
    assert trend.outcome is Outcome.PASSED


def replace_time(point: Point, later_ns: int) -> Point:
    return replace(
        point, virtual_ns=point.virtual_ns + later_ns, until_ns=point.until_ns + later_ns
    )


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingError, match=r"scipy\.stats is not installed") as raised:
        need_trends()
    assert raised.value.hint is not None
    assert "dynaccel[report]" in raised.value.hint


def test_an_installed_package_looks_for_the_distribution_s_libraries() -> None:
    """It runs with ``-IS``, and so without them in sight."""
    home = Path(judge_growth.__code__.co_filename).parents[3]
    places = [str(Path(module.__file__ or "").parents[1]) for module in (np, scipy)]
    script = """
import site, sys
home, *places = sys.argv[1:]
sys.path.insert(0, home)
site.getsitepackages = lambda: places
from dynaccel.scenario.verdict import trend
assert "numpy" not in sys.modules
trend.need_trends()
print(sys.modules["scipy.stats"].__file__)
"""
    command = [sys.executable, "-IS", "-c", script, str(home), *places]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(places[1])
    none = subprocess.run(command[:-2], capture_output=True, text=True, check=False)
    assert "trends cannot be judged" in none.stderr


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 B"),
        (1536, "bytes", "1.5 KiB"),
        (-3 * MIB, "bytes", "-3 MiB"),
        (2.0**70, "bytes", "1,048,576 PiB"),
        (75, "seconds", "1 min 15 s"),
        (12, "count", "12"),
        (0.123456, "count", "0.123"),
        (1234567, "count", "1,234,567"),
        (float("inf"), "bytes", "infinite"),
    ],
)
def test_quantities_read_well(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
    assert quantity(abs(value), unit, signed=True).startswith("+" if value else "0")

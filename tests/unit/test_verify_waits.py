# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of waits, on records that were made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.core.errors import StageError
from dynaccel.verify.parts.retimed import CHANGES, plan_of
from dynaccel.verify.waits import (
    Base,
    Segment,
    base_of,
    judge,
    judge_median,
    round_of,
    wheel_grain,
    wheel_window_us,
)

if TYPE_CHECKING:
    from dynaccel.verify.check import Check
    from dynaccel.verify.waits import Round

TICK_NS = 4_000_000
COUNTS_PER_SECOND = 2_000_000_000
BASE = Base(late_us={"nanosleep": 300.0}, noise_us=1000.0, median_us=300.0, program_us=50_000.0)


def real_seconds(counts: int) -> float:
    return counts / COUNTS_PER_SECOND


def record(ratio: int = 100, late_us: float = 200.0, **changed: Any) -> dict[str, Any]:
    """Return a record of half a real second at a ratio, ``late_us`` real microseconds late."""
    asked_ns = 500_000_000 * ratio
    return {
        "wait": "nanosleep",
        "mechanism": "hrtimer",
        "outcome": "done",
        "why": "",
        "asked_ns": asked_ns,
        "virtual_ns": asked_ns + round(late_us * 1000 * ratio),
        "early_ns": 0,
        "tick_late_ns": 0,
        "steps": 1,
        "absolute": True,
        "begin_monotonic_ns": 7_000_000_000,
        "end_monotonic_ns": 7_000_000_000 + asked_ns + round(late_us * 1000 * ratio),
        "begin_counts": 10**12,
        "end_counts": 10**12 + round((0.5 + late_us / 1e6) * COUNTS_PER_SECOND),
        **changed,
    }


def made(*records: dict[str, Any], ratio: int = 100) -> Round:
    plan = [Segment(ratio=ratio, real_ms=500)]
    return round_of(plan, [{"tick_ns": TICK_NS}, *records], real_seconds)


def judged(*rounds: Round, base: Base = BASE) -> Check:
    return judge("waits", "nanosleep", "nanosleep", rounds, base)


def test_a_wait_on_time_holds() -> None:
    check = judged(made(record()))
    assert check.ok
    assert check.ratio == 100
    assert check.reached == pytest.approx(100)
    assert check.error == pytest.approx(0, abs=1e-6)
    assert check.late_us == pytest.approx(200)
    assert check.late_base_us == 300.0


def test_a_late_wait_falls_short() -> None:
    check = judged(made(record(late_us=1001)))
    assert not check.ok
    assert "1001 us late" in check.note


def test_a_wait_may_be_twice_as_late_as_at_ratio_1() -> None:
    base = Base(late_us={"nanosleep": 900.0}, noise_us=1000.0, median_us=0.0, program_us=0.0)
    assert judged(made(record(late_us=1790)), base=base).ok
    assert not judged(made(record(late_us=1810)), base=base).ok


def test_the_best_round_counts_for_lateness() -> None:
    assert judged(made(record(late_us=9000)), made(record(late_us=400))).ok


@pytest.mark.parametrize(
    ("rounds", "ok"),
    [
        ([[200, 400, 90_000]], True),
        ([[200, 5_000, 90_000]], False),  # twice 300 us and a tick are 4600
        ([[5_000] * 3, [4_500] * 3], True),
        ([[]], False),
    ],
)
def test_half_of_the_waits_show_what_one_hides(rounds: list[list[int]], *, ok: bool) -> None:
    all_made = [
        made(
            record(wait="a wheel", mechanism="wheel", late_us=90_000),
            *(record(wait=f"{number}", late_us=late) for number, late in enumerate(lates)),
        )
        for lates in rounds
    ]
    check = judge_median("waits", "half", all_made, BASE)
    assert check.ok is ok
    assert check.mechanism == "hrtimer"


def test_an_early_wait_counts_in_every_round() -> None:
    check = judged(made(record()), made(record(late_us=-1)), made(record()))
    assert not check.ok
    assert check.late_us == pytest.approx(-1)
    assert "early" in check.note


def test_the_least_earliness_falls_short() -> None:
    asked_ns = 500_000_000 * 100
    assert not judged(made(record(virtual_ns=asked_ns - 1))).ok
    assert judged(made(record(virtual_ns=asked_ns))).ok


def test_a_part_of_a_wait_can_be_early() -> None:
    check = judged(made(record(early_ns=5_000)))
    assert not check.ok
    assert check.late_us == pytest.approx(-0.05)


def test_a_late_tick_is_no_excuse_for_an_hrtimer() -> None:
    assert not judged(made(record(late_us=-10, tick_late_ns=10**9))).ok


@pytest.mark.parametrize("outcome", ["lost", "failed"])
def test_a_wait_that_did_not_end_well_falls_short(outcome: str) -> None:
    rounds = made(record()), made(record(outcome=outcome, why="got < 0: Bad address"))
    check = judged(*rounds)
    assert not check.ok
    assert "Bad address" in check.note
    assert check.late_us is None


def test_a_wait_that_is_not_told_of_is_lost() -> None:
    check = judged(made(record()), made())
    assert not check.ok
    assert "never came back" in check.note


def test_a_skipped_wait_tells_why() -> None:
    check = judged(made(record(outcome="skipped", why="fd >= 0: Function not implemented")))
    assert check.ok
    assert check.note == "skipped: fd >= 0: Function not implemented"
    assert check.reached is None


def test_the_counter_tells_whether_the_ratio_was_reached() -> None:
    slow = record(end_counts=10**12 + COUNTS_PER_SECOND)
    check = judged(made(slow))
    assert not check.ok
    assert check.reached == pytest.approx(50, rel=0.01)
    assert check.error == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    ("jiffies", "grain"),
    [(1, 1), (62, 1), (63, 8), (503, 8), (504, 64), (4032, 512), (32256, 4096), (258048, 32768)],
)
def test_the_grain_of_the_timer_wheel(jiffies: int, grain: int) -> None:
    assert wheel_grain(jiffies) == grain


def test_the_timer_wheel_may_round_up() -> None:
    # 50 s are 12500 jiffies, rounded up to 512 of them; the tick lags by up to 100.
    window_us = (512 + 100) * 4000 / 100
    wheel = made(record(mechanism="wheel"))
    assert wheel_window_us(wheel.waits["nanosleep"], (100,), TICK_NS) == pytest.approx(window_us)
    assert judged(made(record(mechanism="wheel", late_us=window_us + 900))).ok
    late = judged(made(record(mechanism="wheel", late_us=window_us + 1100)))
    assert not late.ok
    assert "24.5 real ms" in late.note


def test_the_timer_wheel_may_round_up_each_step() -> None:
    # Four times 12.5 s, 3125 jiffies, each rounded up to 64 of them.
    window_us = 4 * (64 + 100) * 4000 / 100
    assert judged(made(record(mechanism="wheel", steps=4, late_us=window_us + 3900))).ok
    assert not judged(made(record(mechanism="wheel", steps=4, late_us=window_us + 4100))).ok


def test_the_timer_wheel_may_not_be_early() -> None:
    check = judged(made(record(mechanism="wheel", late_us=-3000)))
    assert not check.ok
    assert "75.0 jiffies" in check.note


def test_the_timer_wheel_counts_from_a_tick_that_the_host_delayed() -> None:
    def early(tick_late_ns: int) -> Round:
        return made(record(mechanism="wheel", late_us=-3000, tick_late_ns=tick_late_ns))

    assert judged(early(300_000_000)).ok
    assert not judged(early(299_999_999)).ok


@pytest.mark.parametrize(
    ("mechanism", "ratio", "late_us", "ok"),
    [
        ("wheel", 1, -3900, True),
        ("wheel", 1, -4100, False),
        ("wheel", 2, -1, False),
        ("hrtimer", 1, -1, False),
    ],
)
def test_at_ratio_1_the_wheel_may_count_from_a_tick_that_was_late(
    mechanism: str, ratio: int, late_us: float, *, ok: bool
) -> None:
    assert judged(made(record(ratio, late_us, mechanism=mechanism), ratio=ratio)).ok is ok


def test_a_program_may_take_twice_as_long_as_at_ratio_1() -> None:
    assert judged(made(record(mechanism="program", late_us=99_000))).ok
    assert not judged(made(record(mechanism="program", late_us=101_000))).ok


def retimed(change_ns: int, **changed: Any) -> Round:
    """Return a round in which the ratio went from 10 to 100 after ``change_ns`` of the wait."""
    plan = [Segment(ratio=10, real_ms=300), Segment(ratio=100, real_ms=200)]
    change_counts = 10**12 + round(change_ns / 10 / 1e9 * COUNTS_PER_SECOND)
    left_seconds = (23_000_000_000 - change_ns) / 100 / 1e9
    line = {
        "change": 100,
        "monotonic_ns": 7_000_000_000 + change_ns,
        "counts": change_counts,
    }
    wait = record(
        asked_ns=23_000_000_000,
        virtual_ns=23_020_000_000,
        end_monotonic_ns=30_020_000_000,
        end_counts=change_counts + round((left_seconds + 0.0002) * COUNTS_PER_SECOND),
        **changed,
    )
    return round_of(plan, [{"tick_ns": TICK_NS}, line, wait], real_seconds)


def test_a_retimed_wait_is_judged_at_the_last_ratio() -> None:
    check = judged(retimed(3_000_000_000))
    assert check.ok
    assert check.ratio == 100
    assert check.reached == pytest.approx(100)
    assert check.late_us == pytest.approx(200)


def test_a_wait_that_was_over_before_the_change_shows_nothing() -> None:
    over = retimed(23_000_000_001)
    assert not judged(over).ok
    assert "too busy" in judged(over).note
    assert judged(over, retimed(3_000_000_000)).ok


def test_a_relative_wait_is_armed_at_the_ratio_before() -> None:
    """It was armed 500 real us after it began, at 100: 50 ms at ratio 1."""
    plan = [Segment(ratio=100, real_ms=300), Segment(ratio=1, real_ms=200)]

    def fallen(late_us: float, *, absolute: bool) -> Round:
        change = {"change": 1, "monotonic_ns": 7_300_000_000, "counts": 10**12}
        wait = record(ratio=1, late_us=late_us, absolute=absolute)
        wait["end_counts"] -= round(0.3 * COUNTS_PER_SECOND)
        return round_of(plan, [{"tick_ns": TICK_NS}, change, wait], real_seconds)

    assert judged(fallen(50_000, absolute=False)).ok
    assert not judged(fallen(110_000, absolute=False)).ok
    assert not judged(fallen(50_000, absolute=True)).ok


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_goes_through_the_ratios_and_grows(change: tuple[int, ...]) -> None:
    first, second = plan_of(change, 0), plan_of(change, 1)
    assert tuple(segment.ratio for segment in first) == change
    assert first[:-1] == second[:-1]
    assert second[-1].real_ms > first[-1].real_ms
    # Not without end: a millisecond is a second from 1000 to 1.
    assert max(plan_of(change, attempt)[-1].real_ms for attempt in range(20)) < 60_000


def test_the_base_is_the_median_and_the_noise_is_the_scatter() -> None:
    rounds = [made(record(ratio=1, late_us=late), ratio=1) for late in (100, 5000, 200)]
    base = base_of(rounds)
    assert base.late_us["nanosleep"] == pytest.approx(200)
    assert 200 < base.noise_us <= 5000


def test_a_round_needs_the_length_of_a_tick() -> None:
    with pytest.raises(StageError, match="tick"):
        round_of([Segment(ratio=1, real_ms=1)], [record()], real_seconds)

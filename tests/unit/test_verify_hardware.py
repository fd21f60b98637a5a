# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge of drivers' waits: real time, never early, late by what the wheel rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel.verify import culprits
from dynaccel.verify.parts import hardware

if TYPE_CHECKING:
    from dynaccel.verify.rounds import Judged

PER_SECOND = 1e9


def judged(
    seconds: float, *, kind: str = "msleep", plan: tuple[int, ...] = (1000,), stale: float = 0.0
) -> Judged:
    counts, stale_ns = round(seconds * PER_SECOND), round(stale * 1e9)
    return hardware.judge(
        {"kind": kind, "asked_ms": 400, "counts": counts, "stale_ns": stale_ns},
        plan=plan,
        tick_seconds=0.004,
        counts_per_second=PER_SECOND,
    )


@pytest.mark.parametrize("seconds", [0.4, 0.41, 0.45, 0.49])
def test_on_time(seconds: float) -> None:
    result = judged(seconds)
    assert result.check.ok
    assert not result.final


@pytest.mark.parametrize("seconds", [0.0004, 0.359, 0.2])
def test_early_is_final_and_names_the_hook(seconds: float) -> None:
    result = judged(seconds)
    assert not result.check.ok
    assert result.final
    assert "hardware-time" in culprits.named(result.check).note


def test_a_little_early_may_be_a_tick_that_the_host_delayed() -> None:
    result = judged(0.392)
    assert not result.check.ok
    assert not result.final


def test_late_may_be_the_host() -> None:
    result = judged(0.6)
    assert not result.check.ok
    assert not result.final


def test_jiffies_that_are_compared_begin_within_one() -> None:
    assert judged(0.397, kind="jiffies").check.ok
    assert not judged(0.395, kind="jiffies").check.ok


def test_jiffies_that_the_host_left_old_excuse_who_compares_them() -> None:
    assert judged(0.389, kind="jiffies", stale=0.008).check.ok
    assert not judged(0.387, kind="jiffies", stale=0.008).check.ok
    assert not judged(0.389, stale=0.008).check.ok


def test_a_change_is_in_the_name() -> None:
    check = judged(0.41, plan=(1, 1000, 1)).check
    assert check.name == "msleep, 1 → 1000 → 1"
    assert check.ratio == 1


def test_a_kernel_that_offers_none_is_told() -> None:
    result = hardware.judge(
        {"missing": "no such file"}, plan=(1,), tick_seconds=0.004, counts_per_second=PER_SECOND
    )
    assert result.check.ok
    assert "not measured" in result.check.note

# SPDX-License-Identifier: GPL-2.0-or-later
"""Points that merge lose their places, not what they were together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaccel.recording.fold import Folded, merge, thin

VALUES = st.floats(-1e12, 1e12)


def point(tick: int, value: float, level: int = 0) -> Folded:
    return Folded(tick, tick * 60, tick, tick, tick * 60, level, 1, value, value, value, value)


@given(values=st.lists(VALUES, max_size=200), target=st.integers(2, 60), share=st.floats(0, 0.9))
def test_what_points_are_together_stays(values: list[float], target: int, share: float) -> None:
    points = [point(tick, value) for tick, value in enumerate(values)]
    recent = int(target * share)
    kept = thin(points, target=target, recent=recent)
    assert len(kept) == min(len(points), target)
    assert (
        kept[len(kept) - min(recent, len(kept)) :]
        == points[len(points) - min(recent, len(points)) :]
    )
    assert [each.tick for each in kept] == sorted(each.tick for each in kept)
    assert sum(each.number for each in kept) == len(values)
    for each in kept:
        mine = values[each.tick : each.tick + each.number]
        assert each.until_ns == (each.tick + each.number - 1) * 60
        assert (each.min, each.max, each.last) == (min(mine), max(mine), mine[-1])
        assert each.mean == pytest.approx(sum(mine) / len(mine), abs=1e-3, rel=1e-9)


def test_the_mean_of_equal_values_is_that_value_exactly() -> None:
    merged = point(0, 0.1)
    for tick in range(1, 50):
        merged = merge(merged, point(tick, 0.1))
    assert merged.mean == 0.1


def test_what_is_far_back_is_evenly_coarse() -> None:
    kept: list[Folded] = []
    for tick in range(20_000):
        kept.append(point(tick, 1.0))
        if len(kept) >= 400:
            kept = thin(kept, target=300, recent=50)
    old = [each.number for each in kept[:200]]
    assert max(old) <= 3 * min(old)
    assert {each.number for each in kept[-50:]} == {1}

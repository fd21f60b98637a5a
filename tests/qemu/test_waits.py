# SPDX-License-Identifier: GPL-2.0-or-later
"""Every wait of a real guest, at a steady ratio and while the ratio changes.

These tests ask for what no busy host can spoil: no wait is early, none is lost, and each is over
long before it would be without acceleration. How late a wait may be ``dynaccel verify`` judges.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench
from dynaccel.verify.parts.retimed import CHANGES, STAGGER_US, plan_of
from dynaccel.verify.wait_rounds import measure_round, plain_plan
from dynaccel.verify.waits import Segment, wheel_window_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench
    from dynaccel.verify.waits import Round, Wait

pytestmark = pytest.mark.qemu

RATIOS = (1, 10, 100, 1000)
LATE_REAL_SECONDS = 2.5
"""Room for a busy host. At ratio 10 an unaccelerated wait would take 4.5 s more."""
WAITS = 80
OPTIONAL = {"timeout(1)"}
"""Needs a program of the root file system."""
NOT_WHILE_IT_FALLS = {"timeout(1)", "tty VTIME", "tty VTIME between bytes", "SO_RCVTIMEO woken"}
MECHANISMS = ("hrtimer", "wheel", "program")


class Rounds:
    """Rounds of all waits, each made once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._made: dict[tuple[object, ...], Round] = {}

    def make(self, plan: list[Segment], *, busy: bool, stagger_us: int = 10_000) -> Round:
        key = (*plan, busy)
        if key not in self._made:
            self._made[key] = measure_round(self._bench, plan, busy=busy, stagger_us=stagger_us)
        return self._made[key]


@pytest.fixture(scope="module")
def rounds(kernel: Kernel) -> Iterator[Rounds]:
    options = ["--kernel", str(kernel.image), "--accelerator", "tcg"]
    with guest_bench(options, reporter=NullReporter()) as bench:
        yield Rounds(bench)


def ended(made: Round, mechanism: str, skippable: set[str]) -> list[Wait]:
    """Return the waits that a mechanism ended; none may be lost and none skipped without cause."""
    assert len(made.waits) >= WAITS
    waits = [wait for wait in made.waits.values() if wait.mechanism == mechanism]
    assert waits
    odd = [
        f"{wait.name}: {wait.outcome} ({wait.why})"
        for wait in waits
        if wait.outcome != "done" and not (wait.outcome == "skipped" and wait.name in skippable)
    ]
    assert not odd
    return [wait for wait in waits if wait.outcome == "done"]


def early(made: Round, waits: list[Wait]) -> list[str]:
    return [f"{wait.name}: {made.late_us(wait.name):.0f} us" for wait in waits if wait.late_ns < 0]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_wait_follows(rounds: Rounds, ratio: int, mechanism: str, *, busy: bool) -> None:
    made = rounds.make(plain_plan(ratio), busy=busy)
    waits = ended(made, mechanism, OPTIONAL)
    assert not early(made, waits)
    for wait in waits:
        allowed = LATE_REAL_SECONDS * 1e6
        if mechanism == "wheel":
            allowed += wheel_window_us(wait, made.ratios, made.tick_ns)
        assert made.late_us(wait.name) < allowed, wait


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_wait_follows_a_change(
    rounds: Rounds, change: tuple[int, ...], mechanism: str, *, busy: bool
) -> None:
    made = rounds.make(plan_of(change, 0), busy=busy, stagger_us=STAGGER_US)
    falls = any(after < before for before, after in pairwise(change))
    waits = ended(made, mechanism, OPTIONAL | (NOT_WHILE_IT_FALLS if falls else set()))
    assert not early(made, waits)
    for wait in waits:
        # Room that is used up before the change, until the wait is armed or after it is over,
        # passes at the ratio before.
        before = wait.missed or not wait.absolute
        allowed = LATE_REAL_SECONDS * 1e6 * (max(change) / change[-1] if before else 1)
        if mechanism == "wheel":
            allowed += wheel_window_us(wait, made.ratios, made.tick_ns)
        assert made.late_us(wait.name) < allowed, wait

# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of all waits on a bench, as many as it takes to tell a late wait from a busy host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.verify.waits import Segment, judge, judge_median, round_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check
    from dynaccel.verify.waits import Base, Round

REAL_MS = 505
"""How long each wait is. Half a period of the stagger more than half a second, so that no wait
begins at the moment at which another one ends."""
STAGGER_US = 10_000
BASE_ROUNDS = 3
MAX_ROUNDS = 8
HALF = "half of all on hrtimers"
"""The check of all waits together; no call has such a name."""


def measure_round(
    bench: Bench, plan: Sequence[Segment], *, busy: bool, stagger_us: int = STAGGER_US
) -> Round:
    """Wait by every call, all at the same time, while the ratio follows a plan.

    Args:
        bench: Where; the ratio that is last stays there.
        plan: The ratios.
        busy: Whether a process keeps each CPU from being idle.
        stagger_us: How long after each other they begin, in real microseconds.

    Raises:
        StageError: The probe failed or the guest ended.
    """
    bench.set_ratio(plan[0].ratio)
    words = [f"{segment.ratio}:{segment.real_ms}" for segment in plan]
    records = bench.probe("waits", "busy" if busy else "idle", stagger_us, *words)
    return round_of(plan, records, bench.real_seconds)


def measure_base(bench: Bench, *, busy: bool) -> list[Round]:
    """Return rounds at ratio 1, by which the others are judged."""
    plan = plain_plan(1)
    return [measure_round(bench, plan, busy=busy) for _ in range(BASE_ROUNDS)]


def plain_plan(ratio: int, _attempt: int = 0) -> list[Segment]:
    """Return the plan of a round at one ratio; another attempt is made by the same plan."""
    return [Segment(ratio=ratio, real_ms=REAL_MS)]


def judge_all(part: str, suffix: str, rounds: Sequence[Round], base: Base) -> list[Check]:
    """Judge each wait that any of the rounds knows, and those on hrtimers together."""
    names = dict.fromkeys(name for one in rounds for name in one.waits)
    checks = [judge(part, f"{name}{suffix}", name, rounds, base) for name in names]
    if len(rounds[0].ratios) == 1 and rounds[0].ratios[0] != 1:
        # A change of the ratio stretches what passed before; at ratio 1 there is nothing to tell.
        checks.append(judge_median(part, f"{HALF}{suffix}", rounds, base))
    return checks


def best_checks(
    bench: Bench,
    part: str,
    suffix: str,
    plan_of: Callable[[int], Sequence[Segment]],
    base: Base,
    *,
    busy: bool,
    stagger_us: int = STAGGER_US,
    rounds: Sequence[Round] = (),
) -> list[Check]:
    """Make rounds until no wait is late, or there were enough of them.

    Args:
        bench: Where.
        part: The group that the checks belong to.
        suffix: What is added to the names of the waits.
        plan_of: Gives the plan of each round by its number; the ratios are the same in all.
        base: How late the waits are at ratio 1.
        busy: Whether a process keeps each CPU from being idle.
        stagger_us: How long after each other the waits begin, in real microseconds.
        rounds: Rounds with these ratios that were made already.

    Raises:
        StageError: The probe failed or the guest ended.
    """
    made = list(rounds)
    while True:
        if made:
            checks = judge_all(part, suffix, made, base)
            if len(made) >= MAX_ROUNDS or not any(_may_mend(check) for check in checks):
                return checks
        plan = plan_of(len(made))
        made.append(measure_round(bench, plan, busy=busy, stagger_us=stagger_us))


def _may_mend(check: Check) -> bool:
    """Whether another round can show that only the host was in the way."""
    return not check.ok and (check.late_us is None or check.late_us >= 0)

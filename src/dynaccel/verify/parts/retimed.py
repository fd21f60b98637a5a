# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "re-timed waits": the ratio changes while every call waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynaccel.verify.wait_rounds import best_checks, measure_base
from dynaccel.verify.waits import Segment, base_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check

PART = "re-timed waits"
CHANGES: tuple[tuple[int, ...], ...] = ((1, 1000), (1000, 1), (10, 100), (100, 7), (50, 1, 500))
STAGGER_US = 5000
FIRST_MS = 480
"""All waits have begun when it is over: there are fewer than ninety-five."""
LATER_MS = 100
"""From one change to the next, and from the last one until the first wait ends."""
ROOM_MS = 4
"""How late the last change may be, in real time, before the waits are over; twice as much in each
further round. A change needs all CPUs at once, which on a busy host took up to 70 ms."""
DOUBLINGS = 3
"""From then on it stays as it is, at 32 ms."""


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:  # noqa: ARG001
    """Change the ratio while every call waits, on idle CPUs and on busy ones.

    The changes are chosen for what they do to a wait (the ratio rises, falls, does both), so
    ``ratios`` has no say in them.

    Raises:
        StageError: The probe failed or the guest ended.
    """
    for busy, suffix in ((False, ""), (True, ", busy CPUs")):
        base = base_of(measure_base(bench, busy=busy))
        for change in CHANGES:
            label = f", {' → '.join(map(str, change))}{suffix}"
            yield from best_checks(
                bench, PART, label, partial(plan_of, change), base, busy=busy, stagger_us=STAGGER_US
            )
    bench.set_ratio(1)


def plan_of(change: Sequence[int], attempt: int) -> list[Segment]:
    """Return the plan of a round that goes through these ratios.

    What passes at a high ratio until a change that is late is long at a low one: after
    1000 -> 1, a second of real time for each millisecond of :data:`ROOM_MS`.

    Args:
        change: The ratios, in turn.
        attempt: How many rounds were made before.
    """
    first, *between, last = change
    fall = max(1, change[-2] // last)
    plan = [Segment(ratio=first, real_ms=FIRST_MS)]
    plan += [Segment(ratio=ratio, real_ms=LATER_MS) for ratio in between]
    return [
        *plan,
        Segment(ratio=last, real_ms=LATER_MS + (fall * ROOM_MS << min(attempt, DOUBLINGS))),
    ]

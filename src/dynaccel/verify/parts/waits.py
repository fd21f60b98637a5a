# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "waits": every call that waits for time, on idle CPUs and on busy ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynaccel.verify.wait_rounds import best_checks, measure_base, plain_plan
from dynaccel.verify.waits import base_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check

PART = "waits"


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Wait by every call at each ratio.

    Raises:
        StageError: The probe failed or the guest ended.
    """
    for busy, suffix in ((False, ""), (True, ", busy CPUs")):
        unaccelerated = measure_base(bench, busy=busy)
        base = base_of(unaccelerated)
        for ratio in ratios:
            plan_of = partial(plain_plan, ratio)
            made = unaccelerated if ratio == 1 else ()
            yield from best_checks(bench, PART, suffix, plan_of, base, busy=busy, rounds=made)
    bench.set_ratio(1)

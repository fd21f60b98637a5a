# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "32-bit programs": the clocks and waits by the calls that such programs make.

The kernel has entries of its own for them (``compat_sys_*``, ``*_time32``), and a vDSO.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dynaccel.core.errors import MissingError
from dynaccel.verify.check import Check
from dynaccel.verify.parts import rates
from dynaccel.verify.wait_rounds import best_checks, measure_base, plain_plan
from dynaccel.verify.waits import base_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

PART = "32-bit programs"


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Read every clock and wait by every call at each ratio, in programs of 32 bits.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    try:
        with bench.narrow():
            yield from _measure(bench, ratios)
    except MissingError as error:
        why = " - ".join(text for text in (error.message, error.hint) if text)
        yield Check(
            part=PART, name="all of them", ratio=1, ok=True, note=f"not there, not measured: {why}"
        )


def _measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    unaccelerated = measure_base(bench, busy=False)
    base = base_of(unaccelerated)
    for ratio in ratios:
        made = unaccelerated if ratio == 1 else ()
        plan_of = partial(plain_plan, ratio)
        yield from best_checks(bench, PART, "", plan_of, base, busy=False, rounds=made)
        bench.set_ratio(ratio)
        for check in rates.measure(bench, ratio, bench.tick_seconds):
            yield replace(check, part=PART)
    bench.set_ratio(1)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The part ``log``: whether the kernel complained while all else was measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynaccel.core.kernel_log import COMPLAINT
from dynaccel.verify.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

PART = "log"
_COMPLAINT = re.compile(COMPLAINT)
SHOWN = 3
"""Lines that a note quotes."""


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Yield whether the kernel's log is clean since the bench was made.

    Raises:
        StageError: The log cannot be read, or the guest ended.
    """
    yield judge(bench.log_lines(), ratio=max(ratios))


def judge(lines: Sequence[str], *, ratio: int) -> Check:
    """Judge the lines that the kernel logged; ``ratio`` is the highest that was measured."""
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    quoted = "; ".join(complaints[:SHOWN])
    return Check(
        part=PART,
        name="no complaint of the kernel",
        ratio=ratio,
        ok=not complaints,
        note=f"{len(complaints)} lines: {quoted}" if complaints else f"{len(lines)} lines read",
    )

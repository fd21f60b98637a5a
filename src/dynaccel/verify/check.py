# SPDX-License-Identifier: GPL-2.0-or-later
"""What one measurement came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One clock, wait or behaviour at one ratio, and whether it holds.

    Attributes:
        part: The group that it belongs to, such as ``clocks`` or ``waits``.
        name: What was measured.
        ratio: The ratio that was asked for.
        ok: Whether it holds.
        reached: The ratio that was reached: virtual time by real time.
        error: How far ``reached`` is off, as a fraction.
        late_us: Real microseconds beyond the deadline.
        late_base_us: The same for the same wait at ratio 1.
        note: Why it fails, or what the figures mean.
        mechanism: What of the kernel ends a wait: ``hrtimer``, ``wheel``, ``jiffies`` that are
            compared, or ``program``; empty for what is no wait.
        hooks: Names of the changes of Linux that a failure points to, most likely first.
    """

    part: str
    name: str
    ratio: int
    ok: bool
    reached: float | None = None
    error: float | None = None
    late_us: float | None = None
    late_base_us: float | None = None
    note: str = ""
    mechanism: str = ""
    hooks: tuple[str, ...] = ()

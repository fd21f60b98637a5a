# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers of a series as a reader likes them."""

from __future__ import annotations

import math

from dynaccel.core.units import format_duration

_STEP = 1024
_PREFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi")


def quantity(value: float, unit: str, *, signed: bool = False) -> str:
    """Return ``12.3 MiB``, ``4 min 2 s`` or ``17``.

    Args:
        value: The number; an infinite one is told as such.
        unit: ``bytes``, ``seconds`` or another, which is not told.
        signed: Whether a plus is written.
    """
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    size = abs(value)
    if not math.isfinite(size):
        return f"{sign}infinite"
    if unit == "bytes":
        step = 0
        while size >= _STEP and step < len(_PREFIXES) - 1:
            size /= _STEP
            step += 1
        return f"{sign}{_short(size)} {_PREFIXES[step]}B"
    if unit == "seconds":
        return sign + format_duration(size)
    return sign + _short(size)


def _short(size: float) -> str:
    return f"{size:,.0f}" if size >= 1000 or size == int(size) else f"{size:.3g}"  # noqa: PLR2004

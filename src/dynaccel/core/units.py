# SPDX-License-Identifier: GPL-2.0-or-later
"""Durations, sizes, dates and ratios as users write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from dynaccel.core.errors import UserError

RATIO_MIN = 1
RATIO_MAX = 1000
"""The range of ``kernel.accel``; the same numbers stand in the kernel's dynaccel.h."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


def parse_ratio(text: str) -> int:
    """Return the ratio N that ``text`` names.

    Raises:
        UserError: Not a whole number from 1 to 1000.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text) or not RATIO_MIN <= int(text) <= RATIO_MAX:
        raise UserError(
            f"the ratio {text!r} is not a whole number from {RATIO_MIN} to {RATIO_MAX}",
            hint="for example: --accel 200",
        )
    return int(text)


def parse_duration(text: str) -> timedelta:
    """Return the duration that ``text`` names, such as ``90s``, ``36h``, ``1d12h`` or ``1y``.

    A year is 365 days. A bare number is seconds.

    Raises:
        UserError: The text is no duration, or none above zero.
    """
    compact = text.strip()
    parts = _DURATION_PART.findall(compact)
    if parts and "".join(number + unit for number, unit in parts) == compact:
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    elif re.fullmatch(r"\d+(\.\d+)?", compact):
        seconds = float(compact)
    else:
        seconds = 0.0
    try:
        duration = timedelta(seconds=seconds)
    except OverflowError:
        duration = timedelta(0)
    if duration <= timedelta(0):
        raise UserError(
            f"{text!r} is not a duration",
            hint="write a number and a unit: 90s, 15m, 36h, 30d, 2w, 1y, or several: 1d12h",
        )
    return duration


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as a reader likes it: ``0.42 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for size, big, small_size, small in (
        (365 * 86400, "y", 86400, "d"),
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // small_size
            return f"{whole // size} {big}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def parse_size(text: str) -> int:
    """Return the number of bytes that ``text`` names, such as ``512M`` or ``2G`` (powers of 1024).

    Raises:
        UserError: The text is no size, or zero.
    """
    match = re.fullmatch(r"(\d{1,12})([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(match[1]) * _SIZES[match[2].upper()] if match else 0
    if size <= 0:
        raise UserError(f"{text!r} is not a size", hint="write for example 512M or 2G")
    return size


def parse_start(text: str) -> datetime | None:
    """Return the date that ``text`` (ISO 8601) names, in UTC when it has no zone; None for ``now``.

    Raises:
        UserError: Not a date, or before 1970 (a Linux clock starts there).
    """
    if text == "now":
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = datetime.min  # noqa: DTZ901
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    if when < _EPOCH:
        raise UserError(
            f"{text!r} is not a date that a Linux clock can start at",
            hint="write ISO 8601 from 1970 on, such as 2038-01-19T03:00:00Z, or: now",
        )
    return when


def epoch_ns(when: datetime) -> int:
    """Return what a Linux clock shows at ``when``: ns since 1970, leap seconds left out."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000

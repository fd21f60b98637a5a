# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers as a reader likes them: bytes, seconds and plain counts, alone or along an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
BYTES = "bytes"
SECONDS = "seconds"
PERCENT = "%"

_KIB = 1024
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("", "k", "M", "G", "T")
_TIMES = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d"))
_SMALL = 10_000
"""Below it a count is written out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What numbers are divided by before they are written, and the unit that follows."""

    factor: float
    unit: str

    def text(self, value: float, digits: int = 3) -> str:
        """Return ``value`` with about ``digits`` significant digits and the unit."""
        number = significant(value / self.factor, digits)
        return f"{number}{THIN}{self.unit}" if self.unit else number


def scale(unit: str, largest: float) -> Scale:
    """Return the scale for numbers of ``unit`` up to ``largest``."""
    largest = abs(largest)
    if unit == BYTES:
        power = 0
        while largest >= _KIB and power < len(_BINARY) - 1:
            largest, power = largest / _KIB, power + 1
        return Scale(factor=float(_KIB**power), unit=_BINARY[power])
    if unit == PERCENT:
        return Scale(factor=1.0, unit=PERCENT)
    if unit == SECONDS:
        factor, name = next((t for t in reversed(_TIMES) if largest >= 2 * t[0]), _TIMES[0])
        return Scale(factor=factor, unit=name)
    power = 0
    while largest >= (_SMALL if power == 0 else 1000) and power < len(_DECIMAL) - 1:
        largest, power = largest / 1000, power + 1
    return Scale(factor=1000.0**power, unit=_DECIMAL[power])


def number(value: float, unit: str = "", digits: int = 3) -> str:
    """Return one number with the unit that suits it."""
    return scale(unit, value).text(value, digits)


def change(value: float, unit: str = "", digits: int = 3) -> str:
    """Return a difference: as :func:`number`, with a plus where it grew."""
    return ("+" if value > 0 else "") + number(value, unit, digits)


def count(value: int) -> str:
    """Return a whole number in groups of three digits."""
    return f"{value:,}".replace(",", THIN).replace("-", MINUS)


def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` with about ``digits`` significant digits, none of a whole part lost."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "?"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(places, 9)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", THIN).replace("-", MINUS)

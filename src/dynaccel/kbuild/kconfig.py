# SPDX-License-Identifier: GPL-2.0-or-later
"""The value of a ``.config`` file or of a fragment of one: parsing, merging, comparing."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  (dataclass fields)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

OFF = "n"
"""The value of a symbol that is off; a file says so with a comment, or by silence."""

_SET = re.compile(r"CONFIG_(\w+)=(.*)")
_NOT_SET = re.compile(r"# CONFIG_(\w+) is not set")
_VALUE = re.compile(r'[ymn]|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*"')


def parse_line(line: str) -> tuple[str, str] | None:
    """Return the symbol and the value that a line sets; None when it sets none."""
    if match := _NOT_SET.fullmatch(line):
        return match[1], OFF
    if (match := _SET.fullmatch(line)) and _VALUE.fullmatch(match[2]):
        return match[1], match[2]
    return None


def read_text(path: Path) -> str:
    """Return the text of a configuration.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(
            f"cannot read the configuration {path}: {error.strerror}",
            hint="name a readable file",
        ) from error


def not_a_configuration(origin: str, mistakes: Sequence[str]) -> UserError:
    """Return the error that names the lines of ``origin`` that are no configuration."""
    return UserError(
        f"{origin} is not a kernel configuration",
        detail="\n".join(mistakes),
        hint='write CONFIG_NAME=y (or m, n, a number, "text"), or # CONFIG_NAME is not set;'
        " in the line before it '#: from 6.3', '#: to 7.0' or '#: from 6.3 to 7.0'",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A symbol that has another value than the one that was asked for.

    Attributes:
        symbol: Its name, without ``CONFIG_``.
        wanted: The value that was asked for.
        actual: The value that it has.
    """

    symbol: str
    wanted: str
    actual: str


@dataclass(frozen=True, slots=True)
class Config:
    """Symbols (without ``CONFIG_``) and their values as the file writes them; off is ``n``."""

    symbols: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, origin: str = "the configuration") -> Config:
        """Return what the text of a ``.config`` file or fragment says; a later line wins.

        Args:
            text: The file's content.
            origin: The file's name, for the message.

        Raises:
            UserError: Lines are neither a setting nor a comment; the detail lists all of them.
        """
        symbols: dict[str, str] = {}
        mistakes = []
        for number, raw in enumerate(text.splitlines(), start=1):
            line = raw.strip()
            if setting := parse_line(line):
                symbols[setting[0]] = setting[1]
            elif line and not line.startswith("#"):
                mistakes.append(f"line {number}: {line}")
        if mistakes:
            raise not_a_configuration(origin, mistakes)
        return cls(symbols)

    @classmethod
    def read(cls, path: Path) -> Config:
        """Return what the file ``path`` says.

        Raises:
            UserError: It cannot be read, or has lines that are no configuration.
        """
        return cls.parse(read_text(path), origin=str(path))

    def __getitem__(self, symbol: str) -> str:
        """Return the symbol's value; ``n`` when nothing is said about it."""
        return self.symbols.get(symbol, OFF)

    def merge(self, *others: Config) -> Config:
        """Return this configuration overridden by the others, the last one wins."""
        merged = dict(self.symbols)
        for other in others:
            merged.update(other.symbols)
        return Config(merged)

    def without(self, unwanted: Callable[[str], bool]) -> Config:
        """Return the configuration without the symbols for which ``unwanted`` says yes."""
        return Config({name: value for name, value in self.symbols.items() if not unwanted(name)})

    def differences(self, final: Config) -> list[Difference]:
        """Return what of this configuration is not so in ``final``, in this one's order."""
        return [
            Difference(symbol=name, wanted=value, actual=final[name])
            for name, value in self.symbols.items()
            if not _same(value, final[name])
        ]

    def render(self) -> str:
        """Return the text of the configuration; parsing it gives the same value again."""
        return "".join(
            f"# CONFIG_{name} is not set\n" if value == OFF else f"CONFIG_{name}={value}\n"
            for name, value in self.symbols.items()
        )


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return int(one, 0) == int(other, 0)  # Kconfig writes 0x10 for 16 in a hex symbol
    except ValueError:
        return False

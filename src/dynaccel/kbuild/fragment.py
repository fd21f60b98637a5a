# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked for of a kernel's configuration, for any version of Linux.

A fragment is written as a ``.config`` is. A comment in the line before a setting says in which
versions the setting holds, for symbols come and go::

    #: from 6.3
    CONFIG_HID_SUPPORT=y
    #: to 7.0
    CONFIG_PREEMPT_VOLUNTARY=y
    #: from 5.11 to 6.7
    CONFIG_SOMETHING=y

What holds has to be in the final configuration. A setting ``from 6.3`` is asked for before 6.3
too, and nobody minds if it does not get in: a vendor's older kernel may carry the feature. From
the version behind ``to`` on the line says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.core.versions import KernelVersion, VersionRange
from dynaccel.kbuild import kconfig
from dynaccel.kbuild.kconfig import Config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL_VERSIONS = VersionRange()

_RANGE_MARK = "#:"
_NUMBER = r"(\d+\.\d+(?:\.\d+)?)"
_RANGE = re.compile(rf"#:(?:\s+from\s+{_NUMBER})?(?:\s+to\s+{_NUMBER})?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A line of a fragment.

    Attributes:
        symbol: Its name, without ``CONFIG_``.
        value: As the file writes it; off is ``n``.
        versions: In which versions of Linux it holds.
    """

    symbol: str
    value: str
    versions: VersionRange = ALL_VERSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What is asked for of one version of Linux.

    Attributes:
        demanded: What has to be in the final configuration.
        asked: That, and what may be there or not.
    """

    demanded: Config
    asked: Config


@dataclass(frozen=True, slots=True)
class Fragment:
    """Settings in the order of the files; of two that hold for a version the later one wins."""

    settings: tuple[Setting, ...] = ()

    @classmethod
    def parse(cls, text: str, *, origin: str = "the configuration") -> Fragment:
        """Return what the text of a fragment says.

        Args:
            text: The file's content.
            origin: The file's name, for the message.

        Raises:
            UserError: Lines are neither a setting nor a comment, or a range is wrong or has no
                setting behind it; the detail lists all of them.
        """
        settings: list[Setting] = []
        mistakes: list[str] = []
        versions: VersionRange | None = None
        for number, raw in enumerate([*text.splitlines(), ""], start=1):
            line = raw.strip()
            setting = kconfig.parse_line(line)
            if setting is not None:
                symbol, value = setting
                settings.append(
                    Setting(symbol=symbol, value=value, versions=versions or ALL_VERSIONS)
                )
                versions = None
                continue
            if versions is not None:
                mistakes.append(f"line {number - 1}: no setting follows this range")
                versions = None
            if line.startswith(_RANGE_MARK):
                versions = _parse_range(line)
                if versions is None:
                    mistakes.append(f"line {number}: {line}")
            elif line and not line.startswith("#"):
                mistakes.append(f"line {number}: {line}")
        if mistakes:
            raise kconfig.not_a_configuration(origin, mistakes)
        return cls(tuple(settings))

    @classmethod
    def read(cls, path: Path) -> Fragment:
        """Return what the file ``path`` says.

        Raises:
            UserError: It cannot be read, or has lines that are no configuration.
        """
        return cls.parse(kconfig.read_text(path), origin=str(path))

    def then(self, *others: Fragment) -> Fragment:
        """Return this fragment overridden by the others, the last one wins."""
        settings = self.settings
        for other in others:
            settings += other.settings
        return Fragment(settings)

    def without(self, unwanted: Callable[[str], bool]) -> Fragment:
        """Return the fragment without the symbols for which ``unwanted`` says yes."""
        return Fragment(tuple(one for one in self.settings if not unwanted(one.symbol)))

    def at(self, version: KernelVersion) -> Requested:
        """Return what is asked for of ``version``."""
        demanded = {one.symbol: one.value for one in self.settings if version in one.versions}
        early = {
            one.symbol: one.value
            for one in self.settings
            if one.symbol not in demanded
            and one.versions.first is not None
            and version < one.versions.first
        }
        # What is demanded stands last: of the members of a choice Kconfig takes the last one.
        return Requested(demanded=Config(demanded), asked=Config(early).merge(Config(demanded)))

    def ever(self) -> Config:
        """Return what is asked for of at least one version."""
        return Config({one.symbol: one.value for one in self.settings})

    def render(self) -> str:
        """Return the text of the fragment; parsing it gives the same value again."""
        return "".join(
            _range_line(one.versions) + Config({one.symbol: one.value}).render()
            for one in self.settings
        )


def _parse_range(line: str) -> VersionRange | None:
    """Return the range that a comment gives; None when it is none, or an empty one."""
    match = _RANGE.fullmatch(line)
    if match is None or (match[1] is None and match[2] is None):
        return None
    try:
        first, end = (KernelVersion.parse(text) if text else None for text in match.groups())
    except UserError:
        return None
    if first is not None and end is not None and first >= end:
        return None
    return VersionRange(first=first, end=end)


def _range_line(versions: VersionRange) -> str:
    words = [
        f" {word} {version}"
        for word, version in (("from", versions.first), ("to", versions.end))
        if version is not None
    ]
    return f"{_RANGE_MARK}{''.join(words)}\n" if words else ""

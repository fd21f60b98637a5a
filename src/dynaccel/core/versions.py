# SPDX-License-Identifier: GPL-2.0-or-later
"""Versions of Linux: reading them from a tree, comparing them, ranges of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class KernelVersion:
    """A version of Linux, ordered as numbers; suffixes (``-rc1``, ``-394.el8``) do not count."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        """Return the version as Linux writes it."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> KernelVersion:
        """Return the version at the start of ``text``, such as ``6.1`` or ``6.12.3-amd64``.

        Raises:
            UserError: The text does not start with a version.
        """
        match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
        if match is None:
            raise UserError(f"{text!r} is not a version of Linux", hint="write for example 6.1")
        return cls(int(match[1]), int(match[2]), int(match[3] or 0))

    @classmethod
    def of_tree(cls, tree: Path) -> KernelVersion:
        """Return the version that the top Makefile of the kernel tree ``tree`` gives.

        Raises:
            UserError: ``tree`` is not a kernel source tree.
        """
        try:
            text = (tree / "Makefile").read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(
                f"{tree} is not a kernel source tree: no readable Makefile ({error.strerror})",
                hint="give the top directory of an unpacked Linux source",
            ) from error
        fields = dict(
            re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)\s*$", text, re.MULTILINE)
        )
        if not {"VERSION", "PATCHLEVEL"} <= fields.keys() or not (tree / "kernel/time").is_dir():
            raise UserError(
                f"{tree} is not a kernel source tree: its Makefile names no version of Linux",
                hint="give the top directory of an unpacked Linux source",
            )
        return cls(
            int(fields["VERSION"]), int(fields["PATCHLEVEL"]), int(fields.get("SUBLEVEL", 0))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRange:
    """The versions from ``first`` on and before ``end``; None leaves that side open."""

    first: KernelVersion | None = None
    end: KernelVersion | None = None

    def __contains__(self, version: KernelVersion) -> bool:
        """Say whether ``version`` is in the range."""
        return (self.first is None or self.first <= version) and (
            self.end is None or version < self.end
        )

    def __str__(self) -> str:
        """Return the range as ``[first, end)``."""
        return f"[{self.first or '...'}, {self.end or '...'})"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree that packages are made from: its files, its version, its date."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynaccel.core.errors import UserError
from dynaccel.host import process, tools

SUMMARY = "Linux whose time flows N times faster"
"""What dynaccel is, in a package's one line."""

RELEASE = "1"
"""The packages' own number, behind the version of what is in them."""

_PACKAGE = Path(__file__).resolve().parents[2]
_PRE_RELEASE = re.compile(r"(?<=\d)\.?(?=a|b|rc|dev)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A tree of dynaccel with all that belongs to it.

    Attributes:
        root: The directory of ``pyproject.toml``.
        project: The table ``project`` in it.
        changed_seconds: When it last changed, in seconds since 1970: the date of all that is made.
    """

    root: Path
    project: dict[str, Any]
    changed_seconds: int

    @property
    def version(self) -> str:
        """The version, as Python has it."""
        return str(self.project["version"])

    @property
    def package_version(self) -> str:
        """The version, as Debian and RPM sort it: what comes before a release with a tilde."""
        return _PRE_RELEASE.sub("~", self.version, count=1)


def find() -> Checkout:
    """Return the tree that this program runs from.

    ``SOURCE_DATE_EPOCH`` is its date, else the last commit's.

    Raises:
        UserError: It is not a whole tree, or has no date.
    """
    root = _PACKAGE.parents[1]
    if not all((root / name).is_file() for name in ("pyproject.toml", "requirements.lock")):
        raise UserError(
            "packages are made from a checkout of dynaccel or its unpacked sdist; this is an"
            " installed one",
            hint="make dist, in a checkout",
        )
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return Checkout(
        root=root,
        project=table["project"],
        changed_seconds=_changed_seconds(root),
    )


def _changed_seconds(root: Path) -> int:
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named is not None:
        if not named.isdecimal():
            raise UserError(
                f"SOURCE_DATE_EPOCH is {named!r}, not a number of seconds since 1970",
                hint="for example: SOURCE_DATE_EPOCH=$(date +%s) make dist",
            )
        return int(named)
    if (root / ".git").exists() and tools.find("git"):
        done = process.run(
            ["git", "-C", root, "log", "-1", "--format=%ct"], env={"LC_ALL": "C"}, check=False
        )
        if done.returncode == 0 and done.text.isdecimal():
            return int(done.text)
    raise UserError(
        f"nothing says when {root} last changed: it is no git repository with a commit",
        hint="name the packages' date: SOURCE_DATE_EPOCH=$(date +%s) make dist",
    )

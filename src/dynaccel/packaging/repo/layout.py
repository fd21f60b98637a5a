# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are in a repository.

::

    current -> generations/000007-3f2a9c41     the one name that changes when something is published
    rpm, deb, dynaccel.repo, dynaccel.sources, dynaccel.asc -> current/...
    generations/ID/manifest.json               what is in it
    generations/ID/rpm/x86_64/repodata/...     beside it "packages" -> pool/rpm, and "mirrorlist"
    generations/ID/deb/dists/stable/...        beside it "pool" -> pool/deb
    pool/rpm/HASH/NAME.rpm, pool/deb/HASH/NAME.deb

A generation and a file in the pool never change. All links are relative: the directory may be
moved or copied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"
KEY_FILE = "dynaccel.asc"
REPO_FILE = "dynaccel.repo"
SOURCES_FILE = "dynaccel.sources"
FIXED_NAMES = ("rpm", "deb", REPO_FILE, SOURCES_FILE, KEY_FILE)
"""What users name: links into the current generation."""

SOURCE_PART = "source"
RPM_ARCHES = ("x86_64", "aarch64")
RPM_ANY = "noarch"
RPM_SOURCE = "src"
RPM_PARTS = (*RPM_ARCHES, SOURCE_PART)
DEB_ARCHES = ("amd64", "arm64")
DEB_ANY = "all"
SUITE = "stable"
COMPONENT = "main"

_WORK = ".work-"
_GENERATION = re.compile(r"(\d{6,})-[0-9a-f]{8}")
_MAY_BE_THERE = {"lost+found", ".lock"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The places in the repository at ``top``."""

    top: Path

    @property
    def generations(self) -> Path:
        """The directory of all generations."""
        return self.top / "generations"

    @property
    def pool(self) -> Path:
        """The directory of the packages' files."""
        return self.top / "pool"

    @property
    def current(self) -> Path:
        """The link to the generation that readers see."""
        return self.top / "current"

    @property
    def lock(self) -> Path:
        """The file that one publisher at a time holds."""
        return self.top / ".lock"

    @property
    def work_prefix(self) -> str:
        """How the names of directories start that a publisher works in."""
        return _WORK

    def current_id(self) -> str | None:
        """Return the id of the generation that readers see; None before the first."""
        try:
            name = self.current.readlink().name
        except OSError:
            return None
        return name if _GENERATION.fullmatch(name) else None

    def generation_ids(self) -> list[str]:
        """Return the ids of the generations that are there, oldest first."""
        if not self.generations.is_dir():
            return []
        names = [p.name for p in self.generations.iterdir() if _GENERATION.fullmatch(p.name)]
        return sorted(names, key=sequence)

    def is_repository(self) -> bool:
        """Say whether this is a repository, be it one whose first publication was cut off."""
        if self.current_id() is not None:
            return True
        try:
            names = {path.name for path in self.top.iterdir()}
        except FileNotFoundError:
            return True
        return all(
            name in _MAY_BE_THERE
            or name.startswith(_WORK)
            or name in (*FIXED_NAMES, "generations", "pool", "current")
            for name in names
        )


def sequence(generation: str) -> int:
    """Return a generation's place in the order of publication."""
    return int(generation.partition("-")[0])


def generation_id(number: int, plan: str) -> str:
    """Return the id of the ``number``-th generation, made after the plan with this hash."""
    return f"{number:06d}-{plan[:8]}"


def pool_path(kind: str, sha256: str, name: str) -> str:
    """Return where in the repository a package's file lies: a name for one content, for ever."""
    return f"pool/{kind}/{sha256[:16]}/{name}"

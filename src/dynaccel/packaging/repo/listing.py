# SPDX-License-Identifier: GPL-2.0-or-later
"""What a repository holds, for a user to read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dynaccel.packaging.repo import contents, versions
from dynaccel.packaging.repo.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Package


def packages(directory: Path) -> list[Package]:
    """Return the packages that readers see, by kind, name and architecture, the newest first.

    Raises:
        UserError: Nothing was published in the directory.
        MissingError: There is no rpm, or no dpkg, to ask which version is newer.
    """
    here = sorted(contents.require_current(Layout(directory.absolute())).packages, key=_name)
    ordered: list[Package] = []
    for (kind, *_), group in itertools.groupby(here, key=_name):
        members = {package.version: package for package in group}
        ordered += [members[version] for version in versions.newest_first(kind, members)]
    return ordered


def _name(package: Package) -> tuple[str, str, str]:
    return package.kind, package.name, package.arch

# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a file of a kernel tree, unless something that is no plain file stands in its place."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """What stands at a path of a tree.

    Attributes:
        content: The file's content; None when it is not there or cannot be used.
        obstacle: Why it cannot be used, in one line.
        remedy: What to do about that.
    """

    content: bytes | None = None
    obstacle: str | None = None
    remedy: str | None = None


def read_tree_file(tree: Path, path: str) -> TreeFile:
    """Return what stands at ``path`` (relative) below ``tree`` (absolute, resolved).

    A symbolic link on the way is an obstacle: through it another tree would be changed, and git
    and patch refuse such files too.
    """
    place = tree
    for step in path.split("/"):
        place /= step
        if place.is_symlink():
            return _linked(tree, place)
    try:
        if not stat.S_ISREG(place.lstat().st_mode):
            return TreeFile(
                obstacle="it is not a regular file", remedy="start from a clean source tree"
            )
        return TreeFile(content=place.read_bytes())
    except FileNotFoundError:
        return TreeFile()
    except OSError as error:
        return TreeFile(
            obstacle=f"it cannot be read: {error.strerror}",
            remedy="work on a copy of the tree that is your own: cp -r",
        )


def _linked(tree: Path, place: Path) -> TreeFile:
    try:
        target = place.resolve()
    except (OSError, RuntimeError):  # a loop of links
        target = place.readlink()
    where = "within" if target.is_relative_to(tree) else "outside"
    return TreeFile(
        obstacle=f"{place.relative_to(tree)} is a symbolic link to {target}, {where} the tree",
        remedy="work on a tree of plain files, such as a copy: cp -rL",
    )

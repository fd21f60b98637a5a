# SPDX-License-Identifier: GPL-2.0-or-later
"""From one generation to the next: the switch, what earlier readers still need, what can go.

The switch is ``rename(2)`` of a link. ``renameat2(RENAME_EXCHANGE)`` of two directories would do
without links, but NFS and several other file systems do not have it, and a reader who is amid a
generation would find the other one under the same names. With a link the old generation keeps a
name of its own, to which dnf is sent by the list of mirrors.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.packaging.repo import contents, disk
from dynaccel.packaging.repo.layout import FIXED_NAMES, sequence

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.packaging.repo.layout import Layout

GRACE_SECONDS = 7 * 86400
"""How long a generation stays after the next one came: for whoever read the metadata before, and
fetches the packages days later."""
CARRY_SECONDS = 3600
"""For how long the next generation has its metadata as well: for whoever is amid reading it, by
the fixed names. That is done in seconds; an hour covers slow lines."""

# Files whose names follow from what is in them.
_BY_CONTENT = re.compile(r"(?:.*/)?(?:by-hash/SHA256/[0-9a-f]{64}|repodata/[0-9a-f]{64}-[^/]+)")
# Files that are asked for again by their date.
_BY_DATE = re.compile(
    r"(?:.*/)?(?:InRelease|Release|Release\.gpg|repomd\.xml(?:\.asc)?|mirrorlist)"
)


def files_of(generation: Path) -> list[str]:
    """Return the names of all files of a generation, below it, without what its links lead to."""
    found = []
    for directory, _, names in os.walk(generation):
        relative = os.path.relpath(directory, generation)
        found += [os.path.normpath(os.path.join(relative, name)) for name in names]  # noqa: PTH118
    return sorted(found)


def carry_over(layout: Layout, staged: Path, *, now: float) -> None:
    """Give the staged generation what is named by content in those that are current or just were.

    A reader may have its list from the one and ask the other for what the list names.
    """
    current = layout.current_id()
    for generation in layout.generation_ids():
        directory = layout.generations / generation
        if generation != current and now - directory.stat().st_mtime > CARRY_SECONDS:
            continue
        for name in contents.load(directory).files:
            target = staged / name
            if _BY_CONTENT.fullmatch(name) and not target.exists():
                disk.make_directory(target.parent)
                disk.link_or_copy(directory / name, target)


def advance_dates(layout: Layout, staged: Path, *, now: float) -> None:
    """Make the staged files younger, by whole seconds, than those of their names before them.

    apt asks for what changed since, and HTTP's dates have seconds: without this, of two
    generations within a second a reader of the first would never see the second.
    """
    for name in files_of(staged):
        if not _BY_DATE.fullmatch(name):
            continue
        date = int(now)
        with suppress(OSError):
            date = max(date, int((layout.current / name).stat().st_mtime) + 1)
        os.utime(staged / name, (date, date))


def switch(layout: Layout, staged: Path, generation: str) -> None:
    """Let readers see the staged generation; before and after, all that they see is whole."""
    disk.make_directory(layout.generations)
    target = layout.generations / generation
    staged.rename(target)
    disk.sync(layout.generations)
    current = layout.current_id()
    if current is not None:
        os.utime(layout.generations / current)  # from now on it is on its way out
    for name in FIXED_NAMES:
        _point(layout.top / name, f"current/{name}")
    _point(layout.current, f"generations/{generation}")
    disk.sync(layout.top)


def clean_up(layout: Layout, *, grace_seconds: float = GRACE_SECONDS) -> int:
    """Remove what a publisher that was killed left, and what is older than the grace.

    Call it with the lock held.

    Returns:
        How many bytes of packages are free again.
    """
    for path in layout.top.glob(f"{layout.work_prefix}*"):
        shutil.rmtree(path, ignore_errors=True)
    current = layout.current_id()
    now = time.time()
    for generation in layout.generation_ids():
        if generation == current:
            continue
        directory = layout.generations / generation
        never_seen = current is None or sequence(generation) > sequence(current)
        too_old = now - directory.stat().st_mtime >= grace_seconds
        if never_seen or too_old or not _is_whole(directory):
            # Away by its name first: what is named as a generation is whole.
            waste = layout.top / f"{layout.work_prefix}{generation}"
            directory.rename(waste)
            shutil.rmtree(waste, ignore_errors=True)
    return _sweep_pool(layout)


def _is_whole(generation: Path) -> bool:
    try:
        contents.load(generation)
    except UserError:
        return False
    return True


def _sweep_pool(layout: Layout) -> int:
    named = {
        package.file
        for generation in layout.generation_ids()
        for package in contents.load(layout.generations / generation).packages
    }
    freed = 0
    for directory in layout.pool.glob("*/*"):
        for path in directory.iterdir():
            if str(path.relative_to(layout.top)) not in named:
                freed += path.stat().st_size
                path.unlink()
        with suppress(OSError):  # it is not empty
            directory.rmdir()
    return freed


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and str(link.readlink()) == target:
        return
    fresh = link.with_name(f".work-link-{link.name}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Remove kernels from the store, and what builds leave beside them."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.host import kernels, lock
from dynaccel.kbuild import space, workspace
from dynaccel.kbuild.compilers import toolchains_dir
from dynaccel.kbuild.source import downloads_dir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.core.events import Reporter

_ABANDONED_SECONDS = 3600.0
"""A hidden directory in the store that is older is no filing that goes on, but one cut off."""


def find_filed(references: Sequence[str]) -> list[Path]:
    """Return the directories in the store that ids, or starts of ids, name; damaged ones too.

    Raises:
        UserError: One names none or several; the message lists all such.
    """
    filed = all_filed()
    found: list[Path] = []
    mistakes = []
    for reference in references:
        fits = [path for path in filed if reference and _fits(path.name, reference)]
        if len(fits) != 1:
            mistakes.append(f"{len(fits) or 'no'} kernels fit {reference!r}")
        found += [path for path in fits if path not in found]
    if mistakes:
        raise UserError("; ".join(mistakes), hint="dynaccel kernel list")
    return found


def all_filed() -> list[Path]:
    """Return all directories in the store, also those of damaged kernels."""
    return sorted(path for path in kernels.store_dir().glob("[!.]*") if path.is_dir())


def remove(directories: Sequence[Path]) -> int:
    """Remove directories from the store and return how many bytes are free again.

    Raises:
        InfrastructureError: One cannot be removed.
    """
    freed = 0
    for directory in directories:
        size = space.used(directory)
        try:
            kernels.delete(kernels.load(directory))
        except UserError:
            shutil.rmtree(directory, ignore_errors=True)
        freed += size
    return freed


def clean(*, reporter: Reporter) -> int:
    """Remove all work directories that no build is using, and all fetched sources and compilers.

    The built kernels stay, and so does ccache's directory, which makes the next build quick.

    Returns:
        How many bytes are free again.
    """
    freed = 0
    root = workspace.work_dir()
    for directory in sorted(path for path in root.glob("*") if path.is_dir()):
        with lock.if_free(root / f"{directory.name}.lock") as free:
            if not free:
                reporter.warning(f"{directory} is in use by a build; it stays")
                continue
            freed += space.used(directory)
            shutil.rmtree(directory, ignore_errors=True)
    for path in kernels.store_dir().glob(".*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            freed += space.used(path)
            shutil.rmtree(path, ignore_errors=True)
    for directory in (downloads_dir(), toolchains_dir()):
        if directory.is_dir():
            freed += space.used(directory)
            shutil.rmtree(directory, ignore_errors=True)
    return freed


def _fits(name: str, reference: str) -> bool:
    return name.startswith(reference) or (len(name) == 12 and reference.startswith(name))  # noqa: PLR2004

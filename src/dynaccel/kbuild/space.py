# SPDX-License-Identifier: GPL-2.0-or-later
"""Room on the disk: asking before a job, and saying so when it ran out."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
GIB = 1 << 30

UNPACKED_BYTES = 1400 * MIB
"""What an unpacked Linux 6.x takes; 6.1 measured 1.3 GiB."""
OBJECTS_BYTES = 400 * MIB
"""What a build of the shipped configuration takes beside the source; 6.1 measured 250 MiB."""

_FULL = ("No space left on device", "Disk quota exceeded")


def format_size(size: int) -> str:
    """Return a number of bytes as a reader likes it: ``12 MiB``, ``1.4 GiB``."""
    if size >= GIB:
        return f"{size / GIB:.1f} GiB"
    return f"{size / MIB:.0f} MiB" if size >= 10 * MIB else f"{size / MIB:.1f} MiB"


def require(directory: Path, needed: int) -> None:
    """Check that ``directory`` has room for ``needed`` bytes.

    Raises:
        InfrastructureError: It has less.
    """
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise InfrastructureError(
            f"a kernel build needs {format_size(needed)} in {directory},"
            f" and {format_size(free)} are free",
            hint="free some room (dynaccel kernel clean; dynaccel kernel rm ID), or point"
            " DYNACCEL_CACHE at a larger disk",
        )


def ran_out(text: str) -> bool:
    """Say whether a program's output tells that a disk is full."""
    return any(phrase in text for phrase in _FULL)


def full(directory: Path, *, detail: str | None = None) -> InfrastructureError:
    """Return the error for a disk that ran full while something was written to ``directory``."""
    places = [directory, Path(tempfile.gettempdir())]
    free = ", ".join(f"{format_size(shutil.disk_usage(place).free)} in {place}" for place in places)
    return InfrastructureError(
        f"the disk ran full; free are {free}",
        hint="free some room (dynaccel kernel clean; dynaccel kernel rm ID) and give the same"
        " command again: the build goes on where it was",
        detail=detail,
    )


@contextmanager
def guarded(directory: Path) -> Iterator[None]:
    """Turn the system's word for a full disk, from anything in the block, into :func:`full`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise full(directory) from error
        raise


def used(path: Path) -> int:
    """Return how many bytes a file, or all files below a directory, take on the disk."""
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(directory) / name).lstat().st_blocks * 512
            except OSError:
                continue  # it went away meanwhile
    return total if path.is_dir() else path.lstat().st_blocks * 512

# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that a web server may read, that outlive a crash, on disks that may be full."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = ("No space left on device", "Disk quota exceeded")
_SYNCS_AT_ONCE = 32
_MARGIN_BYTES = 4 << 20
"""For metadata, which stay far below it for thousands of packages."""


@contextmanager
def guarded(top: Path) -> Iterator[None]:
    """Turn what the system and programs say of a disk into an :class:`InfrastructureError`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(top) from error
        raise InfrastructureError(
            f"cannot write the repository {top}: {error.strerror}: {error.filename}",
            hint="publish to a directory that you may write; readers see what they saw before",
        ) from error
    except ProcessError as error:
        if any(phrase in (error.detail or "") for phrase in _FULL):
            raise _full(top, detail=error.detail) from error
        raise


def require_room(top: Path, needed: int) -> None:
    """Check that ``needed`` bytes of packages fit, before work of minutes.

    Raises:
        InfrastructureError: They do not.
    """
    free = shutil.disk_usage(top).free
    if free < needed + _MARGIN_BYTES:
        raise InfrastructureError(
            f"{top} has no room for the packages: they need {(needed + _MARGIN_BYTES) >> 20} MiB,"
            f" {free >> 20} MiB are free",
            hint="free some room: dynaccel repo prune --keep N",
        )


def make_directory(path: Path) -> None:
    """Make a directory, with those above it that are not there, for all to read."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)


def publishable(tree: Path) -> None:
    """Make a tree readable for all, whatever the umask is, and write it to the disk itself."""
    paths = []
    for directory, _, names in os.walk(tree):
        paths.append(directory)
        for name in names:
            path = os.path.join(directory, name)  # noqa: PTH118  (as os.walk gives it)
            if not os.path.islink(path):  # noqa: PTH114
                os.chmod(path, 0o644)  # noqa: PTH101
                paths.append(path)
        os.chmod(directory, 0o755)  # noqa: PTH101, S103  (for all to read)
    # All at once: a journal commits for many as fast as for one, and on a busy disk that is slow.
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        for _ in pool.map(_sync, paths):
            pass


def sync(path: Path) -> None:
    """Write a file, or the names in a directory, to the disk itself."""
    _sync(str(path))


def sha256(path: Path) -> str:
    """Return the hash (hex) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def mismatch(path: Path, wanted: str, size: int) -> str | None:
    """Return what is wrong with a file that should have this hash and size; None: nothing."""
    try:
        if path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes, should have {size}"
        return None if sha256(path) == wanted else "has another content (SHA256)"
    except OSError as error:
        return str(error.strerror)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name; a copy where the disk has no such links."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        shutil.copy2(source, target)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full(top: Path, *, detail: str | None = None) -> InfrastructureError:
    return InfrastructureError(
        f"the disk ran full while {top} was published; readers see what they saw before",
        hint="free some room (dynaccel repo prune --keep N --now) and publish again",
        detail=detail,
    )

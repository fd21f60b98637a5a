# SPDX-License-Identifier: GPL-2.0-or-later
"""A lock between processes: one build in a directory, one publisher in a repository."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, *, on_wait: Callable[[str], None]) -> Iterator[int]:
    """Hold the lock ``path`` for the length of the block; wait while another process holds it.

    Yields:
        The lock's file descriptor. A child that inherits it keeps the lock when this process is
        killed, until the child ends too.

    Args:
        path: The lock file; it stays there.
        on_wait: Called once, before waiting, with words for the holder (``process 1234``).

    Raises:
        InfrastructureError: The file cannot be made.
    """
    with _opened(path) as handle:
        if not _try_lock(handle):
            on_wait(_holder(handle))
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield handle


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold the lock ``path`` for the length of the block if it is free; yield whether it was."""
    with _opened(path) as handle:
        yield _try_lock(handle)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise InfrastructureError(
            f"cannot make the lock {path}: {error.strerror}",
            hint="free some room, or point DYNACCEL_CACHE at a directory that you may write",
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    pid = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return f"process {pid}" if pid else "another process"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Give several files new content: all of them or, after a failure or Ctrl-C, none."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.patch.defer_signals import signals_deferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SYNCS_AT_ONCE = 16
_MODE = 0o644  # what the patch gives new files, whatever the umask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    """A new content beside its target, and a copy of the old one (None: there was none)."""

    target: Path
    new: Path
    old: Path | None

    def put(self) -> None:
        self.new.replace(self.target)

    def take_back(self) -> None:
        if self.old is None:
            self.target.unlink(missing_ok=True)
        else:
            self.old.replace(self.target)


def write_files(top: Path, contents: Mapping[str, bytes]) -> None:
    """Write files below ``top`` so that either all have their new content or all the old one.

    Everything that needs room or a permission is done beside the targets first; then the files
    are only renamed. Modes and owners of existing files stay.

    Args:
        top: An existing directory.
        contents: New contents by relative path.

    Raises:
        UserError: A directory is not writable; nothing was changed.
        InfrastructureError: Writing failed (full disk); nothing was changed.
    """
    _refuse_unwritable(top, contents)
    try:
        with ExitStack() as leftovers, ExitStack() as undo:
            staged = [_stage(top / path, data, leftovers) for path, data in contents.items()]
            _settle([item.new for item in staged])
            with signals_deferred():
                for item in staged:
                    undo.callback(item.take_back)
                    item.put()
                undo.pop_all()
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {error.filename or top}: {error.strerror}; nothing was changed",
            hint="free some room, or work on a copy of the tree elsewhere",
        ) from error


def _refuse_unwritable(top: Path, contents: Mapping[str, bytes]) -> None:
    directories = {_existing((top / path).parent) for path in contents}
    bad = sorted(str(path) for path in directories if not os.access(path, os.W_OK | os.X_OK))
    if bad:
        raise UserError(
            f"the tree cannot be changed: no permission to write in {', '.join(bad)}",
            hint=f"work on a copy of your own (cp -r {top} ...),"
            " or have the patch written to a file: -o FILE.patch",
        )


def _existing(directory: Path) -> Path:
    while not directory.exists():
        directory = directory.parent
    return directory


def _stage(target: Path, data: bytes, leftovers: ExitStack) -> _Staged:
    _make_parents(target.parent, leftovers)
    new = _beside(target, leftovers)
    new.write_bytes(data)
    if not target.exists():
        new.chmod(_MODE)
        return _Staged(target=target, new=new, old=None)
    old = _beside(target, leftovers)
    _keep(target, old)
    _take_after(new, target.stat())
    return _Staged(target=target, new=new, old=old)


def _keep(target: Path, old: Path) -> None:
    """Give a file a second name, or make a copy where that cannot be."""
    try:
        old.unlink()
        old.hardlink_to(target)
    except OSError:
        shutil.copyfile(target, old)
        status = target.stat()
        _take_after(old, status)
        os.utime(old, ns=(status.st_atime_ns, status.st_mtime_ns))


def _take_after(path: Path, status: os.stat_result) -> None:
    with suppress(PermissionError):  # only root can give files away
        os.chown(path, status.st_uid, status.st_gid)
    path.chmod(status.st_mode & 0o7777)


def _settle(paths: Sequence[Path]) -> None:
    """Have files on the disk, not only on their way to it: a full one may tell no earlier."""
    # Many at once, for the disk then writes them together: a tree has thousands.
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        for _ in pool.map(_sync, paths):
            pass


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _beside(target: Path, leftovers: ExitStack) -> Path:
    with signals_deferred():
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        path = Path(name)
        leftovers.callback(path.unlink, missing_ok=True)
    os.close(handle)
    return path


def _make_parents(directory: Path, leftovers: ExitStack) -> None:
    if directory.is_dir():
        return
    _make_parents(directory.parent, leftovers)
    directory.mkdir()
    leftovers.callback(_remove_if_empty, directory)


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()

# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's own kernel tree: which of its files are source, their hash, a clean copy of them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.host import process, tools
from dynaccel.kbuild import make, space

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRODUCTS = (
    "*.o", "*.ko", "*.a", "*.mod", "*.mod.c", ".*.cmd", "modules.order", "vmlinux",
)  # fmt: skip
"""What no source file is called; 'make mrproper' in the copy finds the rest."""
_BUILT_IN_PLACE = (".config", "include/config", "include/generated")


def list_files(tree: Path) -> tuple[str, ...]:
    """Return the source files of a kernel tree, relative to it and sorted.

    In a git work tree: what git tracks and what is new and not ignored. Elsewhere: all but git's
    own files and the obvious products of a build.
    """
    names = _listed_by_git(tree)
    if names is None:
        names = _walk(tree)
    return tuple(sorted(names))


def identity(tree: Path, files: Sequence[str]) -> str:
    """Return the hash (hex) of the files' names, content and executable bits.

    Raises:
        UserError: One cannot be read.
    """
    digest = hashlib.sha256()
    for name in files:
        path = tree / name
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                kind, content = "l", os.fsencode(path.readlink())
            else:
                kind, content = "x" if status.st_mode & stat.S_IXUSR else "f", path.read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from error
        digest.update(f"{name}\0{kind}{len(content)}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def copy_files(tree: Path, files: Sequence[str], into: Path) -> None:
    """Copy the files with their times to ``into``; what a build in place left is cleaned there.

    Raises:
        UserError: One cannot be read.
        InfrastructureError: The disk is full.
        ProcessError: ``make mrproper`` failed in the copy.
    """
    made: set[Path] = {into}
    for name in files:
        target = into / name
        try:
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            shutil.copy2(tree / name, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise space.full(into.parent) from error
            if error.filename2 is not None or error.filename == str(target):
                raise InfrastructureError(
                    f"cannot write {target}: {error.strerror}", hint="see who may write there"
                ) from error
            raise _unreadable(tree / name, error) from error
    clean(into)


def clean(tree: Path) -> None:
    """Remove what a configuration or a build in place left in a tree of our own.

    Raises:
        ProcessError: ``make mrproper`` failed.
    """
    if any((tree / mark).exists() for mark in _BUILT_IN_PLACE):
        process.run(make.hermetic("make", "-C", str(tree), "mrproper"))


def _listed_by_git(tree: Path) -> list[str] | None:
    git = tree / ".git"
    if not git.exists() or tools.find("git") is None:
        return None
    # The explicit directory keeps a GIT_DIR of the caller's out.
    listed = process.run(
        ["git", f"--git-dir={git}", f"--work-tree={tree}", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        cwd=tree, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        return None
    names = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
    return [name for name in names if _is_file(tree / name)]


def _walk(tree: Path) -> list[str]:
    names = []
    for directory, below, files in os.walk(tree):
        here = Path(directory)
        links = [name for name in below if (here / name).is_symlink()]
        below[:] = [name for name in below if name != ".git" and name not in links]
        names += [
            str((here / name).relative_to(tree))
            for name in (*files, *links)
            if name != ".git" and not _is_product(name) and _is_file(here / name)
        ]
    return names


def _is_product(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _PRODUCTS)


def _is_file(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot read {path}: {error.strerror}", hint="make the tree readable")

# SPDX-License-Identifier: GPL-2.0-or-later
"""A root directory with all that a package of dynaccel installs, laid out as on a system."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError
from dynaccel.packaging import templates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dynaccel.packaging.tool.bundle import Bundle
    from dynaccel.packaging.tool.checkout import Checkout
    from dynaccel.packaging.tool.interpreter import Interpreter

HOME = "usr/lib/dynaccel"
"""The private directory of Python packages, relative to the root."""
PROGRAM = "usr/bin/dynaccel"
DOCUMENTS = "usr/share/doc/dynaccel"

_MANUAL = "man/"
_ZSH = "zsh/site-functions/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a package is made from.

    Attributes:
        checkout: The tree.
        bundle: dynaccel and the Python packages that it needs.
        interpreter: The Python that runs it.
        share: Man pages and completions by their names below ``share``, where upstream has them.
    """

    checkout: Checkout
    bundle: Bundle
    interpreter: Interpreter
    share: Mapping[str, bytes]


def lay_out(material: Material, root: Path, *, python: str, zsh: str) -> None:
    """Fill an empty directory with what a package installs.

    Args:
        material: What it is made from.
        root: The directory; made here.
        python: The program that runs it there.
        zsh: Where below ``share`` this distribution's zsh looks for completions of packages.

    Raises:
        InfrastructureError: The disk is full.
    """
    try:
        shutil.copytree(material.bundle.directory, root / HOME)
        _write(
            root / PROGRAM,
            templates.render("tool/dynaccel.j2", interpreter=python, home=f"/{HOME}").encode(),
        )
        for name, content in material.share.items():
            _share(root, name.replace(_ZSH, f"{zsh}/"), content)
        _documents(material.checkout.root, root / DOCUMENTS)
        settle(root, material.checkout.changed_seconds)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {error.filename or root}: {error.strerror}", hint="free some room"
        ) from error


def settle(root: Path, changed_seconds: int) -> None:
    """Give all files the modes and the date that they have in a package."""
    program = str(root / PROGRAM)
    for directory, names, files in os.walk(root, topdown=False):
        for name in (*names, *files):
            path = os.path.join(directory, name)  # noqa: PTH118  (many of them)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                continue
            runs = (
                stat.S_ISDIR(mode)
                or path == program
                or (mode & stat.S_IXUSR and not name.endswith(".so"))
            )
            os.chmod(path, 0o755 if runs else 0o644)  # noqa: PTH101
            os.utime(path, (changed_seconds, changed_seconds))
    root.chmod(0o755)


def _share(root: Path, name: str, content: bytes) -> None:
    if name.startswith(_MANUAL):
        name, content = f"{name}.gz", gzip.compress(content, compresslevel=9, mtime=0)
    _write(root / "usr/share" / name, content)


def _documents(tree: Path, directory: Path) -> None:
    _write(directory / "README.md", (tree / "README.md").read_bytes())
    shutil.copytree(tree / "docs", directory / "docs")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

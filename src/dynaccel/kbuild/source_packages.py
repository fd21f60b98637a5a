# SPDX-License-Identifier: GPL-2.0-or-later
"""Source packages of distributions: a kernel's tarball with the vendor's patches on top.

Each kind is unpacked by its own tool, which applies the patches as the vendor's build does:
``rpmbuild`` runs a ``.src.rpm`` through ``%prep``, ``dpkg-source`` extracts a ``.dsc``.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import process, tools
from dynaccel.kbuild import space
from dynaccel.kbuild.make import hermetic

if TYPE_CHECKING:
    from pathlib import Path

_RPM = b"\xed\xab\xee\xdb"
_DEPTH = 3
"""How far below rpmbuild's BUILD directory a kernel tree lies at most."""


class Kind(enum.Enum):
    """A kind of source package; the value is the program that unpacks it."""

    SRPM = "rpmbuild"
    DSC = "dpkg-source"


def kind_of(path: Path) -> Kind | None:
    """Return what kind of source package a file is; None when it is none.

    Raises:
        UserError: It cannot be read.
    """
    if path.suffix == ".dsc":
        return Kind.DSC
    try:
        with path.open("rb") as stream:
            return Kind.SRPM if stream.read(len(_RPM)) == _RPM else None
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}", hint="name a readable file"
        ) from error


def unpack(package: Path, kind: Kind, scratch: Path) -> Path:
    """Unpack a source package and return the kernel tree in it, the vendor's patches applied.

    Args:
        package: The package.
        kind: What kind it is of.
        scratch: An empty directory; the tree lies somewhere below it.

    Raises:
        MissingError: The program that unpacks it is not on PATH.
        UserError: It does not unpack, or holds no kernel source.
        InfrastructureError: The disk is full.
    """
    tools.require(kind.value)
    if kind is Kind.SRPM:
        # Without its dependencies: they are for compiling, and no other distribution has them.
        _run(package, ["rpmbuild", "-rp", "--nodeps", f"--define=_topdir {scratch}", str(package)])
        return _only_tree(package, scratch / "BUILD")
    tree = scratch / "tree"
    _run(package, ["dpkg-source", "--extract", str(package), str(tree)])
    return tree


def _run(package: Path, argv: list[str]) -> None:
    done = process.run(hermetic(*argv), cwd=package.parent, check=False)
    if done.returncode == 0:
        return
    detail = process.tail(done.stdout + done.stderr)
    if space.ran_out(detail):
        raise space.full(package.parent, detail=detail)
    raise UserError(
        f"cannot unpack {package}: {argv[0]} failed",
        detail=detail,
        hint=f"see it fail: {process.command_line(argv)}",
    )


def _only_tree(package: Path, top: Path) -> Path:
    """Return the kernel tree below a directory.

    Some packages keep the tree without patches beside the one with them; that is the one which is
    called as Linux is.
    """
    found = _trees(top, _DEPTH)
    if len(found) > 1:
        found = [tree for tree in found if tree.name.startswith("linux")] or found
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(tree.relative_to(top)) for tree in found)
    raise UserError(
        f"{package} holds no kernel source" if not found else f"{package} holds several: {names}",
        hint="unpack it, and give the tree: --source DIR",
    )


def _trees(directory: Path, depth: int) -> list[Path]:
    try:
        KernelVersion.of_tree(directory)
    except UserError:
        below = [path for path in sorted(directory.glob("*")) if path.is_dir()] if depth else []
        return [tree for path in below for tree in _trees(path, depth - 1)]
    return [directory]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The source of Linux that a build starts from: finding it, its identity, unpacking it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import staged_directory
from dynaccel.core.errors import UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths, process, tools
from dynaccel.kbuild import debian, source_packages, space, trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaccel.core.events import Reporter

DEFAULT = "debian:6.1"

_DECOMPRESSORS = {
    b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
"""What compressed files begin with, and the programs that tar calls for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of Linux that is there.

    Attributes:
        label: As a user names it.
        identity: Hash (hex) of its content.
        path: A tarball, a source package, or the top directory of a tree.
        files: The files of the tree that count, relative to it; empty for others.
    """

    label: str
    identity: str
    path: Path
    files: tuple[str, ...] = ()


def downloads_dir() -> Path:
    """Return the directory in which fetched tarballs are kept."""
    return paths.cache_dir() / "src"


def _from_debian(version: str, reporter: Reporter) -> Path:
    return debian.find_archive(version, cache=downloads_dir(), reporter=reporter)


ARCHIVES: dict[str, Callable[[str, Reporter], Path]] = {"debian": _from_debian}
"""What can stand before the colon of a source, and what turns the rest into a tarball."""


def resolve(reference: str, *, reporter: Reporter) -> Source:
    """Return the source that a user means.

    Args:
        reference: ``debian:6.1``, a tarball, a source package, or a kernel tree.
        reporter: Hears of a download.

    Raises:
        UserError: There is no such thing, or it is not a kernel source.
        MissingError: A package is not known on this machine.
        InfrastructureError: A download failed.
    """
    path = Path(reference).expanduser()
    scheme, colon, rest = reference.partition(":")
    if colon and scheme in ARCHIVES and not path.exists():
        return _archive(reference, ARCHIVES[scheme](rest, reporter))
    if path.is_dir():
        KernelVersion.of_tree(path)
        resolved = path.resolve()
        files = trees.list_files(resolved)
        identity = trees.identity(resolved, files)
        return Source(label=str(resolved), identity=identity, path=resolved, files=files)
    if path.is_file():
        return _archive(str(path.resolve()), path.resolve())
    raise UserError(
        f"there is no kernel source {reference!r}",
        hint=f"give {DEFAULT}, a tarball, a source package (.src.rpm, .dsc), or the top directory"
        " of a kernel tree",
    )


def unpack(source: Source, into: Path, *, reporter: Reporter) -> None:
    """Make a pristine tree of ``source`` at ``into``, whole or not at all; the source stays as is.

    Raises:
        UserError: The tarball or package cannot be read, or holds no kernel source.
        MissingError: A program that unpacks it is not on PATH.
        InfrastructureError: The disk is full.
    """
    space.require(paths.cache_dir(), space.UNPACKED_BYTES)
    with staged_directory(into) as staging:
        if source.files:
            reporter.info(f"copying {source.label}")
            trees.copy_files(source.path, source.files, staging)
        else:
            reporter.info(f"unpacking {source.path}")
            kind = source_packages.kind_of(source.path)
            if kind is None:
                _extract(source.path, staging)
            else:
                _extract_package(source.path, kind, staging)
        try:
            KernelVersion.of_tree(staging)
        except UserError as error:
            raise UserError(
                f"{source.label} holds no kernel source",
                hint="give a tarball with the top directory of a Linux source",
            ) from error


def _archive(label: str, path: Path) -> Source:
    try:
        with path.open("rb") as stream:
            identity = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}", hint="name a readable tarball"
        ) from error
    return Source(label=label, identity=identity, path=path)


def _extract_package(package: Path, kind: source_packages.Kind, into: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".package.", dir=into.parent) as name:
        tree = source_packages.unpack(package, kind, Path(name))
        for entry in list(tree.iterdir()):
            entry.rename(into / entry.name)
    trees.clean(into)


def _extract(archive: Path, into: Path) -> None:
    tools.require("tar")
    _require_decompressor(archive)
    done = process.run(
        ["tar", "--extract", "--no-same-owner", f"--file={archive}", f"--directory={into}"],
        env={"LC_ALL": "C", "TAR_OPTIONS": ""}, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        detail = process.tail(done.stderr)
        if space.ran_out(detail):
            raise space.full(into.parent, detail=detail)
        raise UserError(
            f"cannot unpack {archive}: it is damaged, or not a tarball",
            detail=detail,
            hint=f"see what tar says: tar -tf {archive}",
        )
    _lift_single_directory(into)


def _require_decompressor(archive: Path) -> None:
    """Check that the program is there that tar calls for a compressed archive."""
    with archive.open("rb") as stream:
        start = stream.read(max(map(len, _DECOMPRESSORS)))
    for magic, program in _DECOMPRESSORS.items():
        if start.startswith(magic):
            tools.require(program)


def _lift_single_directory(directory: Path) -> None:
    """Put what lies in the one top directory of a tarball where that directory is."""
    entries = list(directory.iterdir())
    if len(entries) != 1 or not entries[0].is_dir() or entries[0].is_symlink():
        return
    top = entries[0].rename(directory / ".top")
    for entry in list(top.iterdir()):
        entry.rename(directory / entry.name)
    top.rmdir()

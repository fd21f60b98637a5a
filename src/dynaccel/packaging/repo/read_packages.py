# SPDX-License-Identifier: GPL-2.0-or-later
"""Package files that a user names: found, read with their own tools, and judged."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import ProcessError, UserError
from dynaccel.host import process
from dynaccel.packaging.repo import disk, layout
from dynaccel.packaging.repo.contents import DEB, RPM, Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIXES = {".rpm": RPM, ".deb": DEB}
_ARCHES = {
    RPM: (*layout.RPM_ARCHES, layout.RPM_ANY, layout.RPM_SOURCE),
    DEB: (*layout.DEB_ARCHES, layout.DEB_ANY),
}
# The header's digest covers the payload's, and no signature; packages before rpm 4.14 have none.
_RPM_QUERY = (
    r"%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}-%{RELEASE}\t"
    r"%|SOURCEPACKAGE?{src}:{%{ARCH}}|\t%|SHA256HEADER?{%{SHA256HEADER}}:{%{SIGMD5}}|"
)
_DEB_QUERY = r"${Package}\t${Version}\t${Architecture}"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^-]*")
"""What a name or version is made of that becomes part of a file's name and of an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A package file of the user's, which is never changed.

    Attributes:
        path: The file.
        identity: What a package manager takes it for.
        content: Hash (hex) of what is in it, whoever signed it.
        size: Of the file, in bytes.
    """

    path: Path
    identity: Identity
    content: str
    size: int

    @property
    def file_name(self) -> str:
        """The name that it gets in the repository, which says what it is."""
        this = self.identity
        version = this.version.rpartition(":")[2]
        if this.kind == RPM:
            return f"{this.name}-{version}.{this.arch}.rpm"
        return f"{this.name}_{version}_{this.arch}.deb"


class _BadFileError(Exception):
    """Why a file is no package that can be published."""


def read(paths: Sequence[Path]) -> tuple[Candidate, ...]:
    """Return the packages that files and directories hold; the same package once.

    Args:
        paths: Files, and directories whose packages are all meant, at any depth.

    Raises:
        UserError: There is something wrong with some of them; all such are listed.
    """
    mistakes: list[str] = []
    found: dict[Identity, Candidate] = {}
    for path in _files(paths, mistakes):
        try:
            candidate = _read_one(path)
        except _BadFileError as error:
            mistakes.append(f"{path}: {error}")
            continue
        other = found.setdefault(candidate.identity, candidate)
        if other.content != candidate.content:
            mistakes.append(f"{path}: the same package as {other.path}, but not the same content")
    if mistakes:
        count = len(mistakes)
        raise UserError(
            f"{count} of what was named cannot be published; nothing was changed",
            detail="\n".join(mistakes),
            hint="name .rpm, .src.rpm and .deb files, or directories that hold such",
        )
    return tuple(found.values())


def _files(paths: Sequence[Path], mistakes: list[str]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [
                Path(directory, name)
                for directory, _, names in os.walk(path)
                for name in names
                if Path(name).suffix in _SUFFIXES and not name.startswith(".")
            ]
            files += sorted(inside)
            if not inside:
                mistakes.append(f"{path}: a directory without packages")
        elif not path.exists():
            mistakes.append(f"{path}: not there")
        elif path.suffix not in _SUFFIXES:
            mistakes.append(f"{path}: neither .rpm nor .deb")
        else:
            files.append(path)
    return files


def _read_one(path: Path) -> Candidate:
    kind = _SUFFIXES[path.suffix]
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise _BadFileError(error.strerror) from error
    # rpm takes a path for a pattern: by a link it gets a plain one.
    with tempfile.TemporaryDirectory(prefix="dynaccel-repo-") as scratch:
        link = Path(scratch, f"package.{kind}")
        link.symlink_to(path.absolute())
        try:
            identity, content = _read_rpm(link) if kind == RPM else _read_deb(link)
        except ProcessError as error:
            raise _BadFileError(_reason(error, link)) from error
    if identity.arch not in _ARCHES[kind]:
        raise _BadFileError(
            f"its architecture is {identity.arch}; a repository has {', '.join(_ARCHES[kind])}"
        )
    epoch, _, version = identity.version.rpartition(":")
    if not (_PLAIN.fullmatch(identity.name) and _PLAIN.fullmatch(version)) or (
        epoch and not epoch.isdecimal()
    ):
        raise _BadFileError(f"its name or version has unusual characters: {identity}")
    return Candidate(path=path, identity=identity, content=content, size=size)


def _read_rpm(path: Path) -> tuple[Identity, str]:
    environment = {"LC_ALL": "C"}
    shown = process.run(
        ["rpm", "--query", "--package", "--nosignature", "--queryformat", _RPM_QUERY, path],
        env=environment,
    )
    name, epoch, version, arch, content = shown.text.split("\t")
    process.run(["rpmkeys", "--checksig", "--nosignature", path], env=environment)
    if epoch != "0":
        version = f"{epoch}:{version}"
    return Identity(kind=RPM, name=name, version=version, arch=arch), content


def _read_deb(path: Path) -> tuple[Identity, str]:
    environment = {"LC_ALL": "C"}
    shown = process.run(["dpkg-deb", "--show", f"--showformat={_DEB_QUERY}", path], env=environment)
    # Reads all of it: a .deb that was cut off has a good beginning.
    process.run(["dpkg-deb", "--contents", path], env=environment)
    try:
        name, version, arch = shown.text.split("\t")
    except ValueError as error:
        raise _BadFileError("its control file lacks a field") from error
    version = version.removeprefix("0:")
    return Identity(kind=DEB, name=name, version=version, arch=arch), disk.sha256(path)


def _reason(error: ProcessError, link: Path) -> str:
    lines = [line.strip() for line in (error.detail or "").splitlines() if line.strip()]
    last = lines[-1].removeprefix("error: ") if lines else error.message
    return f"no whole package: {last.replace(f'{link}: ', '').replace(f'{link}', 'it')}"

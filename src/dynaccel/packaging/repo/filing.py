# SPDX-License-Identifier: GPL-2.0-or-later
"""Put signed copies of packages into the pool; what the user named stays as it is."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.core.events import Progress
from dynaccel.packaging.repo import disk, read_packages, signing
from dynaccel.packaging.repo.contents import RPM, Package
from dynaccel.packaging.repo.layout import KEY_FILE, pool_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.packaging.repo.key import Key
    from dynaccel.packaging.repo.read_packages import Candidate


def as_candidates(packages: Sequence[Package], top: Path) -> list[Candidate]:
    """Return packages of the repository at ``top`` as if a user had named their files."""
    return [
        read_packages.Candidate(
            path=top / package.file,
            identity=package.identity,
            content=package.content,
            size=package.size,
        )
        for package in packages
    ]


def file(
    coming: Sequence[Candidate], *, top: Path, key: Key, work: Path, reporter: Reporter
) -> list[Package]:
    """Sign copies of packages, put them into the pool, and return what they are there.

    A package that carries a good signature of the key's is kept bit by bit. Nobody reads the
    files before a generation names them.

    Args:
        coming: The packages.
        top: The repository.
        key: Signs.
        work: An empty directory on the repository's file system.
        reporter: Hears of each package.

    Raises:
        UserError: A file changed since it was looked at, or rpm does not know the key's kind.
        ProcessError: rpmsign or gpg failed.
    """
    if not coming:
        return []
    (work / KEY_FILE).write_text(key.public, encoding="ascii")
    known = signing.RpmKeys(work / KEY_FILE, work / "rpm-keys")
    filed = []
    for number, candidate in enumerate(coming):
        reporter.progress(
            Progress(stage="sign", done=number, total=len(coming), message=str(candidate.identity))
        )
        filed.append(_file_one(candidate, top=top, key=key, known=known, work=work))
    reporter.progress(Progress(stage="sign", done=len(coming), total=len(coming)))
    return filed


def _file_one(
    candidate: Candidate, *, top: Path, key: Key, known: signing.RpmKeys, work: Path
) -> Package:
    copy = work / candidate.file_name
    shutil.copyfile(candidate.path, copy)
    is_rpm = candidate.identity.kind == RPM
    if is_rpm and known.bad([copy]):
        signing.sign_rpm(copy, key)
        if wrong := known.bad([copy]):
            raise UserError(
                f"rpm finds no good signature on {copy.name} after it was signed",
                detail="\n".join(wrong),
                hint="make an RSA key: docs/repositories.md",
            )
    (copied,) = read_packages.read([copy])
    if replace(copied, path=candidate.path, size=candidate.size) != candidate:
        raise UserError(
            f"{candidate.path} changed while it was published; nothing was changed",
            hint="publish it when it is finished",
        )
    sha256 = disk.sha256(copy)
    package = Package(
        **asdict(candidate.identity),
        content=candidate.content,
        file=pool_path(candidate.identity.kind, sha256, copy.name),
        sha256=sha256,
        size=copy.stat().st_size,
        signer=key.fingerprint if is_rpm else None,
    )
    target = top / package.file
    disk.make_directory(target.parent)
    copy.chmod(0o644)
    disk.sync(copy)
    copy.rename(target)
    disk.sync(target.parent)
    return package

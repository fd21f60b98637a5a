# SPDX-License-Identifier: GPL-2.0-or-later
"""What apt reads: one suite with one component, by hash, without an end of its validity."""

from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

from dynaccel.core.errors import StageError
from dynaccel.host import process
from dynaccel.packaging.repo import disk, layout, signing
from dynaccel.packaging.repo.contents import DEB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Package
    from dynaccel.packaging.repo.key import Key

POOL_LINK = "pool"
DIST = f"dists/{layout.SUITE}"
_OPTIONS = {
    "APT::FTPArchive::MD5": "false",
    "APT::FTPArchive::SHA1": "false",
    "APT::FTPArchive::SHA512": "false",
}
# No Valid-Until: to a client whose clock runs years ahead every date is long past.
_RELEASE = {
    "Origin": "dynaccel",
    "Label": "dynaccel",
    "Suite": layout.SUITE,
    "Codename": layout.SUITE,
    "Architectures": " ".join(layout.DEB_ARCHES),
    "Components": layout.COMPONENT,
    "Description": "Linux whose time can be accelerated",
    "Acquire-By-Hash": "yes",
}


def arch_packages(packages: Sequence[Package], arch: str) -> list[Package]:
    """Return those of the packages that a machine of an architecture can install."""
    wanted = (arch, layout.DEB_ANY)
    return [package for package in packages if package.kind == DEB and package.arch in wanted]


def write(generation: Path, packages: Sequence[Package], *, top: Path, key: Key) -> None:
    """Write the directory ``deb`` of a generation.

    Args:
        generation: Its directory, as deep below the repository as the final one.
        packages: All packages of the repository; the files are in the pool.
        top: The repository.
        key: Signs.

    Raises:
        ProcessError: apt-ftparchive or gpg failed.
        StageError: apt-ftparchive passed a package over.
    """
    root = generation / "deb"
    root.mkdir()
    disk.make_directory(top / "pool" / "deb")
    (root / POOL_LINK).symlink_to("../../../pool/deb")
    entries: dict[str, str] = {}
    for arch in layout.DEB_ARCHES:
        index = root / DIST / layout.COMPONENT / f"binary-{arch}"
        index.mkdir(parents=True)
        wanted = arch_packages(packages, arch)
        for package in wanted:
            if package.file not in entries:
                entries[package.file] = _entry(root, package)
        content = "\n".join(entries[package.file] for package in wanted).encode()
        (index / "Packages").write_bytes(content)
        (index / "Packages.gz").write_bytes(gzip.compress(content, mtime=0))
        (index / "Packages.xz").write_bytes(lzma.compress(content))
    dist = root / DIST
    fields = {f"APT::FTPArchive::Release::{name}": value for name, value in _RELEASE.items()}
    release = _ftparchive(
        root, {**_OPTIONS, **fields, "APT::FTPArchive::DoByHash": "true"}, "release", DIST
    )
    (dist / "Release").write_bytes(release)
    signing.sign_inline(dist / "Release", key, dist / "InRelease")
    signing.sign_detached(dist / "Release", key, dist / "Release.gpg")


def _entry(root: Path, package: Package) -> str:
    name = package.file.replace("pool/deb/", f"{POOL_LINK}/", 1)
    text = _ftparchive(root, _OPTIONS, "packages", name).decode().strip()
    # It skips what it cannot read, and ends well.
    if f"\nFilename: {name}\n" not in text:
        raise StageError(
            f"apt-ftparchive says nothing of {package.identity}",
            hint=f"see what it is: dpkg-deb --info {root / name}",
        )
    return text + "\n"


def _ftparchive(root: Path, options: dict[str, str], *words: str) -> bytes:
    chosen = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = process.run(["apt-ftparchive", *chosen, *words], cwd=root, env={"LC_ALL": "C"})
    return done.stdout

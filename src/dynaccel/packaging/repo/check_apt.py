# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify what apt reads: signatures, hashes, and that all packages are listed as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynaccel.packaging.repo import apt_metadata, disk, layout, signing

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Manifest

_HASH_LINE = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", re.MULTILINE)


def problems(generation: Path, manifest: Manifest, keyring: Path, scratch: Path) -> list[str]:
    """Return what is wrong with the metadata of a generation, a line each.

    Args:
        generation: Its directory.
        manifest: What should be in it.
        keyring: The public key, as gpgv reads it.
        scratch: A directory for what has to be written on the way.
    """
    try:
        return [
            f"deb/{apt_metadata.DIST}/{problem}"
            for problem in _problems(generation, manifest, keyring, scratch)
        ]
    except (OSError, ValueError) as error:
        return [f"deb: {error}"]


def _problems(generation: Path, manifest: Manifest, keyring: Path, scratch: Path) -> list[str]:
    dist = generation / "deb" / apt_metadata.DIST
    release, signed = dist / "Release", scratch / "InRelease.text"
    found = []
    if wrong := signing.verify(keyring, dist / "InRelease", text=signed):
        found.append(f"InRelease: {wrong}")
    if wrong := signing.verify(keyring, dist / "Release.gpg", release):
        found.append(f"Release: {wrong}")
    if found:
        return found
    text = release.read_text(encoding="utf-8")
    if signed.read_text(encoding="utf-8").rstrip() != text.rstrip():
        found.append("InRelease: another text than Release")
    hashes = _HASH_LINE.findall(text)
    found += _mismatches(dist, hashes)
    if found:
        return found
    names = {name for _, _, name in hashes}
    for arch in layout.DEB_ARCHES:
        index = f"{layout.COMPONENT}/binary-{arch}/Packages"
        if index not in names:
            found.append(f"Release: does not list {index}")
        else:
            found += [f"{index}: {wrong}" for wrong in _listed(dist / index, arch, manifest)]
    return found


def _mismatches(dist: Path, hashes: list[tuple[str, str, str]]) -> list[str]:
    return [
        f"{path.relative_to(dist)}: {wrong}"
        for sha256, size, name in hashes
        for path in (dist / name, (dist / name).parent / "by-hash" / "SHA256" / sha256)
        if (wrong := disk.mismatch(path, sha256, int(size)))
    ]


def _listed(index: Path, arch: str, manifest: Manifest) -> list[str]:
    listed = set()
    for paragraph in index.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^(Filename|Size|SHA256): (\S+)$", paragraph, re.MULTILINE))
        if fields:
            listed.add((fields.get("Filename"), fields.get("SHA256"), fields.get("Size")))
    wanted = {
        (package.file.replace("pool/deb", apt_metadata.POOL_LINK, 1), package.sha256,
         str(package.size))
        for package in apt_metadata.arch_packages(manifest.packages, arch)
    }  # fmt: skip
    different = sorted({str(name) for name, _, _ in listed ^ wanted})
    return [f"{name}: not listed as it was published" for name in different]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify what dnf reads: signatures, hashes, and that all packages are listed as they are."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from dynaccel.packaging.repo import disk, layout, rpm_metadata, signing
from dynaccel.packaging.repo.contents import RPM

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Manifest

_REPO = "{http://linux.duke.edu/metadata/repo}"
_COMMON = "{http://linux.duke.edu/metadata/common}"


def problems(generation: Path, manifest: Manifest, keyring: Path) -> list[str]:
    """Return what is wrong with the metadata of a generation, a line each.

    Args:
        generation: Its directory.
        manifest: What should be in it.
        keyring: The public key, as gpgv reads it.
    """
    found = []
    for part in layout.RPM_PARTS:
        directory = generation / "rpm" / part
        try:
            wrong = _problems(directory, part, manifest, keyring)
        except (OSError, ValueError, ET.ParseError, EOFError) as error:
            wrong = [str(error)]
        found += [f"rpm/{part}: {problem}" for problem in wrong]
    return found


def unsigned(top: Path, manifest: Manifest, known: signing.RpmKeys) -> list[str]:
    """Return what rpm says of packages that are damaged, or lack the key's signature."""
    files = [package.file for package in manifest.packages if package.kind == RPM]
    here = [name for name in files if (top / name).is_file()]
    return [line.removeprefix(f"{top}/") for line in known.bad([top / name for name in here])]


def _problems(directory: Path, part: str, manifest: Manifest, keyring: Path) -> list[str]:
    repomd = directory / "repodata" / "repomd.xml"
    wrong = signing.verify(keyring, repomd.with_name("repomd.xml.asc"), repomd)
    if wrong:
        return [f"repomd.xml: {wrong}"]
    found = []
    primary = None
    for data in ET.parse(repomd).getroot().iter(f"{_REPO}data"):  # noqa: S314  (it is signed)
        name = _child(data, f"{_REPO}location").get("href", "")
        size = int(_text(data, f"{_REPO}size"))
        if mismatch := disk.mismatch(directory / name, _text(data, f"{_REPO}checksum"), size):
            found.append(f"{name}: {mismatch}")
        elif data.get("type") == "primary":
            primary = directory / name
    if primary is not None:
        found += _listed(primary, part, manifest)
    elif not found:
        found.append("repomd.xml names no list of packages")
    return found


def _listed(primary: Path, part: str, manifest: Manifest) -> list[str]:
    root = ET.fromstring(gzip.decompress(primary.read_bytes()))  # noqa: S314  (its hash is signed)
    listed = {}
    for package in root.iter(f"{_COMMON}package"):
        href = _child(package, f"{_COMMON}location").get("href", "")
        size = int(_child(package, f"{_COMMON}size").get("package", "-1"))
        listed[href] = (_text(package, f"{_COMMON}checksum"), size)
    wanted = {
        package.file.replace("pool/rpm", rpm_metadata.PACKAGES_LINK, 1): (
            package.sha256,
            package.size,
        )
        for package in rpm_metadata.part_packages(manifest.packages, part)
    }
    different = sorted(name for name, _ in listed.items() ^ wanted.items())
    return [f"{name}: not listed as it was published" for name in dict.fromkeys(different)]


def _child(element: ET.Element, name: str) -> ET.Element:
    child = element.find(name)
    if child is None:
        raise ValueError(f"no {name} in {element.tag}")
    return child


def _text(element: ET.Element, name: str) -> str:
    return _child(element, name).text or ""

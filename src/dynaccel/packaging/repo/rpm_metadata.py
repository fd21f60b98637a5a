# SPDX-License-Identifier: GPL-2.0-or-later
"""What dnf reads: a repodata directory for each architecture, and one for source packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.host import process
from dynaccel.packaging.repo import disk, layout, signing
from dynaccel.packaging.repo.contents import RPM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Package
    from dynaccel.packaging.repo.key import Key

PACKAGES_LINK = "packages"
MIRROR_LIST = "mirrorlist"


def part_packages(packages: Sequence[Package], part: str) -> list[Package]:
    """Return those of the packages that belong to an architecture's part, or the sources'."""
    if part == layout.SOURCE_PART:
        wanted: tuple[str, ...] = (layout.RPM_SOURCE,)
    else:
        wanted = (part, layout.RPM_ANY)
    return [package for package in packages if package.kind == RPM and package.arch in wanted]


def write(
    generation: Path,
    packages: Sequence[Package],
    *,
    top: Path,
    base_url: str,
    final_name: str,
    revision: int,
    key: Key,
) -> None:
    """Write the directory ``rpm`` of a generation.

    Args:
        generation: Its directory, as deep below ``top`` as the final one.
        packages: All packages of the repository; the files are in the pool.
        top: The repository.
        base_url: What readers call the repository.
        final_name: What the generation will be called.
        revision: Number of the generation.
        key: Signs.

    Raises:
        ProcessError: createrepo_c or gpg failed.
    """
    disk.make_directory(top / "pool" / "rpm")
    for part in layout.RPM_PARTS:
        directory = generation / "rpm" / part
        directory.mkdir(parents=True)
        (directory / PACKAGES_LINK).symlink_to("../../../../pool/rpm")
        wanted = generation / "packages.list"
        names = [
            package.file.removeprefix("pool/rpm/") for package in part_packages(packages, part)
        ]
        wanted.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        process.run(
            [
                "createrepo_c", "--quiet", "--checksum", "sha256", "--unique-md-filenames",
                "--no-database",
                # Newer ones write zstd, which dnf of CentOS 8 does not read.
                "--general-compress-type", "gz",
                "--revision", str(revision),
                "--pkglist", wanted, "--location-prefix", PACKAGES_LINK,
                "--outputdir", directory, top / "pool" / "rpm",
            ],
            env={"LC_ALL": "C"},
        )  # fmt: skip
        wanted.unlink()
        metadata = directory / "repodata" / "repomd.xml"
        signing.sign_detached(metadata, key, metadata.with_name("repomd.xml.asc"))
        (directory / MIRROR_LIST).write_text(mirror_list(base_url, final_name, part))


def mirror_list(base_url: str, generation: str, part: str) -> str:
    """Return the text that leads a reader to one generation, whose files all fit each other."""
    return f"{base_url}/generations/{generation}/rpm/{part}/\n"

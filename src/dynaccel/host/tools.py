# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Debian package brings which program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.errors import MissingError

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch

PACKAGES = {
    "apt-ftparchive": "apt-utils",
    "arch-test": "arch-test",
    "bc": "bc",
    "bison": "bison",
    "bzip2": "bzip2",
    "ccache": "ccache",
    "cpio": "cpio",
    "createrepo_c": "createrepo-c",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "dpkg-query": "dpkg",
    "dpkg-source": "dpkg-dev",
    "flex": "flex",
    "gcc": "gcc",
    "git": "git",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gpgv": "gpgv",
    "gzip": "gzip",
    "ld": "binutils",
    "make": "make",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "perl": "perl",
    "qemu-img": "qemu-utils",
    "rpm": "rpm",
    "rpmbuild": "rpm",
    "rpmkeys": "rpm",
    "rpmsign": "rpm",
    "rsync": "rsync",
    "spatch": "coccinelle",
    "tar": "tar",
    "unshare": "util-linux",
    "xz": "xz-utils",
    "zstd": "zstd",
    **{arch.board.qemu: arch.board.package for arch in arches.ARCHES},
}


def install_command(*packages: str) -> str:
    """Return the command that installs Debian packages by name."""
    return "sudo apt-get install " + " ".join(packages)


def find(program: str) -> Path | None:
    """Return the path of ``program`` on PATH, or None."""
    path = shutil.which(program)
    return Path(path) if path else None


def require(program: str) -> Path:
    """Return the path of ``program`` on PATH.

    Raises:
        MissingError: It is not there; the hint is the command that installs it.
    """
    path = find(program)
    if path is None:
        package = PACKAGES.get(program)
        raise MissingError(
            f"the program {program} is not on PATH",
            hint=install_command(package) if package else f"install {program}",
        )
    return path


def require_compiler(arch: Arch) -> Path:
    """Return the path of the C compiler that makes programs for ``arch``.

    Raises:
        MissingError: It is not there; the hint installs it, with the static C library.
    """
    path = find(arch.compiler)
    if path is None:
        raise MissingError(
            f"the program {arch.compiler} is not on PATH; it compiles for guests of {arch.debian}",
            hint=install_command(*arch.compiler_packages),
        )
    return path

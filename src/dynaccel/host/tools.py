# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Debian package brings which program."""

from __future__ import annotations

import shutil
from pathlib import Path

from dynaccel.core.errors import MissingError

PACKAGES = {
    "bc": "bc",
    "bison": "bison",
    "ccache": "ccache",
    "cpio": "cpio",
    "flex": "flex",
    "gcc": "gcc",
    "git": "git",
    "ld": "binutils",
    "make": "make",
    "perl": "perl",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "spatch": "coccinelle",
    "tar": "tar",
    "xz": "xz-utils",
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

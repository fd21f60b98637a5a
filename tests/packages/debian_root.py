# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Debian with Python to install packages into: made once, copied for each test."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from debian_roots import directory as made_directory
from dynaccel.vm.debian_image import Debian

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = (3, 11)
PACKAGES = ("bash-completion", "man-db", "python3")
"""What comes on top of Debian's essential packages and apt."""

_LIMIT_SECONDS = 1800


class Root:
    """A directory with a Debian of the test's own.

    Args:
        directory: The directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *argv: str, status: int = 0) -> str:
        """Run a program in it with a user's plain environment; return all that it says."""
        done = subprocess.run(
            ["unshare", "--mount", "--net", "chroot", self.directory, *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, text=True, timeout=_LIMIT_SECONDS, cwd="/",
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive",
            },
        )  # fmt: skip
        assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}"
        return done.stdout


def fresh_root(directory: Path) -> Root:
    """Copy the Debian to a directory that is not there yet; skip when it cannot be had."""
    made = made_directory(Debian(base=(), packages=PACKAGES))
    subprocess.run(["cp", "--archive", made, directory], check=True)
    # No mirror: what a package needs beyond this it has to do without.
    (directory / "etc/apt/sources.list").write_text("")
    return Root(directory)

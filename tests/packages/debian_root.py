# SPDX-License-Identifier: GPL-2.0-or-later
"""A small Debian with Python to install packages into: made once, copied for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from pathlib import Path

SUITE = "bookworm"
PYTHON = (3, 11)
PACKAGES = ("bash-completion", "man-db", "python3")
"""What comes on top of Debian's essential packages and apt."""

_RECIPE = 1
"""To be raised when what is done below changes."""
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
    subprocess.run(["cp", "--archive", _made(), directory], check=True)
    return Root(directory)


def _made() -> Path:
    plan = content_hash([("recipe", f"{_RECIPE} {SUITE} {' '.join(PACKAGES)}".encode())])
    final = paths.cache_dir() / "test" / f"debian-python-{SUITE}-{plan[:8]}"
    if not final.is_dir():
        _check_means()
        with staged_directory(final) as staging:
            _bootstrap(staging)
            for name in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(staging / name)
                (staging / name / "partial").mkdir(parents=True)
            # No mirror: what a package needs beyond this it has to do without.
            (staging / "etc/apt/sources.list").write_text("")
    return final


def _check_means() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian: debootstrap sets owners and devices")
    if tools.find("debootstrap") is None:
        pytest.skip(f"no debootstrap: {tools.install_command('debootstrap')}")


def _mirror() -> str:
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian"]
    listed = process.run(argv, check=False).text.split()
    if not listed:
        pytest.skip("this machine's apt has no mirror of Debian")
    return listed[0]


def _bootstrap(root: Path) -> None:
    # In a mount name space of its own: what it mounts in there is gone with it, come what may.
    done = subprocess.run(
        [
            "unshare", "--mount", "debootstrap", "--variant=minbase",
            f"--include={','.join(PACKAGES)}", SUITE, root, _mirror(),
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=_LIMIT_SECONDS, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"Debian {SUITE} cannot be had: {process.tail(done.stdout, 3)}")

# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian with systemd, for guests that boot one: as a directory, and as a disk image.

Made once by debootstrap from the mirror of this machine's apt and kept in the cache under a hash
of the recipe below; never a part of one. Tests share both and change neither: what a guest writes
is thrown away.
"""

from __future__ import annotations

import functools
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
PACKAGES = (
    "systemd-sysv", "systemd-timesyncd", "dbus", "udev", "kmod", "procps", "cron", "logrotate",
    "initramfs-tools", "linux-base",
)  # fmt: skip
"""What comes on top of Debian's essential packages."""

HOSTNAME = "debian"
IMAGE_SIZE = "2G"
_RECIPE = 1
"""To be raised when what is done below changes."""
_LIMIT_SECONDS = 1800
_ROOT = "root"
_DISK = "disk.qcow2"


@functools.cache
def debian_system_directory() -> Path:
    """Return the directory that holds the system's root; skip the test when it cannot be had."""
    return _made() / _ROOT


@functools.cache
def debian_system_image() -> Path:
    """Return a disk image (qcow2: one ext4, no partitions) of the same."""
    return _made() / _DISK


@functools.cache
def _made() -> Path:
    words = [f"{_RECIPE}", SUITE, *PACKAGES, HOSTNAME, IMAGE_SIZE]
    plan = content_hash([("recipe", " ".join(words).encode())])
    final = paths.cache_dir() / "test" / f"debian-{SUITE}-{plan[:8]}"
    if not final.is_dir():
        _check_means()
        with staged_directory(final) as staging:
            _bootstrap(staging / _ROOT)
            _finish(staging / _ROOT)
            _pack(staging / _ROOT, staging / _DISK)
    return final


def _check_means() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian to boot: debootstrap sets owners and devices")
    for program, package in (
        ("debootstrap", "debootstrap"),
        ("unshare", "util-linux"),
        ("mke2fs", "e2fsprogs"),
        ("qemu-img", "qemu-utils"),
    ):
        if tools.find(program) is None:
            pytest.skip(f"{program} is not installed: {tools.install_command(package)}")


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


def _finish(root: Path) -> None:
    for name in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / name)
        (root / name / "partial").mkdir(parents=True)
    (root / "etc/hostname").write_text(f"{HOSTNAME}\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)  # it was this machine's


def _pack(root: Path, disk: Path) -> None:
    raw = disk.with_suffix(".raw")
    process.run(["mke2fs", "-q", "-t", "ext4", "-d", root, raw, IMAGE_SIZE])
    process.run(["qemu-img", "convert", "-O", "qcow2", raw, disk])
    raw.unlink()

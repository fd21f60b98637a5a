# SPDX-License-Identifier: GPL-2.0-or-later
"""A small root file system of Debian packages, for guests that cannot have this machine's.

The packages are unpacked and no more: their own scripts are programs of the guest's architecture.
So there is no dpkg database and nothing that those scripts would have made, but for what programs
need to run at all.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.core.errors import InfrastructureError, MissingError
from dynaccel.host import paths, process, suites

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

SUITE = "bookworm"
PACKAGES = (
    "base-files", "base-passwd", "bash", "coreutils", "dash", "diffutils", "findutils", "grep",
    "gzip", "hostname", "iproute2", "libc-bin", "login", "mawk", "ncurses-bin", "passwd",
    "perl-base", "procps", "sed", "tar", "usr-is-merged", "util-linux",
)  # fmt: skip
"""What Debian calls essential, less what installs packages, with a few tools to look around."""

# What the scripts of the packages would have made of which of their files.
_LINKS = {"etc/mtab": "/proc/self/mounts", "usr/bin/awk": "mawk", "bin/sh": "dash"}
_COPIES = {"etc/passwd": "passwd.master", "etc/group": "group.master"}
_MERGED = ("bin", "lib", "sbin")
_OFFLINE_HINT = (
    "see whether the machine's apt reaches its mirror: sudo apt-get update; or give a root file"
    " system of your own: --root DIR"
)


def debian_root(arch: Arch, *, reporter: Reporter) -> Path:
    """Return the directory of the root file system for guests of ``arch``; made once.

    Raises:
        MissingError: This machine has no apt with a mirror of Debian, or no ``dpkg-deb``.
        InfrastructureError: The packages cannot be fetched or unpacked, or the cache not written.
    """
    plan = content_hash([("suite", SUITE.encode()), ("packages", " ".join(PACKAGES).encode())])
    base = paths.cache_dir() / "roots"
    final = base / f"{arch.debian}-{SUITE}-{plan[:8]}"
    if not final.is_dir():
        apt = suites.suite_apt(
            SUITE, state=base / "apt", reporter=reporter, architecture=arch.debian
        )
        if apt is None:
            raise MissingError(
                f"no root file system for guests of {arch.debian}: apt knows no mirror of Debian",
                hint=_OFFLINE_HINT,
            )
        with staged_directory(final) as staging:
            archives = staging / "archives"
            (archives / "partial").mkdir(parents=True)
            reporter.info(f"fetching a root file system for guests of {arch.debian} (once)")
            _fetch(apt, archives)
            for package in sorted(archives.glob("*.deb")):
                _unpack(package, staging)
            shutil.rmtree(archives)
            _finish(staging)
    return final


def _fetch(apt: suites.Apt, archives: Path) -> None:
    done = process.run(
        [
            "apt-get", *apt.options, f"-oDir::Cache::archives={archives}", "-qq", "--yes",
            "--no-install-recommends", "--download-only", "install", *PACKAGES,
        ],
        env={"LC_ALL": "C"},
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise InfrastructureError(
            f"the packages of a root file system cannot be fetched from Debian {SUITE}",
            detail=process.tail(done.stderr or done.stdout),
            hint=_OFFLINE_HINT,
        )


def _unpack(package: Path, root: Path) -> None:
    done = process.run(["dpkg-deb", "--extract", package, root], env={"LC_ALL": "C"}, check=False)
    if done.returncode != 0:
        raise InfrastructureError(
            f"the package {package.name} cannot be unpacked",
            detail=process.tail(done.stderr),
            hint="the same again, or see whether the disk is full: dynaccel doctor",
        )


def _finish(root: Path) -> None:
    for name, source in _COPIES.items():
        shutil.copyfile(root / "usr/share/base-passwd" / source, root / name)
    for name in _MERGED:
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for name, target in _LINKS.items():
        if not (root / name).is_symlink():
            (root / name).symlink_to(target)

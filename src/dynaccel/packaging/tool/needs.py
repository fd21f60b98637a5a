# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine should have beside dynaccel, by the names of Debian and of RPM's world."""

from __future__ import annotations

from dataclasses import dataclass

from dynaccel.core import arches
from dynaccel.host import tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A package.

    Attributes:
        debian: Its name in Debian.
        rpm: Its names in Fedora and what descends from it.
    """

    debian: str
    rpm: tuple[str, ...]


RUN = (
    Need(debian="qemu-utils", rpm=("qemu-img",)),
    Need(debian="gcc", rpm=("gcc",)),
    Need(debian="libc6-dev", rpm=("glibc-devel", "glibc-static")),
)
"""For ``dynaccel run``, beside QEMU for this architecture: the compiler is the guest's agent's."""

BUILD = (
    Need(debian="bc", rpm=("bc",)),
    Need(debian="bison", rpm=("bison",)),
    Need(debian="ccache", rpm=("ccache",)),
    Need(debian="coccinelle", rpm=("coccinelle",)),
    Need(debian="cpio", rpm=("cpio",)),
    Need(debian="flex", rpm=("flex",)),
    Need(debian="git", rpm=("git-core",)),
    Need(debian="kmod", rpm=("kmod",)),
    Need(debian="libelf-dev", rpm=("elfutils-libelf-devel",)),
    Need(debian="libssl-dev", rpm=("openssl-devel",)),
    Need(debian="make", rpm=("make",)),
    Need(debian="perl", rpm=("perl-interpreter",)),
    Need(debian="xz-utils", rpm=("xz",)),
)
"""For ``dynaccel kernel patch`` and ``build``."""

JUDGE = (Need(debian="python3-scipy", rpm=("python3-scipy",)),)
"""For verdicts on trends: larger than all that dynaccel brings along, so the distribution's."""

_ESSENTIAL = {"dpkg", "gzip", "tar", "util-linux"}
"""Packages that each Debian has."""
_PULLED = {"binutils"}
"""Packages that a compiler brings."""

_RPM_NAMES = {
    "qemu-system-arm": "qemu-system-aarch64-core",
    "qemu-system-x86": "qemu-system-x86-core",
    "rpm": "rpm-build",
    "uidmap": "shadow-utils",
}
"""Packages that RPM's world knows by other names."""


def recommended() -> tuple[Need, ...]:
    """Return what most users want."""
    board = arches.native().board
    return (Need(debian=board.package, rpm=(_RPM_NAMES[board.package],)), *RUN, *BUILD)


def suggested() -> tuple[Need, ...]:
    """Return what only some commands need: libraries, and what brings other programs they call."""
    known = {need.debian for need in recommended()} | _ESSENTIAL | _PULLED
    programs = tuple(
        Need(debian=name, rpm=(_RPM_NAMES.get(name, name),))
        for name in sorted(set(tools.PACKAGES.values()) - known)
    )
    return (*JUDGE, *programs)

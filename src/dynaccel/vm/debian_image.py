# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole Debian systems, with systemd and the packages that a user names: for guests that boot one.

As a disk image, or, for root alone, as a directory. Each is made once, kept in the cache under a
hash of what was asked for, and never changed: what a guest writes is thrown away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.artifacts import content_hash, staged_directory, write_json_atomic
from dynaccel.core.errors import UserError
from dynaccel.host import lock, paths
from dynaccel.vm import debian_bootstrap as bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

SYSTEM = (
    "systemd-sysv", "systemd-timesyncd", "dbus", "udev", "kmod", "procps", "cron", "logrotate",
    "initramfs-tools", "linux-base",
)  # fmt: skip
"""What makes a system of Debian's required packages: one that boots, and takes a kernel."""

DEFAULT_SIZE = 4 << 30
MINIMUM_SIZE = 512 << 20
"""The system without further packages takes 240 MiB of a disk."""

_RECIPE = 2
"""To be raised when what is done here or in debian_bootstrap.py changes."""
_ROOT = "root"
_DISK = "disk.qcow2"
_MANIFEST = "manifest.json"
_DIRECTORY = "directory"
_SUITE_NAME = re.compile(r"[a-z][a-z0-9-]*")
_PACKAGE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9+.-]*[a-z0-9+])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Debian:
    """A Debian to be made.

    Attributes:
        suite: The code name of its release.
        packages: What it has on top of ``base``, by the names of Debian's packages.
        base: What it has on top of Debian's required packages and apt.
        arch: Its architecture.
        finish: Changes the root directory before it is packed; None: nobody does.
        finish_key: Names what ``finish`` does: another key, another system in the cache.

    Raises:
        UserError: The suite or a package has a name that none can have.
        ValueError: Only one of ``finish`` and ``finish_key`` is given.
    """

    suite: str = "bookworm"
    packages: tuple[str, ...] = ()
    base: tuple[str, ...] = SYSTEM
    arch: Arch = field(default_factory=arches.native)
    finish: Callable[[Path], None] | None = field(default=None, compare=False)
    finish_key: str = ""

    def __post_init__(self) -> None:
        # Names go to apt, which would take other texts for patterns, files or removals.
        if not _SUITE_NAME.fullmatch(self.suite):
            raise UserError(
                f"{self.suite!r} is not the name of a Debian release", hint="for example: bookworm"
            )
        for name in self.packages:
            if not _PACKAGE_NAME.fullmatch(name):
                raise UserError(
                    f"{name!r} is not the name of a Debian package",
                    hint="names are of small letters, digits, +, - and . alone: nginx, postgresql",
                )
        if (self.finish is None) != (not self.finish_key):
            raise ValueError("finish and finish_key belong together")

    @property
    def include(self) -> tuple[str, ...]:
        """The packages on top of Debian's required ones and apt, sorted."""
        return tuple(sorted({*self.base, *self.packages}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianImage(Debian):
    """A disk with a Debian, to be made.

    Attributes:
        size_bytes: How large the guest sees the disk. The file is as large as what is on it.
    """

    size_bytes: int = DEFAULT_SIZE


def debian_image(request: DebianImage, *, reporter: Reporter) -> Path:
    """Return a disk image (qcow2: one ext4, no partitions) of the system; made once.

    A file ``manifest.json`` beside it says what is in it.

    Args:
        request: What it shall be like.
        reporter: Hears how far it is.

    Raises:
        UserError: The suite or a package does not exist, packages exclude each other, or they do
            not fit on the disk.
        MissingError: A program that makes it is not there, this user may not, or this machine's apt
            has no mirror of Debian.
        InfrastructureError: The mirror does not answer, or the disk is full.
        StageError: A package failed to install.
    """
    if request.size_bytes < MINIMUM_SIZE:
        raise UserError(
            f"a disk of {request.size_bytes} bytes is too small for a Debian",
            hint=f"the smallest has {MINIMUM_SIZE >> 20} MiB; what is not used takes no room",
        )
    final = _image_place(request)

    def make(staging: Path, held: int) -> None:
        root = staging / _ROOT
        try:
            made = _directory_place(request) / _ROOT
            if not made.is_dir():
                _make_root(request, root, held=held, reporter=reporter)
                made = root
            versions = bootstrap.installed(made)
            bootstrap.pack(made, staging / _DISK, size_bytes=request.size_bytes)
        finally:
            bootstrap.remove(root)
        _describe(request, staging, versions, size_bytes=request.size_bytes)

    _once(final, make, what="a disk image", request=request, reporter=reporter)
    return final / _DISK


def debian_image_if_made(request: DebianImage) -> Path | None:
    """Return the disk image when :func:`debian_image` has made it before; else None."""
    disk = _image_place(request) / _DISK
    return disk if disk.is_file() else None


def debian_directory(request: Debian, *, reporter: Reporter) -> Path:
    """Return a directory that holds the system, with its owners and devices; made once.

    Nobody may change it: who wants to, copies it (``cp --archive``).

    Args:
        request: What it shall be like.
        reporter: Hears how far it is.

    Raises:
        UserError: This user is not root; else as :func:`debian_image`.
        MissingError: As :func:`debian_image`.
        InfrastructureError: As :func:`debian_image`.
        StageError: As :func:`debian_image`.
    """
    if not bootstrap.is_root():
        raise UserError(
            "only root can make a directory with a Debian: its files have many owners",
            hint="take a disk image, which any user can make, or do it as root",
        )
    final = _directory_place(request)

    def make(staging: Path, held: int) -> None:
        _make_root(request, staging / _ROOT, held=held, reporter=reporter)
        _describe(request, staging, bootstrap.installed(staging / _ROOT))

    _once(final, make, what="a directory", request=request, reporter=reporter)
    return final / _ROOT


def _image_place(request: DebianImage) -> Path:
    return _place(request, f"disk {request.size_bytes}")


def _directory_place(request: Debian) -> Path:
    return _place(request, _DIRECTORY)


def _place(request: Debian, form: str) -> Path:
    plan = {
        "recipe": f"{_RECIPE}",
        "form": form,
        "suite": request.suite,
        "arch": request.arch.debian,
        "packages": " ".join(request.include),
        "finish": request.finish_key,
    }
    digest = content_hash((name, text.encode()) for name, text in plan.items())
    return paths.cache_dir() / "images" / f"debian-{request.suite}-{digest[:8]}"


def _once(
    final: Path,
    make: Callable[[Path, int], None],
    *,
    what: str,
    request: Debian,
    reporter: Reporter,
) -> None:
    """Let ``make`` fill a staging directory, which becomes ``final`` unless that is there."""
    if final.is_dir():
        return
    bootstrap.check_means(request.arch)
    waiting = f"{{}} makes the same Debian {request.suite}; waiting for it"
    with lock.exclusive(
        final.with_name(f".{final.name}.lock"),
        on_wait=lambda who: reporter.info(waiting.format(who)),
    ) as held:
        if final.is_dir():
            return
        # Nobody but the holder of the lock makes it: what lies there was left by one killed.
        for left in final.parent.glob(f".{final.name}.*/"):
            bootstrap.remove(left)
        names = f" with {', '.join(request.packages)}" if request.packages else ""
        reporter.info(f"making {what} of Debian {request.suite}{names} (once)")
        with staged_directory(final) as staging:
            make(staging, held)


def _make_root(request: Debian, root: Path, *, held: int, reporter: Reporter) -> None:
    bootstrap.install(
        root, suite=request.suite, arch=request.arch, include=request.include, held=held,
        reporter=reporter,
    )  # fmt: skip
    if request.finish is not None:
        request.finish(root)


def _describe(request: Debian, staging: Path, versions: dict[str, str], **more: int) -> None:
    manifest = {
        "suite": request.suite,
        "arch": request.arch.debian,
        "asked_for": list(request.packages),
        "finish": request.finish_key,
        "packages": versions,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }
    write_json_atomic(staging / _MANIFEST, manifest)

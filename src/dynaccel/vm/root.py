# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user names as root file system or share, checked before anything boots."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import ProcessError, UserError
from dynaccel.host import process, tools
from dynaccel.vm.debian_image import DebianImage, debian_image, debian_image_if_made
from dynaccel.vm.debian_root import debian_root
from dynaccel.vm.machine import ROOT_TAG, DirectoryRoot, ImageFormat, ImageRoot, Root, Share

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

HOST = "host"
DEBIAN = "debian"
DEBIAN_SYSTEM = "debian-system"

_QCOW2_MAGIC = b"QFI\xfb"
_BOOT_SIGNATURE = (510, b"\x55\xaa")
_EXT4_MAGIC = (1024 + 56, b"\x53\xef")
_HEAD_BYTES = 4096
_EMPTIED = Path("/tmp")  # noqa: S108  (the guest's)


def find_root(reference: str, *, arch: Arch, reporter: Reporter) -> Root:
    """Return the root file system that a user names.

    Args:
        reference: ``host``; ``debian`` for a small one that is fetched; ``debian-system``, with
            ``:PACKAGE,...`` or without, for a disk image of a whole one, which is made; a
            directory, or a disk image.
        arch: The guest's architecture.
        reporter: Hears that one is fetched or made.

    Raises:
        UserError: There is none, it cannot be read, its programs are of another architecture,
            Debian has no such package, or the image is damaged.
        MissingError: One of Debian cannot be had on this machine.
        InfrastructureError: Fetching it failed.
        StageError: Making it failed.
    """
    if reference == HOST:
        if not arch.native:
            raise UserError(
                f"a guest of {arch.debian} cannot run this machine's programs, which are of another"
                " architecture",
                hint=f"--root {DEBIAN} fetches a small root file system of {arch.debian};"
                " --root takes a directory or a disk image too",
            )
        return DirectoryRoot(path=Path("/"))
    if reference == DEBIAN:
        return DirectoryRoot(path=debian_root(arch, reporter=reporter))
    name, _, packages = reference.partition(":")
    if name == DEBIAN_SYSTEM:
        return _debian_system(packages, arch=arch, reporter=reporter)
    path = Path(reference).absolute()
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"the root directory {path} cannot be read: no permission")
        return DirectoryRoot(path=path.resolve())
    if not path.exists():
        raise UserError(
            f"there is no root file system at {path}",
            hint="give --root host, --root debian, --root debian-system, a directory that holds a"
            " root file system, or a disk image",
        )
    return ImageRoot(path=path.resolve(), format=_image_format(path))


def find_shares(directories: list[Path]) -> tuple[Share, ...]:
    """Return the shares for directories; each has the same path in the guest.

    Raises:
        UserError: One is no directory that can be read.
    """
    shares = []
    for number, directory in enumerate(directories):
        if not directory.is_dir():
            raise UserError(
                f"cannot share {directory}: it is not a directory", hint=f"mkdir -p {directory}"
            )
        if not os.access(directory, os.R_OK | os.X_OK):
            raise UserError(f"cannot share {directory}: no permission")
        # Not Path.absolute(): the guest must not see '..'.
        target = Path(os.path.abspath(directory))  # noqa: PTH100
        shares.append(Share(source=directory.resolve(), target=target, tag=f"share{number}"))
    return tuple(shares)


def job_root(root: Root) -> str:
    """Return how the ``START`` frame names the root file system."""
    return f"9p:{ROOT_TAG}" if isinstance(root, DirectoryRoot) else "disk"


def working_directory(
    root: Root, shares: tuple[Share, ...], wanted: Path, *, boots: bool = False
) -> Path | None:
    """Return ``wanted`` when it is known to be there in the guest, else None.

    Args:
        root: The guest's root file system.
        shares: What is mounted in it.
        wanted: A directory of this machine.
        boots: Whether the system in ``root`` is booted; its /tmp is empty then.
    """
    if any(wanted.is_relative_to(share.target) for share in shares):
        return wanted
    if boots and wanted.is_relative_to(_EMPTIED):
        return None
    if isinstance(root, DirectoryRoot) and (root.path / wanted.relative_to("/")).is_dir():
        return wanted
    return None


def _debian_system(packages: str, *, arch: Arch, reporter: Reporter) -> ImageRoot:
    names = tuple(name.strip() for name in packages.split(",") if name.strip())
    request = DebianImage(packages=names, arch=arch)
    if debian_image_if_made(request) is None:
        reporter.warning("this disk image of Debian is not there yet: made now, in minutes, once")
    return ImageRoot(path=debian_image(request, reporter=reporter), format=ImageFormat.QCOW2)


def _image_format(path: Path) -> ImageFormat:
    try:
        with path.open("rb") as image:
            head = image.read(_HEAD_BYTES)
    except OSError as error:
        raise UserError(f"the disk image {path} cannot be read: {error.strerror}") from error
    if head.startswith(_QCOW2_MAGIC):
        _check_qcow2(path)
        return ImageFormat.QCOW2
    if path.suffix == ".qcow2":
        raise UserError(
            f"the disk image {path} is damaged: it does not start as a qcow2 image does",
            hint="make or fetch it again",
        )
    if not any(head[at : at + len(sign)] == sign for at, sign in (_BOOT_SIGNATURE, _EXT4_MAGIC)):
        raise UserError(
            f"{path} is no disk image: it holds neither a partition table nor an ext4 file system",
            hint="a raw or qcow2 image of a disk with ext4, or of an ext4 file system, will do",
        )
    return ImageFormat.RAW


def _check_qcow2(path: Path) -> None:
    if tools.find("qemu-img") is None:
        return  # then QEMU itself says what it finds, later and less clearly
    hint = f"qemu-img check {process.command_line([str(path)])}"
    try:
        process.run(["qemu-img", "info", "--output=json", "-U", path])
        # No image lock (-U): several guests may use one image, for none changes it.
        check = process.run(["qemu-img", "check", "--output=json", "-U", path], check=False)
        found = json.loads(check.stdout or b"{}")
    except (ProcessError, ValueError) as error:
        detail = error.detail if isinstance(error, ProcessError) else None
        raise UserError(f"the disk image {path} is damaged", hint=hint, detail=detail) from error
    if not found or found.get("corruptions") or found.get("check-errors"):
        raise UserError(
            f"the disk image {path} is damaged: {found.get('corruptions', 0)} corruptions",
            hint=hint,
            detail=process.tail(check.stderr),
        )

# SPDX-License-Identifier: GPL-2.0-or-later
"""The store of built kernels below the cache directory, and how a user's word finds one."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.errors import InfrastructureError, MissingError, UserError
from dynaccel.core.kernels import MANIFEST, Kernel, KernelManifest
from dynaccel.host import paths

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from dynaccel.core.arches import Arch

_BUILD_HINT = "dynaccel kernel build"

_ELF = b"\x7fELF"
_ELF_MACHINE = slice(18, 20)
_ELF_MACHINES = {b"\x3e\0": arches.X86_64, b"\xb7\0": arches.ARM64}
# The signs of a bzImage (Documentation/x86/boot.rst) and of an Image (arm64/booting.rst there).
_IMAGES = {(0x202, b"HdrS"): arches.X86_64, (56, b"ARM\x64"): arches.ARM64}
_HEAD_BYTES = 1 << 10


@functools.cache
def _adapter() -> TypeAdapter[KernelManifest]:
    # Imported here: pydantic takes longer to load than all else that starts a guest.
    from pydantic import TypeAdapter  # noqa: PLC0415

    return TypeAdapter(KernelManifest)


def store_dir() -> Path:
    """Return the directory whose sub-directories are the built kernels."""
    return paths.cache_dir() / "kernels"


def load(directory: Path) -> Kernel:
    """Return the kernel that is filed in ``directory``.

    Raises:
        UserError: There is no usable manifest or image.
    """
    try:
        manifest = _adapter().validate_json((directory / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:  # pydantic's error is a ValueError
        raise UserError(
            f"{directory} holds no built kernel: its {MANIFEST} is missing or damaged",
            hint="dynaccel kernel list",
        ) from error
    kernel = Kernel(directory=directory, manifest=manifest)
    if not kernel.image.is_file():
        raise UserError(
            f"{directory} holds no built kernel: {manifest.image} is missing", hint=_BUILD_HINT
        )
    return kernel


def dump(manifest: KernelManifest) -> bytes:
    """Return the content of ``manifest.json``."""
    return _adapter().dump_json(manifest, indent=2) + b"\n"


def installed() -> list[Kernel]:
    """Return all kernels in the store, newest first; damaged entries are passed over."""
    kernels = []
    if store_dir().is_dir():
        for directory in store_dir().iterdir():
            if directory.name.startswith("."):
                continue  # a build that was cut off, or one that is going on
            try:
                kernels.append(load(directory))
            except UserError:
                continue
    return sorted(kernels, key=lambda kernel: kernel.manifest.created, reverse=True)


def resolve(reference: str | None, *, arch: Arch | None = None) -> Kernel:
    """Return the kernel that a user means.

    Args:
        reference: Start of an id, start of a release (``6.1``; the newest such), a directory that
            ``kernel build`` wrote, or an image file; None for the newest accelerated one. One with
            hooks left out, or built for a comparison, is meant by its id or directory alone.
        arch: What it is for. When None, one that is not named by its id or place is for this
            machine, or, by its release, for another where there is none for this one.

    Raises:
        MissingError: No kernel is built yet.
        UserError: None, or more than one by id, fits, or the one that fits is for something else.
    """
    kernel = _find(reference, arch)
    if arch is not None and kernel.manifest.arch != arch.name:
        raise UserError(
            f"the kernel {reference} is for {kernel.manifest.arch}, not for {arch.name}",
            hint="dynaccel kernel list",
        )
    return kernel


def _find(reference: str | None, arch: Arch | None) -> Kernel:
    if reference is not None and ("/" in reference or Path(reference).exists()):
        return _from_path(Path(reference))
    kernels = installed()
    whole = [kernel for kernel in kernels if not (kernel.manifest.without or kernel.manifest.aside)]
    wanted = arch or arches.native()
    if reference is None:
        for kernel in whole:
            if kernel.manifest.accelerated and kernel.manifest.arch == wanted.name:
                return kernel
        raise MissingError(
            f"no accelerated kernel for {wanted.debian} is built yet",
            hint=_BUILD_HINT if wanted.native else f"{_BUILD_HINT} --arch {wanted.debian}",
        )
    by_id = [kernel for kernel in kernels if kernel.manifest.id.startswith(reference)]
    if len(by_id) == 1:
        return by_id[0]
    by_release = [kernel for kernel in whole if kernel.manifest.release.startswith(reference)]
    if by_release and not by_id:
        fitting = (kernel for kernel in by_release if kernel.manifest.arch == wanted.name)
        return next(fitting, by_release[0])
    raise UserError(
        f"{len(by_id) or 'no'} built kernel{'s' if by_id else ''} fit{'' if by_id else 's'}"
        f" {reference!r}",
        hint="dynaccel kernel list",
    )


def delete(kernel: Kernel) -> None:
    """Remove a kernel from the store; it is out of sight at once, whatever happens on the way.

    Raises:
        UserError: The kernel does not lie in the store.
        InfrastructureError: Its files cannot be removed.
    """
    if kernel.directory.resolve().parent != store_dir().resolve():
        raise UserError(
            f"{kernel.directory} is not in the store of kernels", hint="remove it by hand"
        )
    hidden = kernel.directory.with_name(f".deleted.{kernel.directory.name}")
    try:
        shutil.rmtree(hidden, ignore_errors=True)
        kernel.directory.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise InfrastructureError(
            f"cannot remove {kernel.directory}: {error.strerror}", hint="remove it by hand"
        ) from error


def _from_path(path: Path) -> Kernel:
    if path.is_dir():
        return load(path)
    if not path.is_file():
        raise UserError(f"there is no kernel at {path}", hint="dynaccel kernel list")
    if (path.parent / MANIFEST).is_file():
        filed = load(path.parent)
        if filed.image.samefile(path):
            return filed
    return Kernel(
        directory=path.parent.resolve(),
        manifest=KernelManifest(
            id="",
            release="unknown",
            arch=_image_arch(path).name,
            accelerated=True,
            source=str(path),
            compiler="unknown",
            created="",
            build_seconds=0.0,
            image=path.name,
        ),
    )


def _image_arch(path: Path) -> Arch:
    """Return what an image is for by what it begins with; this machine's when that says nothing."""
    with path.open("rb") as image:
        head = image.read(_HEAD_BYTES)
    if head.startswith(_ELF) and head[_ELF_MACHINE] in _ELF_MACHINES:
        return _ELF_MACHINES[head[_ELF_MACHINE]]
    for (at, sign), arch in _IMAGES.items():
        if head[at : at + len(sign)] == sign:
            return arch
    return arches.native()

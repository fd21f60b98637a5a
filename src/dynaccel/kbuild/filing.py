# SPDX-License-Identifier: GPL-2.0-or-later
"""File a built kernel in the store with all that belongs to it, and find it there again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import staged_directory, write_atomic
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.core.kernels import MANIFEST, MODULES, Kernel, KernelManifest
from dynaccel.host import kernels, process
from dynaccel.kbuild.configure import ACCELERATION
from dynaccel.kbuild.kconfig import OFF

if TYPE_CHECKING:
    from dynaccel.kbuild.kconfig import Config

_ELF = b"\x7fELF"

RECIPE = "recipe"
"""The file that names what the kernel was made from before any of it was unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a build has made.

    Attributes:
        kernel_id: Content hash of source, patch, configuration and compiler.
        recipe: Hash of what was known before the build.
        arch: As ``uname -m`` says it.
        image: The file to boot.
        objects: The directory of the objects.
        config: The whole configuration.
        patch: The difference to the source; None for an unpatched kernel.
        log: What make said.
        source: The source as a user names it.
        compiler: First line of the compiler's ``--version``.
        build_seconds: Real time that the build took.
        without: Names of the hooks that were left out.
        aside: Whether it is meant by its id alone.
        modules: The directory that holds its modules as ``/lib/modules`` would; None: it has none.
    """

    kernel_id: str
    recipe: str
    arch: str
    image: Path
    objects: Path
    config: Config
    patch: bytes | None
    log: Path
    source: str
    compiler: str
    build_seconds: float
    without: tuple[str, ...] = ()
    aside: bool = False
    modules: Path | None = None


def find_by_recipe(recipe: str) -> Kernel | None:
    """Return the kernel in the store that was made from ``recipe``, or None."""
    for kernel in kernels.installed():
        try:
            if (kernel.directory / RECIPE).read_text(encoding="ascii").strip() == recipe:
                return kernel
        except (OSError, ValueError):
            continue
    return None


def find_by_id(kernel_id: str) -> Kernel | None:
    """Return the kernel in the store with that id, or None."""
    return next((k for k in kernels.installed() if k.manifest.id == kernel_id), None)


def file_kernel(product: Product, *, replace: bool) -> Kernel:
    """Put a kernel into the store, whole or not at all.

    Args:
        product: What the build has made.
        replace: Take the place of a kernel with the same id.

    Raises:
        InfrastructureError: The disk is full.
    """
    manifest = KernelManifest(
        id=product.kernel_id,
        release=(product.objects / "include/config/kernel.release").read_text().strip(),
        arch=product.arch,
        accelerated=product.config[ACCELERATION] != OFF,
        source=product.source,
        compiler=product.compiler,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        build_seconds=round(product.build_seconds, 1),
        image=product.image.name,
        without=product.without,
        aside=product.aside,
        modules=product.modules is not None,
    )
    final = kernels.store_dir() / product.kernel_id[:12]
    with staged_directory(final) as staging:
        _copy_image(product, staging / product.image.name)
        shutil.copyfile(product.objects / ".config", staging / "config")
        shutil.copyfile(product.log, staging / "build.log")
        if product.modules is not None:
            shutil.copytree(product.modules, staging / MODULES, symlinks=True)
        if product.patch is not None:
            (staging / "dynaccel.patch").write_bytes(product.patch)
        (staging / RECIPE).write_text(product.recipe + "\n", encoding="ascii")
        (staging / MANIFEST).write_bytes(kernels.dump(manifest))
        if replace or find_by_id(product.kernel_id) is None:
            _make_way(final)
    return kernels.load(final)


def promote(kernel: Kernel) -> Kernel:
    """Let a kernel that was built for a comparison be one like all others, the newest of them.

    Raises:
        InfrastructureError: Its manifest cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = replace(kernel.manifest, aside=False, created=now)
    write_atomic(kernel.directory / MANIFEST, kernels.dump(manifest))
    return kernels.load(kernel.directory)


def check_output(directory: Path) -> None:
    """Check, before a long build, that its result can be copied to ``directory``.

    Raises:
        UserError: It holds something else than a kernel that was copied there earlier.
    """
    if not directory.exists() or (directory / MANIFEST).is_file():
        return
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory", hint="give another --output")
    if any(directory.iterdir()):
        raise UserError(
            f"{directory} is not empty and holds no built kernel that could be replaced",
            hint="give a new directory: --output DIR",
        )


def copy_to(kernel: Kernel, directory: Path) -> None:
    """Copy a kernel with all its files to ``directory``; an earlier copy there is replaced.

    Raises:
        InfrastructureError: It cannot be written.
    """
    directory = Path(directory).absolute()
    with staged_directory(directory) as staging:
        try:
            shutil.copytree(kernel.directory, staging, dirs_exist_ok=True)
        except shutil.Error as error:
            raise InfrastructureError(
                f"cannot copy the kernel to {directory}",
                detail=str(error),
                hint="see who may write",
            ) from error
        _make_way(directory)


def _copy_image(product: Product, target: Path) -> None:
    with product.image.open("rb") as image:
        stripped = product.config["DEBUG_INFO"] == OFF or image.read(len(_ELF)) != _ELF
    if stripped:
        shutil.copy(product.image, target)
    else:
        process.run(["objcopy", "--strip-debug", product.image, target])


def _make_way(final: Path) -> None:
    """Move an older directory of that name out of sight, then remove it."""
    if not final.exists():
        return
    hidden = final.with_name(f".deleted.{final.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    final.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)

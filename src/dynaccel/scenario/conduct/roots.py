# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's root file system, from what a scenario says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash
from dynaccel.core.units import RATIO_MAX
from dynaccel.packaging import tune
from dynaccel.scenario.model import RootKind
from dynaccel.vm import checkpoint, debian_image, machine, root

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.scenario.model import Root


def find_root(wanted: Root, *, arch: Arch, reporter: Reporter) -> machine.Root:
    """Return the root file system that a run begins with; Debian's is made when it is new.

    Raises:
        UserError: There is none, or it cannot be used.
        MissingError: A program that makes one is not installed.
        InfrastructureError: Debian's packages cannot be fetched, or the cache not written.
    """
    match wanted.kind:
        case RootKind.HOST:
            return root.find_root(root.HOST, arch=arch, reporter=reporter)
        case RootKind.DIRECTORY | RootKind.IMAGE:
            return root.find_root(str(wanted.path), arch=arch, reporter=reporter)
        case RootKind.DEBIAN:
            files = tune.tune_files(RATIO_MAX) if wanted.tune else []

            def finish(directory: Path) -> None:
                tune.write(tune.plan_apply(files, directory), directory)

            request = debian_image.DebianImage(
                suite=wanted.suite,
                packages=wanted.packages,
                size_bytes=wanted.size_bytes,
                arch=arch,
                finish=finish if files else None,
                finish_key=_key(files) if files else "",
            )
            path = debian_image.debian_image(request, reporter=reporter)
            return machine.ImageRoot(path=path, format=machine.ImageFormat.QCOW2)


def _key(files: list[tune.TuneFile]) -> str:
    return content_hash([(str(file.local), file.text.encode()) for file in files])


def own_disk(base: machine.Root, disk: Path) -> machine.Root:
    """Return the root of one run: an image gets an overlay at ``disk``, which can be checkpointed.

    Raises:
        MissingError: ``qemu-img`` is not installed.
        InfrastructureError: The overlay cannot be made.
    """
    if isinstance(base, machine.ImageRoot):
        disk.unlink(missing_ok=True)
        return checkpoint.make_overlay(base, disk)
    return base

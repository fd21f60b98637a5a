# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs of a kernel whose drivers are modules: the agent, and what it needs to see a root.

The agent loads what stands in ``/modules`` there before it looks for the host. All other modules
come from the host by 9p, when the guest's modprobe asks for them.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory, write_atomic
from dynaccel.core.errors import UserError
from dynaccel.host import paths
from dynaccel.vm.guest_image import IMAGE, pack

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel

NEEDED = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
"""Without these there is no host to talk to, or no root that may be written to."""

WELCOME = ("virtio_blk", "virtio_net", "virtio_rng", "pvpanic_pci", "ext4", "xfs", "btrfs", "loop")
"""Devices of the machine, for there is no udev in the guest, and what a disk image may hold."""


def initramfs_for(kernel: Kernel, agent: Path, *, reporter: Reporter) -> Path:
    """Return the initramfs to boot a kernel with.

    Args:
        kernel: The kernel.
        agent: The initramfs that holds the agent alone; taken as it is for a kernel without
            modules.
        reporter: Hears that one is made.

    Raises:
        UserError: The kernel lacks what a guest needs.
        InfrastructureError: The cache cannot be written.
    """
    if kernel.modules is None:
        return agent
    wanted = load_order(kernel.modules, NEEDED, WELCOME)
    key = content_hash(
        [
            ("agent", agent.read_bytes()),
            ("kernel", kernel.manifest.id.encode()),
            ("modules", "\n".join(wanted).encode()),
        ]
    )
    final = paths.cache_dir() / "guest" / key
    if not (final / IMAGE).is_file():
        reporter.info(f"packing {len(wanted)} modules of kernel {kernel.short_id} (once)")
        with staged_directory(final) as staging:
            directory = staging / "modules"
            directory.mkdir()
            for number, name in enumerate(wanted):
                source = kernel.modules / name
                shutil.copyfile(source, directory / f"{number:03}-{source.name}")
            names = ["modules", *(f"modules/{path.name}" for path in sorted(directory.iterdir()))]
            # Linux unpacks archives that stand one behind the other.
            write_atomic(staging / IMAGE, agent.read_bytes() + pack(staging, names))
            shutil.rmtree(directory)
    return final / IMAGE


def load_order(
    directory: Path, needed: tuple[str, ...], welcome: tuple[str, ...] = ()
) -> list[str]:
    """Return the files of modules, below ``directory``, each behind those that it depends on.

    Args:
        directory: As ``/lib/modules/RELEASE``, with depmod's ``modules.dep`` and the build's
            ``modules.builtin``.
        needed: Names of modules that have to be there; what is built in is there.
        welcome: Names of modules that are taken when they are there.

    Raises:
        UserError: A module is not there, or the lists of them are not.
    """
    try:
        dependencies = _dependencies((directory / "modules.dep").read_text())
        built_in = {_name(line) for line in (directory / "modules.builtin").read_text().split()}
    except OSError as error:
        raise UserError(
            f"the modules in {directory} are of no use: {error.strerror}: {error.filename}",
            hint="build the kernel again: dynaccel kernel build --force",
        ) from error
    files = {_name(file): file for file in dependencies}
    missing = [name for name in needed if name not in files and name not in built_in]
    if missing:
        raise UserError(
            f"the kernel cannot be a guest: it has no {', '.join(missing)}",
            hint="build it with these drivers, as modules or built in: dynaccel kernel build"
            " --base-config REF --config FILE",
        )
    order: dict[str, None] = {}

    def add(file: str) -> None:
        if file not in order:
            for need in dependencies[file]:
                add(need)
            order[file] = None

    for name in (*needed, *welcome):
        if name in files:
            add(files[name])
    return list(order)


def _dependencies(text: str) -> dict[str, list[str]]:
    found = {}
    for line in text.splitlines():
        file, _, needs = line.partition(":")
        found[file] = needs.split()
    return found


def _name(file: str) -> str:
    """Return a module's name, in which it does not matter how a word is joined to the next."""
    return file.rpartition("/")[2].partition(".")[0].replace("-", "_")

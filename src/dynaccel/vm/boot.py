# SPDX-License-Identifier: GPL-2.0-or-later
"""What every guest boots from: a kernel, the initramfs with the agent, an accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.errors import UserError
from dynaccel.host import tools
from dynaccel.vm import accelerator
from dynaccel.vm.counter import counter_khz
from dynaccel.vm.guest_image import guest_image
from dynaccel.vm.machine import Accelerator
from dynaccel.vm.modules import initramfs_for

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class BootMeans:
    """What a guest boots from.

    Attributes:
        kernel: Its kernel.
        arch: What that is for.
        initramfs: The agent, with the modules that it needs.
        accelerator: What QEMU runs the guest with.
        counter_khz: How fast the guest's counter runs; None when its kernel shall find out.
    """

    kernel: Kernel
    arch: Arch
    initramfs: Path
    accelerator: Accelerator
    counter_khz: int | None


def find_means(
    kernel: Kernel, choice: accelerator.AcceleratorChoice, *, reporter: Reporter
) -> BootMeans:
    """Return what it takes to boot ``kernel``; what is missing of it is made.

    Raises:
        MissingError: No QEMU, no compiler for the agent, or no KVM where it was asked for.
        UserError: The kernel cannot be a guest's.
        InfrastructureError: The cache cannot be written.
    """
    arch = arches.parse(kernel.manifest.arch)
    tools.require(arch.board.qemu)
    initramfs = initramfs_for(kernel, guest_image(arch=arch, reporter=reporter), reporter=reporter)
    chosen = accelerator.choose(
        choice, arch=arch, kernel=kernel.image, initramfs=initramfs, reporter=reporter
    )
    return BootMeans(
        kernel=kernel,
        arch=arch,
        initramfs=initramfs,
        accelerator=chosen,
        counter_khz=_counter_khz(arch, chosen, reporter),
    )


def check_accelerates(release: str, *, accelerates: bool) -> None:
    """Refuse a kernel that cannot accelerate.

    Raises:
        UserError: It cannot.
    """
    if not accelerates:
        raise UserError(
            f"the kernel {release} cannot accelerate: it was built without CONFIG_DYNACCEL",
            hint="dynaccel kernel build, or choose another: dynaccel kernel list",
        )


def _counter_khz(arch: Arch, chosen: Accelerator, reporter: Reporter) -> int | None:
    # KVM tells its guests itself (kvm-clock), and may scale their TSC.
    if chosen is Accelerator.KVM or arch.board.frequency_parameter is None:
        return None
    return counter_khz(reporter=reporter)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether KVM works here: proven by a guest that boots, never by a device file that opens."""

from __future__ import annotations

import asyncio
import enum
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_json_atomic
from dynaccel.core.errors import DynaccelError, MissingError
from dynaccel.host import paths, tools
from dynaccel.vm import guest, registry
from dynaccel.vm.console import Console
from dynaccel.vm.machine import Accelerator, MachineSpec, Sockets

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

PROOF_SECONDS = 20.0
"""With KVM a guest reports after one or two seconds."""

_DEVICE = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROOF_MEMORY_BYTES = 256 << 20


class AcceleratorChoice(enum.Enum):
    """What a user may ask for."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True, kw_only=True)
class KvmProof:
    """Whether a guest booted with KVM.

    Attributes:
        works: Whether it did.
        reason: Why not, as one line; empty when it did.
    """

    works: bool
    reason: str = ""


def choose(
    choice: AcceleratorChoice, *, arch: Arch, kernel: Path, initramfs: Path, reporter: Reporter
) -> Accelerator:
    """Return what QEMU shall run the guest with.

    Raises:
        MissingError: KVM was asked for and does not work here.
    """
    if choice is AcceleratorChoice.TCG:
        return Accelerator.TCG
    proof = prove_kvm(arch=arch, kernel=kernel, initramfs=initramfs, reporter=reporter)
    if proof.works:
        return Accelerator.KVM
    if choice is AcceleratorChoice.KVM:
        raise MissingError(
            f"KVM does not work here: {proof.reason}",
            hint="use --accelerator tcg, which is slower but works everywhere",
        )
    reporter.warning(f"using TCG, which is slower, for KVM does not work here: {proof.reason}")
    return Accelerator.TCG


def prove_kvm(*, arch: Arch, kernel: Path, initramfs: Path, reporter: Reporter) -> KvmProof:
    """Boot a small guest with KVM, once per boot of this machine, and say whether it reported.

    Args:
        arch: What the guest is of; KVM runs guests of this machine's own architecture alone.
        kernel: The image to boot.
        initramfs: The agent.
        reporter: Learns that a proof is going on.

    Raises:
        MissingError: QEMU is not installed.
        InfrastructureError: The cache cannot be written.
    """
    if not arch.native:
        return KvmProof(works=False, reason=f"this machine is no {arch.debian}")
    if not _DEVICE.exists():
        return KvmProof(works=False, reason=f"there is no {_DEVICE}")
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return KvmProof(works=False, reason=f"no permission for {_DEVICE} (group kvm)")
    cache = paths.cache_dir() / "kvm.json"
    key = _key(arch)
    proof = _cached(cache, key)
    if proof is None:
        reporter.info("finding out whether KVM works (once after each boot)")
        proof = asyncio.run(_boot(arch, kernel, initramfs))
        write_json_atomic(cache, {"key": key, "works": proof.works, "reason": proof.reason})
    return proof


async def _boot(arch: Arch, kernel: Path, initramfs: Path) -> KvmProof:
    with registry.claimed(f"kvm-proof-{os.getpid()}") as directory:
        spec = MachineSpec(
            name="kvm-proof",
            arch=arch,
            kernel=kernel,
            initramfs=initramfs,
            sockets=Sockets(directory=directory),
            accelerator=Accelerator.KVM,
            memory_bytes=_PROOF_MEMORY_BYTES,
        )
        limits = replace(guest.Limits(), boot=PROOF_SECONDS)
        try:
            async with guest.started(spec, console=Console(), limits=limits) as booting:
                await booting.hello()
        except MissingError:
            raise
        except DynaccelError as error:
            said = error.detail.splitlines()[0] if error.detail else ""
            return KvmProof(works=False, reason=f"{error.message}" + (f": {said}" if said else ""))
    return KvmProof(works=True)


def _key(arch: Arch) -> str:
    qemu = tools.require(arch.board.qemu)
    status = qemu.stat()
    boot_id = _BOOT_ID.read_text().strip()
    # As another user, or with another QEMU, the answer may be another.
    return f"{boot_id} {qemu} {status.st_mtime_ns} {status.st_size} {os.getuid()}"


def _cached(cache: Path, key: str) -> KvmProof | None:
    try:
        value = json.loads(cache.read_bytes())
        if value["key"] == key:
            return KvmProof(works=bool(value["works"]), reason=str(value["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None

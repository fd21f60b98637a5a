# SPDX-License-Identifier: GPL-2.0-or-later
"""The architectures that dynaccel serves: what differs between them, as data.

docs/architectures.md says what each of these facts is for, and what another architecture takes.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from dynaccel.core.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The machine that QEMU shows to guests of an architecture.

    Attributes:
        qemu: The program that emulates it.
        package: The Debian package that brings the program.
        machine: The value of ``-machine``.
        firmware: The value of ``-bios``; None when QEMU itself enters the kernel.
        emulated_cpu: The value of ``-cpu`` under TCG; with KVM it is the host's.
        words: What the guest's kernel is told: its console, and what it need not find out.
        frequency_parameter: The kernel's parameter that takes the counter's frequency in kHz; None
            when the hardware tells it.
    """

    qemu: str
    package: str
    machine: str
    firmware: str | None = None
    emulated_cpu: str = "max"
    words: str
    frequency_parameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """An architecture.

    Attributes:
        name: As ``uname -m`` says it.
        debian: As Debian calls it, and most users do.
        source: Its directory below ``arch/`` of a kernel tree.
        symbol: The option that each configuration of a kernel for it has.
        make: The value of ``ARCH=`` for the kernel's make.
        triplet: What the names of its compiler and its linker begin with.
        fragments: The shipped configuration, files below ``kernel/configs``; a later one wins.
        target: What make makes.
        image: The file to boot, relative to the objects.
        direct_symbol: The option of the kernel without which QEMU cannot enter ``image``; None when
            it always can.
        packed_target: What make makes for the image that QEMU can always enter.
        packed_image: That file, relative to the objects.
        narrow_flags: What tells its compiler to make programs of 32 bits; empty: it makes none.
        narrow_packages: The Debian packages with the libraries for such programs; ``{}`` stands for
            the compiler's major version.
        board: The machine that its guests see.
    """

    name: str
    debian: str
    source: str
    symbol: str
    make: str
    triplet: str
    fragments: tuple[str, ...]
    target: str
    image: str
    direct_symbol: str | None = None
    packed_target: str
    packed_image: str
    narrow_flags: tuple[str, ...] = ()
    narrow_packages: tuple[str, ...] = ()
    board: Board

    @property
    def native(self) -> bool:
        """Whether this machine is of it."""
        return self.name == platform.machine()

    @property
    def compiler(self) -> str:
        """The command of the C compiler that makes programs for it on this machine."""
        return "gcc" if self.native else f"{self.triplet}-gcc"

    @property
    def compiler_packages(self) -> tuple[str, ...]:
        """The Debian packages of that compiler, with the static C library."""
        if self.native:
            return ("gcc", "libc6-dev")
        return (f"gcc-{self.triplet.replace('_', '-')}", f"libc6-dev-{self.debian}-cross")


X86_64 = Arch(
    name="x86_64",
    debian="amd64",
    source="x86",
    symbol="X86_64",
    make="x86_64",
    triplet="x86_64-linux-gnu",
    fragments=("guest.config", "x86_64.config"),
    target="vmlinux",
    # Without the decompressor, which is slow when it is emulated.
    image="vmlinux",
    direct_symbol="PVH",
    packed_target="bzImage",
    packed_image="arch/x86/boot/bzImage",
    # Not gcc-multilib, beside which Debian has no compilers for other architectures: it would bring
    # <asm/...> for programs of 32 bits, whose headers are those of 64.
    narrow_flags=("-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"),
    narrow_packages=("libc6-dev-i386", "lib32gcc-{}-dev"),
    board=Board(
        qemu="qemu-system-x86_64",
        package="qemu-system-x86",
        machine="q35,smm=off,vmport=off,sata=off,smbus=off,usb=off,graphics=off,i8042=off",
        # Quicker than SeaBIOS, and silent; of the same Debian package as QEMU's other data.
        firmware="qboot.rom",
        # The clocksource is the TSC, because it alone lets programs read the time without entering
        # the kernel. Under TCG it is the host's own, so it never stops and all CPUs see the same;
        # tsc=reliable tells the guest, which would take the HPET otherwise.
        words="console=ttyS0 tsc=reliable no_timer_check",
        frequency_parameter="tsc_early_khz",
    ),
)

ARM64 = Arch(
    name="aarch64",
    debian="arm64",
    source="arm64",
    symbol="ARM64",
    make="arm64",
    triplet="aarch64-linux-gnu",
    fragments=("guest.config", "arm64.config"),
    target="Image",
    image="arch/arm64/boot/Image",
    packed_target="Image",
    packed_image="arch/arm64/boot/Image",
    board=Board(
        qemu="qemu-system-aarch64",
        package="qemu-system-arm",
        # The newest interrupt controller that the accelerator has: version 2 ends at 8 CPUs.
        machine="virt,gic-version=max",
        # The standard's way to sign pointers is slow to emulate, and Linux before 5.12 does not
        # boot where addresses have 52 bits.
        emulated_cpu="max,pauth-impdef=on,lpa2=off",
        # The kernel reads the command line of its configuration only when it is given none.
        words="console=ttyAMA0 null_blk.nr_devices=0",
    ),
)

ARCHES = (X86_64, ARM64)


def parse(text: str) -> Arch:
    """Return the architecture of that name, Linux's or Debian's.

    Raises:
        UserError: There is none.
    """
    for arch in ARCHES:
        if text in {arch.name, arch.debian, arch.source, arch.make}:
            return arch
    names = ", ".join(arch.debian for arch in ARCHES)
    raise UserError(
        f"guests of the architecture {text!r} are not supported", hint=f"one of {names}"
    )


def native() -> Arch:
    """Return this machine's own architecture.

    Raises:
        UserError: It is not supported.
    """
    return parse(platform.machine())

# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine as a value, and QEMU's command line as a function of it.

What it is like on each architecture, and which clock it has, says dynaccel.core.arches.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from dynaccel.vm import vmcore

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch

DISK_NODE = "root-disk"
"""The name by which QEMU knows a disk whose content is kept."""
ROOT_TAG = "root"
MODULES_TAG = "modules"
TRANSLATION_CACHE_MIB = 192
"""Limit of TCG's cache of translated code; QEMU would take a gigabyte."""


class Accelerator(enum.Enum):
    """What QEMU runs guest code with."""

    KVM = "kvm"
    TCG = "tcg"

    @property
    def options(self) -> str:
        """The value of ``-accel``."""
        match self:
            case Accelerator.KVM:
                return "kvm"
            case Accelerator.TCG:
                return f"tcg,thread=multi,tb-size={TRANSLATION_CACHE_MIB}"
            case _:
                assert_never(self)

    def cpu(self, arch: Arch) -> str:
        """Return the value of ``-cpu`` for guests of ``arch``."""
        return "host" if self is Accelerator.KVM else arch.board.emulated_cpu


class ImageFormat(enum.Enum):
    """How a disk image is laid out."""

    QCOW2 = "qcow2"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRoot:
    """A directory of the host as the guest's root file system; the guest cannot change it."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRoot:
    """A disk image as the guest's root file system.

    Attributes:
        path: The image.
        format: How it is laid out.
        kept: Whether what the guest writes stays in it; else it is thrown away.
    """

    path: Path
    format: ImageFormat
    kept: bool = False


Root = DirectoryRoot | ImageRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A directory of the host that the guest writes through to.

    Attributes:
        source: The directory on the host.
        target: Where the guest mounts it.
        tag: Its name on the 9p transport.
    """

    source: Path
    target: Path
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Where QEMU finds the sockets that the host listens on: all in one directory."""

    directory: Path

    @property
    def control(self) -> Path:
        """Frames, both ways."""
        return self.directory / "guest.sock"

    @property
    def stdin(self) -> Path:
        """The command's standard input."""
        return self.directory / "stdin.sock"

    @property
    def stdout(self) -> Path:
        """The command's standard output."""
        return self.directory / "stdout.sock"

    @property
    def stderr(self) -> Path:
        """The command's standard error."""
        return self.directory / "stderr.sock"

    @property
    def console(self) -> Path:
        """What the guest's kernel writes."""
        return self.directory / "console.sock"

    @property
    def qmp(self) -> Path:
        """QEMU's own events."""
        return self.directory / "qmp.sock"

    @property
    def ports(self) -> dict[str, Path]:
        """The virtio-serial ports by the last part of their name."""
        return {
            "control": self.control,
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """A virtual machine.

    Attributes:
        name: Shown in the host's process list.
        arch: What its kernel is for.
        kernel: Image to boot (x86-64: an ELF file with a PVH entry, or a bzImage; arm64: an Image).
        initramfs: The agent.
        modules: The modules of its kernel, as ``/lib/modules/RELEASE``; None: it has none.
        sockets: Where the host listens.
        accelerator: What runs the guest's code.
        cpus: Number of virtual CPUs.
        memory_bytes: Size of its memory.
        root: Its root file system; None boots the agent alone.
        boots_root: Whether the system that the root holds is booted, with its own process 1.
        shares: Directories that it writes through to.
        net: Whether it has a user-mode network.
        keep_owners: Whether 9p passes owners and modes on as they are; only root can do that.
        uptime_seconds: How long it has been up already, by its clocks and counters, as it boots.
        counter_khz: How fast its counter runs; None when its kernel shall find out.
        append: More for its kernel's command line; what stands last there counts.
        checkpoint: Tag of a checkpoint in the root's image that it goes on from; None: it boots.
        vmcore: Where its memory goes when it panics; None: nowhere.
        qemu: More words for QEMU's command line, behind all others.
    """

    name: str
    arch: Arch
    kernel: Path
    initramfs: Path
    sockets: Sockets
    accelerator: Accelerator = Accelerator.TCG
    cpus: int = 2
    memory_bytes: int = 1 << 30
    root: Root | None = None
    boots_root: bool = False
    modules: Path | None = None
    shares: tuple[Share, ...] = ()
    net: bool = False
    keep_owners: bool = False
    uptime_seconds: int = 0
    counter_khz: int | None = None
    append: str = ""
    checkpoint: str | None = None
    vmcore: Path | None = None
    qemu: tuple[str, ...] = ()


def kernel_command_line(spec: MachineSpec) -> str:
    """Return what the guest's kernel is told: boot at ratio 1, end at once when it panics.

    Quiet, because a serial line is slow; a panic still tells all.
    """
    board = spec.arch.board
    words = [f"{board.words} quiet panic=-1 oops=panic accel=1"]
    if spec.counter_khz is not None and board.frequency_parameter is not None:
        words.append(f"{board.frequency_parameter}={spec.counter_khz}")
    if spec.uptime_seconds:
        words.append(f"accel_uptime={spec.uptime_seconds}")
    if spec.boots_root:
        words += _system_words(spec.root)
    if spec.append:
        words.append(spec.append)
    return " ".join(words)


def _system_words(root: Root | None) -> list[str]:
    """Return what a system must know that boots in a guest: nobody is there to answer questions.

    Its console is for what goes wrong. The network's interface keeps the name by which the agent
    brings it up. What a directory's fstab names are disks of another machine; those of an image may
    well be in it.
    """
    words = ["systemd.firstboot=off", "systemd.show_status=error", "net.ifnames=0"]
    if isinstance(root, DirectoryRoot):
        words.append("fstab=no")
    return words


def qemu_argv(spec: MachineSpec) -> list[str]:
    """Return the command line that boots ``spec``; an option and its value stand together."""
    board = spec.arch.board
    pairs = [
        ("-name", _escaped(spec.name)),
        ("-machine", board.machine),
        ("-accel", spec.accelerator.options),
        ("-cpu", spec.accelerator.cpu(spec.arch)),
        ("-smp", f"{spec.cpus}"),
        ("-m", f"{-(-spec.memory_bytes // (1 << 20))}M"),
        ("-rtc", "base=utc,clock=host"),
        *([("-bios", board.firmware)] if board.firmware else []),
        ("-kernel", f"{spec.kernel}"),
        ("-initrd", f"{spec.initramfs}"),
        ("-append", kernel_command_line(spec)),
        *_socket("qmp", spec.sockets.qmp),
        ("-mon", "chardev=qmp,mode=control"),
        *_socket("console", spec.sockets.console),
        ("-serial", "chardev:console"),
        ("-device", "pvpanic-pci"),
        ("-object", "rng-builtin,id=rng"),
        ("-device", "virtio-rng-pci,rng=rng"),
        ("-device", "virtio-serial-pci,id=ports"),
    ]
    for name, path in spec.sockets.ports.items():
        pairs += _socket(name, path)
        pairs.append(("-device", f"virtserialport,chardev={name},name=org.dynaccel.{name}"))
    pairs += _storage(spec)
    if spec.net:
        pairs.append(("-netdev", "user,id=net"))
        pairs.append(("-device", "virtio-net-pci,netdev=net,romfile="))
    if spec.checkpoint is not None:
        pairs.append(("-loadvm", spec.checkpoint))
    if spec.vmcore is not None:
        pairs.append(vmcore.ACTION)
    switches = ["-nodefaults", "-no-user-config", "-no-reboot"]
    words = [word for pair in pairs for word in pair]
    return [board.qemu, *switches, "-display", "none", *words, *spec.qemu]


def _storage(spec: MachineSpec) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    match spec.root:
        case DirectoryRoot(path=path):
            pairs += _directory(path, ROOT_TAG, keep_owners=spec.keep_owners, readonly=True)
        case ImageRoot(path=path):
            pairs += [
                ("-drive", f"{_disk(spec.root)},file={_escaped(str(path))}"),
                ("-device", "virtio-blk-pci,drive=disk"),
            ]
        case None:
            pass
        case _:
            assert_never(spec.root)
    if spec.modules is not None:
        pairs += _directory(spec.modules, MODULES_TAG, keep_owners=spec.keep_owners, readonly=True)
    for share in spec.shares:
        pairs += _directory(share.source, share.tag, keep_owners=spec.keep_owners, readonly=False)
    return pairs


def _disk(root: ImageRoot) -> str:
    # snapshot: what the guest writes goes to a temporary file, and the image never changes.
    where = f"node-name={DISK_NODE}" if root.kept else "snapshot=on"
    return f"if=none,id=disk,format={root.format.value},{where},discard=unmap"


def _directory(path: Path, tag: str, *, keep_owners: bool, readonly: bool) -> list[tuple[str, str]]:
    # remap: inode numbers of several host file systems must not meet in one guest file system.
    model = "passthrough" if keep_owners else "none"
    return [
        (
            "-fsdev",
            f"local,id={tag},path={_escaped(str(path))},security_model={model},multidevs=remap"
            + (",readonly=on" if readonly else ""),
        ),
        ("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    ]


def _socket(name: str, path: Path) -> list[tuple[str, str]]:
    return [("-chardev", f"socket,id={name},path={_escaped(str(path))}")]


def _escaped(text: str) -> str:
    # QEMU's option parser takes a doubled comma for one that belongs to the value.
    return text.replace(",", ",,")

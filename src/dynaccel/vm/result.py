# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run is asked for and what it came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import (
    DynaccelError,
    GuestError,
    InfrastructureError,
    MissingError,
    UserError,
)
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.root import HOST

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

    from dynaccel.core.arches import Arch

TIMED_OUT = 124
FAILED = 125
SIGNALLED = 128
"""A command that died of signal N has the exit status 128 + N, as in a shell."""

DEFAULT_INIT = "/sbin/init"
"""Process 1 of a system, where its users put it."""

DEFAULT_MEMORY_BYTES = 1 << 30
DEFAULT_CPUS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A command to run in accelerated time.

    Attributes:
        command: Program and arguments.
        program: A program of the guest's image that gets the arguments, whatever the root holds;
            None: the first of them is one of the root's.
        ratio: How many times faster time flows, 1 to 1000.
        start: The guest's REALTIME as the command starts (with ``init``: as that starts); None for
            the host's present time.
        uptime: How long the guest has been up already as it boots; None for not at all.
        virtual_limit: Virtual time after which the command is ended; a normal end.
        timeout: Real time after which the command is ended, counted from its start (booting has a
            limit of its own); the exit status is 124 then.
        cpus: Number of the guest's CPUs.
        memory_bytes: Size of its memory.
        kernel: What :func:`dynaccel.host.kernels.resolve` takes.
        arch: What the kernel is for; as it says itself when None.
        append: More for the kernel's command line.
        qemu: More words for QEMU's command line.
        accelerator: What QEMU runs it with.
        root: ``host``, ``debian``, a directory or a disk image.
        init: Process 1 of the system that the root holds: it is booted, and the command starts when
            it is up. None boots no system: the command is all that runs.
        shares: Directories that the guest writes through to.
        cwd: Working directory; None for the caller's own, or ``/`` where the root has no such.
        user: Who runs the command in the guest, by name or number; None for the caller.
        net: Whether it has a user-mode network.
        name: The guest's name; None for one that is free.
        result: A file for the result as JSON, also when the run fails.
        console: A file for all that the guest's kernel writes.
    """

    command: tuple[str, ...]
    ratio: int = 1
    start: datetime | None = None
    uptime: timedelta | None = None
    virtual_limit: timedelta | None = None
    timeout: timedelta | None = None
    cpus: int = DEFAULT_CPUS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    kernel: str | None = None
    arch: Arch | None = None
    append: str = ""
    qemu: tuple[str, ...] = ()
    accelerator: AcceleratorChoice = AcceleratorChoice.AUTO
    root: str = HOST
    init: str | None = None
    shares: tuple[Path, ...] = ()
    cwd: Path | None = None
    user: str | None = None
    net: bool = False
    name: str | None = None
    result: Path | None = None
    console: Path | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended; what is not known is None.

    Attributes:
        exit_status: The command's own, or 124 to 127, as timeout(1) and podman have them.
        accel: The ratio that was asked for.
        virtual_seconds: Virtual time from the command's start to its end.
        real_seconds: Real time of the same, by the host's monotonic clock.
        achieved_ratio: The one divided by the other.
        boot_seconds: Real time from the start of QEMU to the start of the command.
        kernel: ``uname -r`` of the guest.
        accelerator: ``kvm`` or ``tcg``.
        cpus: Number of the guest's CPUs.
        system: How the root's own system was when the command started: ``running``, ``degraded``,
            or ``unknown`` where it is not systemd; None when none was booted.
        failed_units: The units that had failed then.
        error: What kind of failure it was: ``panic``, ``lost``, ``boot``, ``timeout``,
            ``nothing_to_boot``, ``interrupted``, ``not_found``, ``not_executable``, ``setup``,
            ``shutdown``, ``usage``, ``missing``, ``infrastructure``.
        message: The same for people.
        console_tail: The last lines of the guest's console, when the guest failed.
    """

    exit_status: int
    accel: int
    virtual_seconds: float | None = None
    real_seconds: float | None = None
    achieved_ratio: float | None = None
    boot_seconds: float | None = None
    kernel: str | None = None
    accelerator: str | None = None
    cpus: int
    system: str | None = None
    failed_units: tuple[str, ...] = ()
    error: str | None = None
    message: str | None = None
    console_tail: str | None = None

    def json_value(self) -> dict[str, Any]:
        """Return the content of the result file."""
        value = asdict(self)
        if self.system is None:
            for key in ("system", "failed_units"):
                del value[key]
        if self.error is None:
            for key in ("error", "message", "console_tail"):
                del value[key]
        return value


def error_kind(error: DynaccelError) -> str:
    """Return the word by which a result names an error."""
    if isinstance(error, GuestError):
        return error.kind
    for kind, word in (
        (UserError, "usage"),
        (MissingError, "missing"),
        (InfrastructureError, "infrastructure"),
    ):
        if isinstance(error, kind):
            return word
    return "failed"

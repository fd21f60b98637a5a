# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that runs one of the initramfs's own programs, through any number of checkpoints.

Bytes go to the program's standard input and come from its standard output; what they mean is the
caller's business. Unlike a command's streams they are not counted: a program that goes on from a
checkpoint sends what follows it, and the caller marks in the stream where that is.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import GuestBootError, GuestError, GuestLostError
from dynaccel.core.units import epoch_ns
from dynaccel.vm import guest, machine, ports, registry, remote
from dynaccel.vm.boot import check_accelerates
from dynaccel.vm.channel import FrameType
from dynaccel.vm.console import Console
from dynaccel.vm.job import Credentials, Job
from dynaccel.vm.root import job_root
from dynaccel.vm.system import BootedSystem, booted_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime, timedelta
    from pathlib import Path
    from typing import BinaryIO

    from dynaccel.vm.boot import BootMeans
    from dynaccel.vm.guest import Guest, Limits

_ENVIRONMENT = (
    b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    b"HOME=/root",
    b"LANG=C.UTF-8",
)

_LAST_WORDS_SECONDS = 10.0
"""How long what a program wrote before its end may take to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRequest:
    """A guest for a program.

    Attributes:
        program: Its name in the initramfs.
        arguments: What it is told.
        means: What the guest boots from.
        root: Its root file system.
        init: Process 1 of the system that the root holds; None boots no system.
        cpus: Number of its CPUs.
        memory_bytes: Size of its memory.
        net: Whether it has a user-mode network.
        uptime: How long it has been up already as it boots.
        start: The date that it boots at; None for the present one.
        checkpoint: Tag of the checkpoint that it goes on from; None: it boots.
        vmcore: Where its memory goes when it panics; None: nowhere.
        append: More for its kernel's command line.
        label: What ``dynaccel ps`` shows that it runs.
    """

    program: str
    means: BootMeans
    root: machine.Root
    arguments: tuple[str, ...] = ()
    init: str | None = None
    cpus: int = 2
    memory_bytes: int = 1 << 30
    net: bool = False
    uptime: timedelta | None = None
    start: datetime | None = None
    checkpoint: str | None = None
    vmcore: Path | None = None
    append: str = ""
    label: tuple[str, ...] = ()


class Program:
    """The program in its guest; made by :func:`running`.

    Attributes:
        guest: The guest.
        system: How the root's own system was as the program started.
        release: ``uname -r``; None when the guest goes on from a checkpoint.
    """

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.system = BootedSystem()
        self.release: str | None = None

    async def read(self) -> bytes:
        """Return what the program wrote next; nothing at its end.

        Raises:
            GuestError: The guest failed, and all that the program wrote before has been read.
        """
        reader = self.guest.port("stdout").reader
        coming = asyncio.ensure_future(reader.read(ports.READ_BYTES))
        try:
            await self.guest.wait(asyncio.ensure_future(_first(coming, self.guest.ended)))
        except GuestError:
            if not await _comes(coming):
                raise
        try:
            if (coming.done() or await _comes(coming)) and (data := coming.result()):
                return data
        except ConnectionError:
            pass
        finally:
            coming.cancel()
        # A port that closes: QEMU is gone, or the agent has just said how the program ended.
        end = await self.guest.wait(self.guest.ended, _LAST_WORDS_SECONDS)
        if end.type == FrameType.FAILED:
            raise GuestLostError(
                f"the guest's agent gave up: {end.text('message')}",
                detail=self.guest.console.tail(),
            )
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes to the program; to one that is gone they are dropped."""
        writer = self.guest.port("stdin").writer
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()

    async def start(self, job: Job) -> None:
        """Start the program in a guest that booted.

        Raises:
            GuestError: The guest failed, or could not start it.
        """
        hello = await self.guest.hello()
        self.release = hello.text("release")
        check_accelerates(self.release or "unknown", accelerates=bool(hello.number("ratio")))
        await self.guest.send(FrameType.START, job.records())
        frame = await self.guest.wait(self.guest.started)
        if frame.type == FrameType.FAILED:
            raise GuestBootError(
                f"the guest could not be set up: {frame.text('message')}",
                detail=self.guest.console.tail(),
            )
        self.system = booted_system(job, frame)


@asynccontextmanager
async def running(
    request: ProgramRequest,
    *,
    name: str | None,
    answer: remote.Handler,
    console: BinaryIO | None,
    limits: Limits,
) -> AsyncIterator[Program]:
    """Run a program in a guest of its own for the length of the block.

    Args:
        request: The guest.
        name: What ``dynaccel ps`` and ``--vm`` call it; None for one that is free.
        answer: Answers ``dynaccel get``, ``set`` and ``status``.
        console: Gets all that the guest's kernel writes.
        limits: Real time after which the guest is given up.

    Raises:
        GuestError: It did not boot, or could not start the program.
        UserError: The name is taken, or the kernel cannot accelerate.
        MissingError: QEMU is not installed.
        InfrastructureError: Its directory or sockets cannot be made.
    """
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(registry.claimed(name))
        spec = _spec(request, directory)
        booted = await stack.enter_async_context(
            guest.started(spec, console=Console(console), limits=limits)
        )
        await stack.enter_async_context(remote.serving(registry.control_socket(directory), answer))
        registry.publish(directory, _info(request, spec))
        program = Program(booted)
        if request.checkpoint is None:
            await program.start(_job(request, spec, limits))
        else:
            await booted.hello()
        diagnostics = asyncio.create_task(_pass_on_diagnostics(booted))
        stack.callback(diagnostics.cancel)
        yield program


def _spec(request: ProgramRequest, directory: Path) -> machine.MachineSpec:
    means = request.means
    return machine.MachineSpec(
        name=directory.name,
        arch=means.arch,
        kernel=means.kernel.image,
        initramfs=means.initramfs,
        modules=means.kernel.modules,
        sockets=machine.Sockets(directory=directory),
        accelerator=means.accelerator,
        counter_khz=means.counter_khz,
        cpus=request.cpus,
        memory_bytes=request.memory_bytes,
        root=request.root,
        boots_root=request.init is not None,
        net=request.net,
        keep_owners=os.geteuid() == 0,
        uptime_seconds=round(request.uptime.total_seconds()) if request.uptime else 0,
        append=request.append,
        checkpoint=request.checkpoint,
        vmcore=request.vmcore,
    )


def _job(request: ProgramRequest, spec: machine.MachineSpec, limits: Limits) -> Job:
    return Job(
        program=request.program,
        arguments=tuple(os.fsencode(word) for word in (request.program, *request.arguments)),
        root=job_root(request.root),
        cwd=b"/",
        environment=_ENVIRONMENT,
        credentials=Credentials(uid=0, gid=0),
        umask=0o022,
        hostname=spec.name,
        ratio=1,
        realtime_ns=time.time_ns() if request.start is None else epoch_ns(request.start),
        net=request.net,
        init=request.init,
        init_limit_ns=round(limits.system * 1e9) if request.init else None,
    )


def _info(request: ProgramRequest, spec: machine.MachineSpec) -> registry.GuestInfo:
    return registry.GuestInfo(
        name=spec.name,
        pid=os.getpid(),
        command=request.label or (request.program, *request.arguments),
        ratio=1,
        kernel=str(spec.kernel),
        accelerator=spec.accelerator.value,
        cpus=spec.cpus,
        started=time.time(),
    )


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _comes(future: asyncio.Future[bytes]) -> bool:
    """Say whether what is still on its way arrives."""
    with suppress(ConnectionError):
        done, _ = await asyncio.wait({future}, timeout=_LAST_WORDS_SECONDS)
        return bool(done and future.result())
    return False


async def _pass_on_diagnostics(booted: Guest) -> None:
    # Diagnostics of the program, few and for people: the kernel's log of the guest has them, too.
    reader = booted.port("stderr").reader
    with suppress(ConnectionError):
        while data := await reader.read(ports.READ_BYTES):
            booted.console.feed(data)

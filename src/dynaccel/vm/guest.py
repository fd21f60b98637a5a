# SPDX-License-Identifier: GPL-2.0-or-later
"""A running QEMU: its frames, its console, and the proof that it is still alive.

A guest fails in three ways, and each is noticed within seconds: its kernel panics (QEMU says so
over QMP), QEMU ends, or the heartbeats stop. Whoever waits for the guest then gets the error.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dynaccel.core.errors import (
    GuestBootError,
    GuestError,
    GuestLostError,
    GuestPanicError,
    GuestShutdownError,
    InfrastructureError,
    UserError,
)
from dynaccel.host import process, tools
from dynaccel.vm import machine, ports, vmcore
from dynaccel.vm.channel import ChannelError, Decoder, Frame, FrameType, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path
    from subprocess import Popen  # noqa: TID251  (the type alone)

    from qemu.qmp import QMPClient
    from qemu.qmp.message import Message

    from dynaccel.vm.channel import Value
    from dynaccel.vm.console import Console

T = TypeVar("T")

_DRAIN_SECONDS = 5.0
"""How long the last words of a QEMU that ended may take to be read; on a busy host that is long."""
_SILENT_DRAIN_SECONDS = 0.5
"""The same of one that had not connected all of its ports: there may be nobody to read from."""
_DRAIN_STEP_SECONDS = 0.01
_INIT_DIED = re.compile(r"Attempted to kill init! exitcode=0x([0-9a-f]{8})")
_PANIC_LINES = 100
"""A panic's first line stands above registers and a call trace."""

POWERED_OFF = "guest-shutdown"
"""QEMU's word for a guest that powered itself off; that of one that rebooted is guest-reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Real seconds after which a guest is given up.

    Attributes:
        boot: From the start of QEMU to the agent's report.
        system: For the root's own system to come up; under emulation that takes its time.
        silence: Without a heartbeat.
        answer: For an answer to a request, and for output that was announced.
        power_off: For the guest to write back and end.
        grace: Between SIGTERM and SIGKILL for the command.
    """

    boot: float = 90.0
    system: float = 600.0
    silence: float = 15.0
    answer: float = 15.0
    power_off: float = 30.0
    grace: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What the guest last said of its time.

    Attributes:
        ratio: The ratio then.
        virtual_ns: CLOCK_BOOTTIME then.
        arrived: The host's monotonic clock, in seconds, as it came.
        realtime_ns: CLOCK_REALTIME then; None where the frame has none.
    """

    ratio: int
    virtual_ns: int
    arrived: float
    realtime_ns: int | None = None


class Guest:
    """A guest that was started; made by :func:`started`.

    Attributes:
        console: What its kernel wrote.
        qmp: QEMU's own command channel.
        stands_still: Whether it is stopped on purpose, so that no sign of life is to be expected.
        last_beat: The last sign of life with a time; None before the first.
        arrived: By the type of a frame, the host's monotonic clock as the last such came.
    """

    def __init__(
        self,
        child: Popen[bytes],
        qmp: QMPClient,
        console: Console,
        limits: Limits,
        errors: Path,
        *,
        goes_on: bool = False,
        core: Path | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.console = console
        self.qmp = qmp
        self.last_beat: Beat | None = None
        self.arrived: dict[int, float] = {}
        self._child = child
        self._limits = limits
        self._errors = errors
        self._failed: asyncio.Future[None] = loop.create_future()
        self._frames: dict[FrameType, asyncio.Future[Frame]] = {
            kind: loop.create_future()
            for kind in (FrameType.HELLO, FrameType.STARTED, FrameType.EXITED)
        }
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self._requests = itertools.count(1)
        self._events: list[str] = []
        self._shutdown_reason: str | None = None
        self._connections: dict[str, ports.Connection] = {}
        self._connected = loop.create_future()
        self._silent_seconds = 0.0
        self.stands_still = False
        self._goes_on = goes_on
        self._core = core
        self._writing_core: asyncio.Task[None] | None = None
        self._core_said = ""
        self._gone = asyncio.Event()

    async def hello(self) -> Frame:
        """Wait until the agent reports, and return its first frame.

        Of a guest that goes on from a checkpoint that is a heartbeat.

        Raises:
            GuestError: It did not come.
        """
        try:
            await self.wait(self._connected, self._limits.boot)
            return await self.wait(self._frames[FrameType.HELLO], self._limits.boot)
        except TimeoutError:
            raise GuestBootError(
                f"the guest did not report within {self._limits.boot:g} s",
                hint="is this kernel built by 'dynaccel kernel build'? dynaccel kernel list",
                detail=self.console.tail(),
            ) from None

    @property
    def started(self) -> asyncio.Future[Frame]:
        """Gets STARTED, or FAILED if it comes first."""
        return self._frames[FrameType.STARTED]

    @property
    def ended(self) -> asyncio.Future[Frame]:
        """Gets EXITED or FAILED."""
        return self._frames[FrameType.EXITED]

    def port(self, name: str) -> ports.Connection:
        """Return a connected port; only after :meth:`hello`."""
        return self._connections[name]

    async def wait(self, future: asyncio.Future[T], seconds: float | None = None) -> T:
        """Wait for ``future``; give up when the guest fails, or after some real seconds.

        Raises:
            GuestError: The guest failed, and the future has no result.
            TimeoutError: The time is over.
        """
        either: set[asyncio.Future[Any]] = {future, self._failed}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        if self._failed.done():
            self._failed.result()
        raise TimeoutError

    async def send(self, kind: FrameType, records: Iterable[tuple[str, Value]] = ()) -> None:
        """Send a frame; one to a guest that is gone is dropped, for its end is told elsewhere."""
        writer = self._connections["control"].writer
        with suppress(ConnectionError):
            writer.write(encode(kind, records))
            await writer.drain()

    async def get_ratio(self) -> Beat:
        """Ask for the ratio and the time.

        Raises:
            GuestError: The guest failed.
            InfrastructureError: No answer.
        """
        return await self._ask(FrameType.GET_RATIO)

    async def set_ratio(self, ratio: int) -> Beat:
        """Set the ratio and return what holds then.

        Raises:
            UserError: The guest's kernel refuses it.
            GuestError: The guest failed.
            InfrastructureError: No answer.
        """
        return await self._ask(FrameType.SET_RATIO, ("ratio", ratio))

    async def power_off(self) -> None:
        """Let the guest write everything back and end; it has :attr:`Limits.power_off` for it."""
        await self.send(FrameType.POWEROFF)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), self._limits.power_off)

    async def shut_down(self) -> str | None:
        """Wait for a guest that ends by itself; it has :attr:`Limits.power_off` for it.

        Returns:
            What QEMU says that it did (``guest-shutdown``, ``guest-reset``); None: nothing yet.
        """
        with suppress(TimeoutError, GuestError):
            await self.wait(asyncio.get_running_loop().create_future(), self._limits.power_off)
        return self._shutdown_reason

    async def _ask(self, kind: FrameType, *records: tuple[str, Value]) -> Beat:
        request = next(self._requests)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        try:
            await self.send(kind, [*records, ("request", request)])
            frame = await self.wait(answer, self._limits.answer)
        except TimeoutError:
            raise InfrastructureError(
                f"the guest did not answer within {self._limits.answer:g} s", hint="try again"
            ) from None
        finally:
            del self._answers[request]
        if (number := frame.number("errno")) is not None:
            why = frame.text("message") or os.strerror(number)
            raise UserError(f"the guest's kernel refuses the ratio: {why}")
        return self._beat(frame)

    def _beat(self, frame: Frame) -> Beat:
        self.last_beat = Beat(
            ratio=frame.number("ratio") or 0,
            virtual_ns=frame.need("virtual_ns"),
            arrived=time.monotonic(),
            realtime_ns=frame.number("realtime_ns"),
        )
        return self.last_beat

    def _take(self, frame: Frame) -> None:
        self._silent_seconds = 0.0
        self.arrived[frame.type] = time.monotonic()
        match frame.type:
            case FrameType.HELLO | FrameType.STARTED | FrameType.EXITED:
                if frame.number("virtual_ns") is not None:
                    self._beat(frame)
                _resolve(self._frames[FrameType(frame.type)], frame)
            case FrameType.FAILED:
                _resolve(self.started, frame)
                _resolve(self.ended, frame)
            case FrameType.HEARTBEAT:
                self._beat(frame)
                if self._goes_on:
                    # It said HELLO in an earlier life, before the checkpoint.
                    _resolve(self._frames[FrameType.HELLO], frame)
            case FrameType.RATIO:
                waiting = self._answers.get(frame.number("request") or 0)
                if waiting is not None:
                    _resolve(waiting, frame)
            case FrameType.ERROR:
                self._events.append(f"the agent said: {frame.text('message')}")
            case _:
                pass  # a newer agent says more than this host understands

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # somebody may never wait for it; that is no fault

    async def _connect(self, waiting: dict[str, asyncio.Future[ports.Connection]]) -> None:
        for name, future in waiting.items():
            self._connections[name] = await future
        self._connected.set_result(None)

    async def _read_control(self, connection: asyncio.Future[ports.Connection]) -> None:
        reader, decoder = (await connection).reader, Decoder()
        with suppress(ConnectionError):
            while data := await reader.read(ports.READ_BYTES):
                try:
                    for frame in decoder.feed(data):
                        self._take(frame)
                except ChannelError as error:
                    self._fail(GuestLostError(error.message, detail=self.console.tail()))
                    return

    async def _read_console(self, connection: asyncio.Future[ports.Connection]) -> None:
        reader = (await connection).reader
        with suppress(ConnectionError):
            while data := await reader.read(ports.READ_BYTES):
                self.console.feed(data)

    async def _read_events(self, qmp: QMPClient) -> None:
        await qmp.accept()
        async for event in qmp.events:
            self._take_event(event)

    def _take_event(self, event: Message) -> None:
        name, data = event["event"], event.get("data")
        if name == "SHUTDOWN" and isinstance(data, dict):
            self._shutdown_reason = str(data.get("reason", "unknown"))
        if name == "STOP" and self.stands_still:
            return
        if name in {"GUEST_PANICKED", "BLOCK_IO_ERROR", "STOP"}:
            self._events.append(str(name))
        if name == "GUEST_PANICKED" and self._core is not None and self._writing_core is None:
            self.stands_still = True
            self._writing_core = asyncio.create_task(self._write_core(self._core))

    async def _write_core(self, path: Path) -> None:
        self._core_said = await vmcore.write(self.qmp, path)

    async def _watch_heartbeat(self) -> None:
        await self._frames[FrameType.HELLO]
        step = min(1.0, self._limits.silence / 10)
        while self._silent_seconds < self._limits.silence:
            # Steps are counted, not time: if this very process was stopped for a while, the
            # heartbeats of that while still wait in the socket.
            await asyncio.sleep(step)
            self._silent_seconds = 0.0 if self.stands_still else self._silent_seconds + step
        self._fail(
            GuestLostError(
                f"the guest has given no sign of life for {self._limits.silence:g} s"
                + self._events_text(),
                hint="give it more room: --memory 2G, or fewer CPUs than the host has: --cpus 1",
                detail=self.console.tail(),
            )
        )

    async def _watch_child(self, readers: list[asyncio.Task[None]], qmp: QMPClient) -> None:
        pidfd = os.pidfd_open(self._child.pid)
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(pidfd, self._gone.set)
            await self._gone.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        self._child.wait()
        # What it said last is still in the sockets; the verdict may be among it.
        patience = _DRAIN_SECONDS if self._connected.done() else _SILENT_DRAIN_SECONDS
        limit = time.monotonic() + patience
        await asyncio.wait(readers, timeout=patience)
        while time.monotonic() < limit and not _all_read(qmp):  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_STEP_SECONDS)
        self._fail(self._obituary())

    def _obituary(self) -> GuestError:
        said = process.tail(self._errors.read_bytes()) if self._errors.exists() else ""
        code = self._child.returncode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        if "GUEST_PANICKED" in self._events:
            return _panic(self.console, self._core_said)
        if code != 0 and said and not self._frames[FrameType.HELLO].done():
            return GuestBootError(
                f"QEMU could not start the guest ({how})",
                detail=said,
                hint=f"the command was: {process.command_line(self._argv())}",
            )
        if self._shutdown_reason == POWERED_OFF:
            return GuestShutdownError(
                "the guest was powered off from within before the command ended",
                detail=self.console.tail(),
            )
        if self._shutdown_reason is not None:
            how = f"by itself: {self._shutdown_reason}"
        detail = "\n".join(part for part in (said, self.console.tail()) if part)
        return GuestLostError(
            f"the guest ended ({how}) before the command did{self._events_text()}", detail=detail
        )

    def _argv(self) -> list[str]:
        arguments = self._child.args
        return [str(word) for word in arguments] if isinstance(arguments, list) else []

    def _events_text(self) -> str:
        return f" ({'; '.join(self._events)})" if self._events else ""


@asynccontextmanager
async def started(
    spec: machine.MachineSpec, *, console: Console, limits: Limits
) -> AsyncIterator[Guest]:
    """Start QEMU for the length of the block; nothing of it is left afterwards, whatever happens.

    Raises:
        MissingError: QEMU is not installed.
        InfrastructureError: Its sockets cannot be made, or it cannot be started.
    """
    # Imported late: it takes as long to load as all the rest of a run together.
    from qemu.qmp import QMPClient  # noqa: PLC0415

    logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
    errors = spec.sockets.directory / "qemu.stderr"
    async with AsyncExitStack() as stack:
        waiting = {
            name: await stack.enter_async_context(ports.listening(path))
            for name, path in spec.sockets.ports.items()
        }
        console_socket = await stack.enter_async_context(ports.listening(spec.sockets.console))
        qmp = QMPClient(spec.name)
        await qmp.start_server(str(spec.sockets.qmp))
        stack.push_async_callback(_disconnected, qmp)
        written = stack.enter_context(errors.open("wb"))
        child = stack.enter_context(process.start(_mortal(spec), stderr=written))
        goes_on = spec.checkpoint is not None
        guest = Guest(child, qmp, console, limits, errors, goes_on=goes_on, core=spec.vmcore)
        readers = [
            asyncio.create_task(guest._read_control(waiting["control"])),  # noqa: SLF001
            asyncio.create_task(guest._read_console(console_socket)),  # noqa: SLF001
        ]
        tasks = [
            *readers,
            asyncio.create_task(guest._read_events(qmp)),  # noqa: SLF001
            asyncio.create_task(guest._connect(waiting)),  # noqa: SLF001
            asyncio.create_task(guest._watch_child(readers, qmp)),  # noqa: SLF001
            asyncio.create_task(guest._watch_heartbeat()),  # noqa: SLF001
        ]
        stack.push_async_callback(_cancelled, tasks)
        yield guest


def _mortal(spec: machine.MachineSpec) -> list[str]:
    """Return QEMU's argv, such that it ends even when this process is killed with SIGKILL."""
    tools.require(spec.arch.board.qemu)
    argv = machine.qemu_argv(spec)
    setpriv = tools.find("setpriv")
    return [str(setpriv), "--pdeathsig", "KILL", "--", *argv] if setpriv else argv


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnected(qmp: QMPClient) -> None:
    from qemu.qmp import QMPError  # noqa: PLC0415

    with suppress(QMPError, OSError, EOFError):
        await qmp.disconnect()


def _all_read(qmp: QMPClient) -> bool:
    from qemu.qmp import Runstate  # noqa: PLC0415

    return qmp.runstate is not Runstate.RUNNING and qmp.events.empty()


def _panic(console: Console, core: str) -> GuestPanicError:
    died = _INIT_DIED.search(console.tail(_PANIC_LINES))
    more = f"; {core}" if core else ""
    if died is None:
        return GuestPanicError(f"the guest's kernel panicked{more}", detail=console.tail())
    code = int(died[1], 16)  # as wait(2) has it
    how = f"killed by signal {code & 0x7F}" if code & 0x7F else f"status {code >> 8 & 0xFF}"
    return GuestPanicError(
        f"process 1 of the guest ended ({how}), and without it its kernel panicked{more}",
        hint="what it wrote before may say why: --console FILE",
        detail=console.tail(),
    )


def _resolve(future: asyncio.Future[Frame], frame: Frame) -> None:
    if not future.done():
        future.set_result(frame)

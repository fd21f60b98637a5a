# SPDX-License-Identifier: GPL-2.0-or-later
"""One command in a booted guest: its start, its streams and signals, and how it ended."""

from __future__ import annotations

import asyncio
import errno
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import GuestLostError, InfrastructureError
from dynaccel.vm.channel import FrameType, encode
from dynaccel.vm.streams import Output, Relay, chunks
from dynaccel.vm.system import BootedSystem, booted_system

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dynaccel.vm.channel import Frame
    from dynaccel.vm.guest import Guest, Limits
    from dynaccel.vm.job import Job
    from dynaccel.vm.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a command ended.

    Attributes:
        status: Its exit status; None when it ended in another way.
        signal: The signal that it died of, or None.
        refused: Why it could not be started, or None; ``status`` is 125, 126 or 127 then.
        ended_by_limit: It was ended by us after its virtual time.
        ended_by_shutdown: It was ended by the guest's system, which powers off or reboots.
        timed_out: It was ended by us after its real time.
        virtual_seconds: Virtual time from its start to its end, as far as known.
        real_seconds: Real time of the same, by the host's monotonic clock.
    """

    status: int | None = None
    signal: int | None = None
    refused: str | None = None
    ended_by_limit: bool = False
    ended_by_shutdown: bool = False
    timed_out: bool = False
    virtual_seconds: float | None = None
    real_seconds: float | None = None


class Session:
    """Runs one job in a guest.

    Attributes:
        started_at: The host's monotonic clock as the command started; None before.
        pid: The command's process id in the guest; None before it started.
        system: How the root's own system was then.
    """

    def __init__(
        self,
        guest: Guest,
        job: Job,
        *,
        streams: Streams,
        limits: Limits,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        self.started_at: float | None = None
        self.pid: int | None = None
        self.system = BootedSystem()
        self._guest = guest
        self._job = job
        self._streams = streams
        self._limits = limits
        self._on_started = on_started
        self._started_virtual_ns = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, timeout_seconds: float | None = None) -> Verdict:
        """Start the command and wait for its end.

        Args:
            timeout_seconds: Real time after which it is ended, counted from its start.

        Raises:
            GuestError: The guest failed.
            UserError: The job does not fit into a frame.
            InfrastructureError: The caller's standard output or error cannot be written.
        """
        start = encode(FrameType.START, self._job.records())
        output, errors = Output(self._streams.stdout), Output(self._streams.stderr)
        relays = {
            "stdout": Relay(self._guest.port("stdout"), output),
            "stderr": Relay(self._guest.port("stderr"), errors),
        }
        try:
            for relay in relays.values():
                self._spawn(relay.run())
            self._spawn(self._feed_input())
            self._guest.port("control").writer.write(start)
            return await self._follow(relays, timeout_seconds)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            output.close()
            errors.close()

    def forward(self, number: int) -> None:
        """Send a signal to the command."""
        self._spawn(self._guest.send(FrameType.SIGNAL, [("signal", number)]))

    def cut_off(self, *, timed_out: bool = False) -> Verdict:
        """Return what is known of a command whose end is not waited for."""
        beat, started_at = self._guest.last_beat, self.started_at
        if beat is None or started_at is None:
            return Verdict(timed_out=timed_out)
        return Verdict(
            timed_out=timed_out,
            virtual_seconds=(beat.virtual_ns - self._started_virtual_ns) / 1e9,
            # Both ends of the interval by the same frame, else the ratio would be wrong.
            real_seconds=beat.arrived - started_at,
        )

    async def _follow(self, relays: dict[str, Relay], timeout_seconds: float | None) -> Verdict:
        frame = await self._guest.wait(self._guest.started)
        if frame.type == FrameType.FAILED:
            return Verdict(status=frame.need("status"), refused=frame.text("message") or "unknown")
        self.started_at = self._guest.arrived[FrameType.STARTED]
        self.pid = frame.number("pid")
        self.system = booted_system(self._job, frame)
        self._started_virtual_ns = frame.need("virtual_ns")
        self._on_started()
        end: Frame | None
        timed_out = False
        try:
            end = await self._guest.wait(self._guest.ended, timeout_seconds)
        except TimeoutError:
            timed_out = True
            end = await self._kill()
        if end is None:
            return self.cut_off(timed_out=True)
        if end.type == FrameType.FAILED:
            raise GuestLostError(
                f"the guest's agent gave up: {end.text('message')}",
                detail=self._guest.console.tail(),
            )
        await self._complete(relays, end)
        return Verdict(
            status=end.number("status"),
            signal=end.number("signal"),
            ended_by_limit=end.text("ended_by") == "for",
            ended_by_shutdown=end.text("ended_by") == "shutdown",
            timed_out=timed_out,
            virtual_seconds=(end.need("virtual_ns") - self._started_virtual_ns) / 1e9,
            real_seconds=self._guest.arrived[FrameType.EXITED] - self.started_at,
        )

    async def _kill(self) -> Frame | None:
        for number, seconds in (
            (signal.SIGTERM, self._limits.grace),
            (signal.SIGKILL, self._limits.grace / 2),
        ):
            await self._guest.send(FrameType.SIGNAL, [("signal", int(number))])
            with suppress(TimeoutError):
                return await self._guest.wait(self._guest.ended, seconds)
        return None

    async def _complete(self, relays: dict[str, Relay], frame: Frame) -> None:
        for name, relay in relays.items():
            total = frame.number(name) or 0
            complete = await relay.complete(total, self._limits.answer)
            error = relay.output.error
            if error is not None and error.errno != errno.EPIPE:
                raise InfrastructureError(
                    f"cannot pass on the command's {name}: {error.strerror}",
                    hint="free some room where it goes",
                )
            if not complete and error is None:
                raise GuestLostError(
                    f"{total - relay.received} of {total} bytes of the command's {name} were lost",
                    detail=self._guest.console.tail(),
                )

    async def _feed_input(self) -> None:
        writer, count = self._guest.port("stdin").writer, 0
        with suppress(ConnectionError):
            async for data in chunks(self._streams.stdin):
                writer.write(data)
                await writer.drain()
                count += len(data)
        await self._guest.send(FrameType.STDIN_END, [("bytes", count)])

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

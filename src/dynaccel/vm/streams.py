# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's own standard streams, whatever they are: terminals, pipes, files, sockets, nothing.

They are shared with the caller, so none is ever made non-blocking. What may block happens in a
thread that nobody waits for in the end, or only after the system said that it will not.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.vm.ports import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dynaccel.vm.ports import Connection

_BACKGROUND_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """File descriptors for the command's streams; None stands for no input."""

    stdin: int | None = 0
    stdout: int = 1
    stderr: int = 2


async def chunks(descriptor: int | None) -> AsyncIterator[bytes]:
    """Yield what can be read from ``descriptor`` up to its end, never more than was asked for.

    A descriptor that is closed or unreadable counts as ended.
    """
    while descriptor is not None:
        try:
            await _readable(descriptor)
            data = os.read(descriptor, READ_BYTES)
        except OSError:
            return
        if not data:
            return
        yield data


class Output:
    """Writes to a descriptor without ever blocking the event loop.

    Attributes:
        error: Why nothing more can be written; None while all is well.
    """

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._loop = asyncio.get_running_loop()
        # A daemon: the end of the process does not wait for a reader that never comes.
        threading.Thread(target=self._work, daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; after an error it is dropped."""
        if self.error is None:
            written: asyncio.Future[None] = self._loop.create_future()
            self._queue.put((data, written))
            await written

    def close(self) -> None:
        """Let the thread end; the descriptor stays open."""
        self._queue.put(None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            data, written = item
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                self.error = error
            with suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(_done, written)


class Relay:
    """Passes on what comes from a port, and counts it.

    Attributes:
        received: Bytes so far.
    """

    def __init__(self, port: Connection, output: Output) -> None:
        self.received = 0
        self.output = output
        self._port = port
        self._moved = asyncio.Event()
        self._ended = False
        self._writing = False

    async def run(self) -> None:
        """Pass on until the port closes."""
        with suppress(ConnectionError):
            while data := await self._port.reader.read(READ_BYTES):
                self._writing = True
                await self.output.write(data)
                self._writing = False
                self.received += len(data)
                self._moved.set()
                if self.output.error is not None:
                    # The agent closes the command's end in turn: it gets SIGPIPE, as if it wrote
                    # to our reader itself.
                    self._port.writer.transport.abort()
                    break
        self._ended = True
        self._moved.set()

    async def complete(self, total: int, limit_seconds: float) -> bool:
        """Wait until ``total`` bytes were passed on; False when the rest does not come.

        The limit holds for the guest alone: a slow reader of our output may take all his time.
        """
        while self.received < total and not self._ended:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), limit_seconds)
            except TimeoutError:
                if not self._writing:
                    return False
        return self.received >= total


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    while _in_background(descriptor):  # noqa: ASYNC110  (nothing tells when it comes to the fore)
        await asyncio.sleep(_BACKGROUND_POLL_SECONDS)
    ready: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(descriptor, _done, ready)
    except PermissionError:
        # Regular files and /dev/null: epoll refuses them, for they are always ready.
        await asyncio.sleep(0)
        return
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _in_background(descriptor: int) -> bool:
    """Say whether the system would stop this process if it read from its terminal."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:  # a terminal, but not the one that controls this process
        return False

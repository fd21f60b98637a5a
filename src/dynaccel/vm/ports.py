# SPDX-License-Identifier: GPL-2.0-or-later
"""The sockets that QEMU connects to: they listen before it starts, each for one connection."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

READ_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[asyncio.Future[Connection]]:
    """Listen on ``path`` for the length of the block; the future gets the first connection.

    Raises:
        InfrastructureError: The socket cannot be made.
    """
    first: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first.done():
            writer.close()
        else:
            first.set_result(Connection(reader, writer))

    try:
        server = await asyncio.start_unix_server(accept, str(path), limit=READ_BYTES)
    except OSError as error:
        raise InfrastructureError(
            f"cannot listen on {path}: {error.strerror or error}",
            hint="set XDG_RUNTIME_DIR to a directory of your own with a short name",
        ) from error
    try:
        yield first
    finally:
        server.close()
        if first.done() and not first.cancelled():
            first.result().writer.transport.abort()
        first.cancel()

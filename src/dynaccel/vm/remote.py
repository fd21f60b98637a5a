# SPDX-License-Identifier: GPL-2.0-or-later
"""How another process talks to a running guest: a line of JSON each way over a UNIX socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import DynaccelError, InfrastructureError, StageError, UserError
from dynaccel.vm import registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ANSWER_SECONDS = 20.0
_LINE_MAX = 1 << 20
_ERRORS: dict[str, type[DynaccelError]] = {
    "user": UserError,
    "stage": StageError,
    "infrastructure": InfrastructureError,
}

Request = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Request], Awaitable[Answer]]


@asynccontextmanager
async def serving(
    path: Path, handle: Callable[[Request], Awaitable[Answer]]
) -> AsyncIterator[None]:
    """Answer requests on the socket ``path`` for the length of the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await _answer(await reader.readline(), handle)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # who asked went away, or sent no line
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, str(path), limit=_LINE_MAX)
    try:
        yield
    finally:
        server.close()


def ask(name: str, request: Request) -> Answer:
    """Send a request to the guest ``name`` and return its answer.

    Raises:
        UserError: No such guest runs, or it refuses the request.
        InfrastructureError: It does not answer.
        StageError: It failed meanwhile.
    """
    _, directory = registry.find(name)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(registry.control_socket(directory)))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(_LINE_MAX)
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"the guest {name} does not answer: {error}", hint="dynaccel ps"
        ) from error
    if not isinstance(answer, dict):
        raise InfrastructureError(f"the guest {name} answered nonsense", hint="dynaccel ps")
    if "error" in answer:
        kind = _ERRORS.get(str(answer.get("kind")), StageError)
        raise kind(str(answer["error"]), hint=answer.get("hint"))
    return answer


async def _answer(line: bytes, handle: Handler) -> Answer:
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise UserError("a request is a JSON object")
        return await handle(request)
    except DynaccelError as error:
        kind = next((name for name, each in _ERRORS.items() if isinstance(error, each)), "stage")
        return {"error": error.message, "kind": kind, "hint": error.hint}

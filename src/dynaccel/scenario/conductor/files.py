# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the host for the conductor, which makes them in the guest."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.scenario.conductor.orders import Order
from dynaccel.vm.channel import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePosixPath

    from dynaccel.scenario.model import CopiedFile
    from dynaccel.vm.channel import Value

CHUNK_BYTES = 1 << 20
"""So much of a file goes into a frame, which holds 4 MiB."""


def files(copied: Iterable[CopiedFile]) -> Iterator[bytes]:
    """Yield the frames that make files and directories in the guest.

    Raises:
        UserError: One cannot be read, or is no file, directory or link.
    """
    for each in copied:
        yield from _any(each.source, each.target)


def _any(source: Path, target: PurePosixPath) -> Iterator[bytes]:
    try:
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            yield _frame("link", target, ("target", os.fsencode(source.readlink())))
        elif stat.S_ISDIR(status.st_mode):
            yield _frame("directory", target, ("mode", _mode(status)))
            for entry in sorted(source.iterdir()):
                yield from _any(entry, target / entry.name)
        elif stat.S_ISREG(status.st_mode):
            yield from _content(source, target, _mode(status))
        else:
            raise UserError(
                f"{source} cannot be copied into the guest: it is no file, directory or link"
            )
    except OSError as error:
        raise UserError(
            f"{source} cannot be copied into the guest: {error.strerror}",
            hint="see [machine.files] in the scenario",
        ) from error


def _content(source: Path, target: PurePosixPath, mode: str) -> Iterator[bytes]:
    offset = 0
    with source.open("rb") as stream:
        while True:
            data = stream.read(CHUNK_BYTES)
            if data or not offset:
                text = base64.b64encode(data)
                yield _frame("file", target, ("mode", mode), ("offset", offset), ("data", text))
            if len(data) < CHUNK_BYTES:
                return
            offset += len(data)


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):o}"


def _frame(kind: str, target: PurePosixPath, *more: tuple[str, Value]) -> bytes:
    return encode(Order.FILE, [("path", os.fsencode(target)), ("kind", kind), *more])

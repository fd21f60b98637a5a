# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames that host and guest exchange over the control port; see ``docs/protocol.md``."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

PROTOCOL = 1
PAYLOAD_MAX = 4 << 20
_LENGTH_BYTES = 4

Value = int | str | bytes


class FrameType(enum.IntEnum):
    """What a frame says."""

    HELLO = 1
    START = 2
    STARTED = 3
    EXITED = 4
    FAILED = 5
    SIGNAL = 6
    STDIN_END = 7
    SET_RATIO = 8
    RATIO = 9
    HEARTBEAT = 10
    GET_RATIO = 11
    POWEROFF = 12
    ERROR = 13


class ChannelError(InfrastructureError):
    """What came from the guest is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived.

    Attributes:
        type: Its type; a number that is not in :class:`FrameType` comes from a newer agent.
        records: Its keys and values, in order.
    """

    type: int
    records: tuple[tuple[str, bytes], ...] = ()

    def text(self, key: str) -> str | None:
        """Return the last value of ``key`` as text, or None."""
        found = [value for name, value in self.records if name == key]
        return found[-1].decode(errors="replace") if found else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return all values of ``key`` as text, in order."""
        return tuple(value.decode(errors="replace") for name, value in self.records if name == key)

    def number(self, key: str) -> int | None:
        """Return the last value of ``key`` as a number, or None.

        Raises:
            ChannelError: The value is not a number.
        """
        text = self.text(key)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise ChannelError(f"the guest sent {key}={text!r}, which is not a number") from None

    def need(self, key: str) -> int:
        """Return the number that ``key`` must have.

        Raises:
            ChannelError: It is not there, or not a number.
        """
        number = self.number(key)
        if number is None:
            raise ChannelError(f"the guest sent a frame of type {self.type} without {key}")
        return number


def encode(kind: int, records: Iterable[tuple[str, Value]] = ()) -> bytes:
    """Return a frame as bytes.

    Raises:
        UserError: A value contains NUL, or all is longer than a frame may be.
    """
    payload = bytearray()
    for key, value in records:
        raw = value if isinstance(value, bytes) else os.fsencode(str(value))
        if b"\0" in raw:
            raise UserError(f"the value of {key} contains a NUL byte")
        payload += key.encode() + b"=" + raw + b"\0"
    if len(payload) > PAYLOAD_MAX:
        raise UserError(
            f"command line and environment are {len(payload)} bytes long; {PAYLOAD_MAX} fit",
            hint="give the command fewer arguments, or a smaller environment (env -i ...)",
        )
    return (len(payload) + 1).to_bytes(_LENGTH_BYTES, "little") + bytes([kind]) + payload


class Decoder:
    """Turns bytes, in whatever pieces they come, into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that are whole now.

        Raises:
            ChannelError: The bytes cannot be frames; nothing after them can be understood.
        """
        self._waiting += data
        frames = []
        while (raw := self._next()) is not None:
            frames.append(_frame(raw))
        return frames

    def _next(self) -> bytes | None:
        if len(self._waiting) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._waiting[:_LENGTH_BYTES], "little")
        if not 1 <= length <= PAYLOAD_MAX + 1:
            raise ChannelError(f"the guest sent a frame of {length} bytes")
        end = _LENGTH_BYTES + length
        if len(self._waiting) < end:
            return None
        raw = bytes(self._waiting[_LENGTH_BYTES:end])
        del self._waiting[:end]
        return raw


def _frame(raw: bytes) -> Frame:
    if len(raw) > 1 and raw[-1] != 0:
        raise ChannelError("the guest sent a frame whose last record has no end")
    records = []
    for record in raw[1:-1].split(b"\0") if len(raw) > 1 else ():
        key, equals, value = record.partition(b"=")
        if not equals or not key:
            raise ChannelError(f"the guest sent the record {record!r}, which has no key")
        records.append((key.decode(errors="replace"), value))
    return Frame(raw[0], tuple(records))

# SPDX-License-Identifier: GPL-2.0-or-later
"""A USB device on the host that answers when it is told to.

QEMU's ``usb-redir`` asks it over a socket, in the protocol of usbredir 0.7
(https://gitlab.freedesktop.org/spice/usbredir, docs/usb-redirection-protocol.md). The device has a
vendor's class: no driver wants it, so that all there is to see is how Linux finds it.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO, CONNECT, INTERFACES, ENDPOINTS = 0, 1, 4, 5
SET_CONFIGURATION, CONFIGURATION, CONTROL = 6, 8, 100
# The number of a packet has 64 bits where both can do that, but in the first packet.
FIRST_HEADER, HEADER = struct.Struct("<III"), struct.Struct("<IIQ")
# What QEMU's xHCI insists on: sizes of packets, long numbers, long bulk packets.
CAPABILITIES = 1 << 4 | 1 << 5 | 1 << 6
PACKET_BYTES = 64
CONTROL_HEADER = struct.Struct("<BBBBHHH")
HIGH_SPEED = 2
VENDOR, PRODUCT = 0x1209, 0x0001  # pid.codes: for tests
SUCCESS, STALL = 0, 2
GET_DESCRIPTOR, DEVICE, CONFIGURATIONS = 6, 1, 2
SLOTS = 32
INVALID = 255
START_SECONDS = 20.0

DEVICE_DESCRIPTOR = struct.pack(
    "<BBHBBBBHHHBBBB", 18, DEVICE, 0x0200, 0xFF, 0, 0, 64, VENDOR, PRODUCT, 1, 0, 0, 0, 1
)
CONFIGURATION_DESCRIPTOR = struct.pack("<BBHBBBBB", 9, CONFIGURATIONS, 18, 1, 1, 0, 0x80, 50)
CONFIGURATION_DESCRIPTOR += struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 0, 0xFF, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentUsb:
    """The device.

    Attributes:
        path: The socket, where QEMU listens.
    """

    path: Path

    def qemu(self, slot: str) -> str:
        """The words by which QEMU learns of it.

        Args:
            slot: The PCI slot of the host controller.
        """
        return (
            f"-device qemu-xhci,id=silent,addr={slot}"
            f" -chardev socket,id=usb,path={self.path},server=on,wait=off"
            " -device usb-redir,chardev=usb,bus=silent.0"
        )

    @contextmanager
    def plugged(self, *, delay_seconds: float | None) -> Iterator[None]:
        """Plug it in for the length of the block.

        Args:
            delay_seconds: Real time that it takes for each answer; None when it never answers.
        """
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(START_SECONDS)
            end.connect(str(self.path))
            end.settimeout(None)
            thread = threading.Thread(target=_serve, args=(end, delay_seconds))
            thread.start()
            try:
                yield
            finally:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                thread.join()


def _serve(end: socket.socket, delay_seconds: float | None) -> None:
    with suppress(OSError):
        hello = b"dynaccel".ljust(64, b"\0") + struct.pack("<I", CAPABILITIES)
        end.sendall(FIRST_HEADER.pack(HELLO, len(hello), 0) + hello)
        _, length, _ = FIRST_HEADER.unpack(_receive(end, FIRST_HEADER.size))
        _receive(end, length)
        one = bytes([0xFF]).ljust(SLOTS, b"\0")
        none = bytes(SLOTS)
        _send(end, INTERFACES, 0, struct.pack("<I", 1) + none + one + none + none)
        kinds = bytes([0]).ljust(SLOTS // 2, bytes([INVALID])) * 2
        sizes = struct.pack("<H", PACKET_BYTES) * SLOTS
        _send(end, ENDPOINTS, 0, kinds + none + none + sizes)
        _send(end, CONNECT, 0, struct.pack("<BBBBHH", HIGH_SPEED, 0xFF, 0, 0, VENDOR, PRODUCT))
        while True:
            kind, length, number = HEADER.unpack(_receive(end, HEADER.size))
            body = _receive(end, length)
            if kind == SET_CONFIGURATION:
                _send(end, CONFIGURATION, number, bytes([SUCCESS, body[0]]))
            elif kind == CONTROL and delay_seconds is not None:
                time.sleep(delay_seconds)
                _send(end, CONTROL, number, _answer(body))


def _answer(body: bytes) -> bytes:
    endpoint, request, kind, _, value, index, length = CONTROL_HEADER.unpack_from(body)
    found = {DEVICE: DEVICE_DESCRIPTOR, CONFIGURATIONS: CONFIGURATION_DESCRIPTOR}
    data = found.get(value >> 8, b"")[:length] if request == GET_DESCRIPTOR else b""
    status = SUCCESS if data or not length else STALL
    return CONTROL_HEADER.pack(endpoint, request, kind, status, value, index, len(data)) + data


def _send(end: socket.socket, kind: int, number: int, body: bytes) -> None:
    end.sendall(HEADER.pack(kind, len(body), number) + body)


def _receive(end: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        got = end.recv(length - len(data))
        if not got:
            raise ConnectionError("QEMU has left")
        data += got
    return bytes(data)

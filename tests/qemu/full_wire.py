# SPDX-License-Identifier: GPL-2.0-or-later
"""A network cable whose other end does not take what a guest sends, until it is told to."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 16
START_SECONDS = 30.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FullWire:
    """The cable.

    Attributes:
        listening: Where QEMU connects to.
        path: Its socket.
        open: Set while what comes is taken.
    """

    listening: socket.socket
    path: Path
    open: threading.Event

    def qemu(self, slot: str) -> str:
        """The words by which QEMU learns of it.

        Args:
            slot: The PCI slot of the network card.
        """
        return (
            f"-netdev stream,id=wire,server=off,addr.type=unix,addr.path={self.path}"
            f" -device virtio-net-pci,netdev=wire,romfile=,addr={slot}"
        )


@contextmanager
def full_wire(directory: Path) -> Iterator[FullWire]:
    """Lay a cable for the length of the block; its socket lies in ``directory``."""
    with socket.socket(socket.AF_UNIX) as listening:
        wire = FullWire(listening=listening, path=directory / "wire.sock", open=threading.Event())
        listening.bind(str(wire.path))
        listening.listen()
        listening.settimeout(START_SECONDS)
        over = threading.Event()
        thread = threading.Thread(target=_take, args=(wire, over))
        thread.start()
        try:
            yield wire
        finally:
            over.set()
            thread.join()


def _take(wire: FullWire, over: threading.Event) -> None:
    end, _ = wire.listening.accept()
    with end:
        end.settimeout(LOOK_SECONDS)
        while not over.is_set():
            if wire.open.wait(LOOK_SECONDS):
                try:
                    if not end.recv(CHUNK):
                        return
                except TimeoutError:
                    continue

# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that can be told to keep its guest waiting, and to go on.

``nbdkit`` serves it over a socket, its filter ``pause`` holds requests back between two letters
that it reads from another socket (nbdkit-pause-filter(1)). QEMU's own means do not do:
``null-co`` has one latency for ever, and a request that ``blkdebug`` suspends or a throttle group
holds back is resumed through the monitor, which does not answer while QEMU waits for the request.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVER = "nbdkit"
MEBIBYTES = 64
"""SD cards have a power of two."""
START_SECONDS = 20.0
STUCK_SECONDS = 1.5
"""QEMU answers within milliseconds, on a busy host within tenths, when it waits for no disk."""
LOOK_SECONDS = 0.1


def installed() -> bool:
    """Whether there is a server."""
    return shutil.which(SERVER) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDisk:
    """A disk of zeros on the host.

    Attributes:
        name: Its node in QEMU.
        data: The socket for QEMU.
        control: The socket for letters.
    """

    name: str
    data: Path
    control: Path

    @property
    def qemu(self) -> str:
        """The words by which QEMU learns of it."""
        return (
            f"-blockdev driver=nbd,node-name={self.name},server.type=unix,server.path={self.data}"
        )

    def hold(self) -> None:
        """Hold back every request from now on; those under way have ended."""
        self._tell(b"p")

    def go_on(self) -> None:
        """Serve what was held back, and whatever comes."""
        self._tell(b"r")

    def _tell(self, letter: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(START_SECONDS)
            end.connect(str(self.control))
            end.sendall(letter)
            assert end.recv(1) == letter.upper()


@contextmanager
def slow_disk(directory: Path, name: str) -> Iterator[SlowDisk]:
    """Serve a disk for the length of the block; its sockets lie in ``directory``."""
    disk = SlowDisk(name=name, data=directory / f"{name}.nbd", control=directory / f"{name}.ctl")
    # --exit-with-parent would wait for what is held back.
    argv = ["setpriv", "--pdeathsig", "KILL", SERVER, "--foreground", "--unix", str(disk.data)]
    argv += ["--filter=pause", "memory", f"{MEBIBYTES}M", f"pause-control={disk.control}"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (disk.data.exists() and disk.control.exists()):
                assert server.poll() is None, f"{SERVER} ended"
                assert time.monotonic() < deadline, f"{SERVER} does not start"
                time.sleep(0.01)
            yield disk
        finally:
            # Asked to end it would wait for what is held back.
            server.kill()
            server.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """QEMU's monitor, and whether QEMU answers there.

    Attributes:
        path: The socket, where QEMU listens.
    """

    path: Path

    @property
    def qemu(self) -> str:
        """The words by which QEMU learns of it."""
        return (
            f"-chardev socket,id=watch,path={self.path},server=on,wait=off"
            " -mon chardev=watch,mode=control"
        )

    @contextmanager
    def when_stuck(self, act: Callable[[], None]) -> Iterator[threading.Event]:
        """Call ``act`` once if QEMU does not answer; the event tells whether that happened.

        A device of QEMU that its guest resets waits, and all of QEMU with it, for the requests
        that are under way (``blk_aio_cancel()``, ``blk_drain()``): hardware would forget them.
        """
        done, stuck = threading.Event(), threading.Event()

        def watch(end: socket.socket) -> None:
            while not done.wait(LOOK_SECONDS):
                if not stuck.is_set() and not _answers(end):
                    stuck.set()
                    act()

        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(self.path))
            end.settimeout(START_SECONDS)
            _message(end)
            end.sendall(b'{"execute": "qmp_capabilities"}')
            _message(end)
            end.settimeout(STUCK_SECONDS)
            thread = threading.Thread(target=watch, args=(end,))
            thread.start()
            try:
                yield stuck
            finally:
                done.set()
                thread.join()


def _answers(end: socket.socket) -> bool:
    with suppress(OSError):
        end.sendall(b'{"execute": "query-status"}')
        while "return" not in _message(end):
            pass
        return True
    return False


def _message(end: socket.socket) -> dict[str, Any]:
    """Return the next message; QEMU ends each with a line end."""
    text = bytearray()
    while not text.endswith(b"\n"):
        got = end.recv(1)
        if not got:
            raise ConnectionError("QEMU has left")
        text += got
    message: dict[str, Any] = json.loads(text)
    return message

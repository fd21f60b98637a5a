# SPDX-License-Identifier: GPL-2.0-or-later
"""The signals that reach this process while a guest runs, and whom they are meant for."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
"""A second one of these ends the guest."""

FORWARDED = ENDING | {signal.SIGUSR1, signal.SIGUSR2}
REPEAT_SECONDS = 0.1
"""timeout(1) sends the same signal twice at once, to us and to our group: that is one wish."""


class Interrupts:
    """Passes the first signal on to the command; the second ends the guest.

    Attributes:
        ended: Gets the number of the signal that ends the guest.
        target: Takes a signal for the command; None while no command runs, and then already the
            first signal ends the guest.
    """

    def __init__(self) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.target: Callable[[int], None] | None = None
        self._last: tuple[int, float] | None = None
        self._warned = False

    def take(self, number: int) -> None:
        """Take a signal that reached this process."""
        now = time.monotonic()
        repeated = (
            self._last is not None
            and self._last[0] == number
            and now - self._last[1] < REPEAT_SECONDS
        )
        self._last = (number, now)
        if repeated:
            return
        if number in ENDING and (self.target is None or self._warned):
            if not self.ended.done():
                self.ended.set_result(number)
        elif self.target is not None:
            self._warned = self._warned or number in ENDING
            self.target(number)


@contextmanager
def listening() -> Iterator[Interrupts]:
    """Take this process's signals for the length of the block.

    Outside the main thread, where Python has no signals, nothing is ever taken.
    """
    interrupts = Interrupts()
    loop = asyncio.get_running_loop()
    # One that the caller ignores stays ignored: nohup(1) means it.
    wanted = [number for number in FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    before = {number: signal.getsignal(number) for number in wanted}
    for number in wanted:
        loop.add_signal_handler(number, interrupts.take, number)
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits that are for no disk: a full network queue, a USB device that is asked who it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slow_guest import LOOK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from full_wire import FullWire
    from silent_usb import SilentUsb
    from slow_guest import SlowGuest

WIRE_SLOT, USB_SLOT = "1e", "1d"
WATCHDOG_SIGN = "NETDEV WATCHDOG"
NEW_SIGN, DEAD_SIGN = "new high-speed USB device", "device descriptor read/64, error -110"
QUIET_SECONDS = 0.3
SETTLE_SECONDS = 20.0
CALM_SECONDS = 1.0
"""The other end of the wire takes all there is within that time; a USB port settles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A network queue that did not move.

    Attributes:
        since_first: When the kernel's watchdog reported it, in real seconds since just before the
            first frame: no less than since the last one that the card took.
        since_last: The same since the last frame that found room in the kernel: no more than that.
        works: Whether frames go out again once the wire takes them.
    """

    since_first: tuple[float, ...]
    since_last: tuple[float, ...]
    works: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """A USB device that was plugged in.

    Attributes:
        given_up: When the kernel gave up asking it for the first time, in real seconds since it
            noticed it; None if it did not.
        found: Whether the kernel knows what it is.
    """

    given_up: float | None
    found: bool


def stalled_queue(
    guest: SlowGuest,
    wire: FullWire,
    *,
    ratios: Sequence[int],
    step_seconds: float,
    seconds: float,
) -> Stall:
    """Fill the queue of the card at the end of the wire, and watch it.

    Args:
        guest: The guest.
        wire: The wire.
        ratios: The ratio when it is full, and those that follow.
        step_seconds: Real time from one ratio to the next.
        seconds: Real time for which it is watched.
    """
    bench = guest.bench
    card = bench.shell(
        f"basename $(echo /sys/devices/pci0000:00/0000:00:{WIRE_SLOT}.0/virtio*/net/*)"
    ).strip()
    wire.open.clear()
    bench.set_ratio(ratios[0])
    guest.begin([], limit_seconds=seconds + CALM_SECONDS)
    (flood,) = bench.probe("flood", card, bench.counts(QUIET_SECONDS))
    end = time.monotonic() + seconds
    for ratio in ratios[1:]:
        time.sleep(step_seconds)
        bench.set_ratio(ratio)
    time.sleep(max(0.0, end - time.monotonic()))
    bench.set_ratio(1)
    reported = [count for count, text in guest.log() if WATCHDOG_SIGN in text]
    sent = f"cat /sys/class/net/{card}/statistics/tx_packets"
    before = int(bench.shell(sent))
    wire.open.set()
    time.sleep(CALM_SECONDS)
    return Stall(
        since_first=tuple(bench.real_seconds(count - flood["began"]) for count in reported),
        since_last=tuple(bench.real_seconds(count - flood["sent"]) for count in reported),
        works=int(bench.shell(sent)) > before,
    )


def plugged_in(
    guest: SlowGuest, usb: SilentUsb, *, ratio: int, delay_seconds: float | None, seconds: float
) -> Plug:
    """Plug in a device.

    Args:
        guest: The guest.
        usb: The device.
        ratio: The ratio.
        delay_seconds: Real time that it takes for each answer; None when it never answers.
        seconds: Real time until it is given up or found, at most.
    """
    bench = guest.bench
    bench.set_ratio(ratio)
    guest.begin([], limit_seconds=seconds + SETTLE_SECONDS)
    with usb.plugged(delay_seconds=delay_seconds):
        deadline = time.monotonic() + seconds
        plug = Plug(given_up=None, found=False)
        while not plug.found and plug.given_up is None and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            plug = _look(guest)
    bench.set_ratio(1)
    # A port that lost its device is tried again, with a new number each time.
    deadline, known = time.monotonic() + SETTLE_SECONDS, -1
    while known != (known := len(guest.log())) and time.monotonic() < deadline:
        time.sleep(2 * CALM_SECONDS)
    return plug


def _look(guest: SlowGuest) -> Plug:
    log = guest.log()
    new = next((count for count, text in log if NEW_SIGN in text), None)
    dead = next((count for count, text in log if DEAD_SIGN in text and count > (new or 0)), None)
    bus = f"/sys/devices/pci0000:00/0000:00:{USB_SLOT}.0"
    # The file comes when the descriptors were read, and a configuration was chosen.
    names = guest.bench.shell(f"find {bus}/usb*/ -name bInterfaceClass | grep -c -- '-1:' || :")
    gone = None if new is None or dead is None else guest.bench.real_seconds(dead - new)
    return Plug(given_up=gone, found=int(names) > 0)

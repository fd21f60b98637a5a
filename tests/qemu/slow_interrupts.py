# SPDX-License-Identifier: GPL-2.0-or-later
"""A device that serves its requests and cannot tell: no interrupt of it arrives.

Here a request hangs while QEMU goes on, error handling meets the same deaf ears, and its own
time-outs run out one after the other until the driver gives the device up.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slow_guest import FIRST_SLOT, Hang

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slow_guest import SlowGuest

COMMAND, CAPABILITIES = 0x04, 0x34
MSI, MSI_X = 0x05, 0x11


@contextmanager
def unheard(guest: SlowGuest, name: str) -> Iterator[None]:
    """Have no interrupt of a device reach its guest for the length of the block.

    The bits are in its PCI configuration: those that enable MSI and MSI-X, and the one that
    disables INTx (PCI Local Bus Specification 3.0, 6.2.2 and 6.8).
    """
    slot = FIRST_SLOT + list(guest.disks).index(name)
    file = f"/sys/bus/pci/devices/0000:00:{slot:02x}.0/config"
    before = bytes.fromhex("".join(guest.bench.shell(f"od -An -v -tx1 {file}").split()))
    changes = [(COMMAND, int.from_bytes(before[COMMAND : COMMAND + 2], "little") | 1 << 10)]
    at = before[CAPABILITIES]
    while at:
        enable = {MSI: 1 << 0, MSI_X: 1 << 15}.get(before[at], 0)
        if enable:
            word = int.from_bytes(before[at + 2 : at + 4], "little")
            changes.append((at + 2, word & ~enable))
        at = before[at + 1]

    def write(words: Sequence[tuple[int, int]]) -> None:
        for where, word in words:
            octal = "".join(f"\\{byte:03o}" for byte in word.to_bytes(2, "little"))
            guest.bench.shell(
                f"printf '{octal}' | dd of={file} bs=1 seek={where} conv=notrunc 2>/dev/null"
            )

    write(changes)
    try:
        yield
    finally:
        write([(at, int.from_bytes(before[at : at + 2], "little")) for at, _ in reversed(changes)])


def unheard_request(
    guest: SlowGuest,
    name: str,
    *,
    ratios: Sequence[int],
    step_seconds: float,
    limit_seconds: float,
) -> Hang:
    """Read from a device whose interrupts do not arrive.

    Args:
        guest: The guest.
        name: The device.
        ratios: The ratio when the request begins, and those that follow.
        step_seconds: Real time from one ratio to the next.
        limit_seconds: Real time for which it is watched at most.
    """
    guest.bench.set_ratio(ratios[0])
    with unheard(guest, name):
        guest.begin([name], limit_seconds=limit_seconds)
        for ratio in ratios[1:]:
            time.sleep(step_seconds)
            guest.bench.set_ratio(ratio)
        outcome = guest.finish([name], limit_seconds=limit_seconds)[name]
    guest.bench.set_ratio(1)
    return Hang(outcome=outcome, works=guest.works(name), state=guest.state(name))

# SPDX-License-Identifier: GPL-2.0-or-later
"""All devices, in the guests that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_chips import CHIPS
from device_disks import DISKS
from device_links import LINKS
from device_ports import PORTS

if TYPE_CHECKING:
    from device_case import Case


def guests() -> dict[str, tuple[Case, ...]]:
    """Return the devices by guest: those that must be alone, and the others of a kind together."""
    found: dict[str, tuple[Case, ...]] = {}
    kinds = {"disks": DISKS, "links": LINKS, "ports": PORTS, "chips": CHIPS}
    for kind, cases in kinds.items():
        together = tuple(case for case in cases if not case.alone)
        if together:
            found[kind] = together
        found |= {case.name: (case,) for case in cases if case.alone}
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""The ratio of this very machine, when it runs an accelerated kernel."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

from dynaccel.core.errors import MissingError, UserError
from dynaccel.vm import registry

CONTROL = Path("/proc/sys/kernel/accel")
_CLOCKSOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStatus:
    """What the time does on this machine.

    Attributes:
        ratio: The ratio now.
        kernel: ``uname -r``.
        clocksource: Name of the current clocksource.
        uptime_virtual_seconds: CLOCK_BOOTTIME, in the machine's own time.
    """

    ratio: int
    kernel: str
    clocksource: str
    uptime_virtual_seconds: float


def get_ratio() -> int:
    """Return this machine's ratio.

    Raises:
        MissingError: Its kernel cannot accelerate.
    """
    try:
        return int(CONTROL.read_text())
    except (FileNotFoundError, ValueError):
        raise _missing() from None


def set_ratio(ratio: int) -> None:
    """Set this machine's ratio.

    Raises:
        MissingError: Its kernel cannot accelerate.
        UserError: It refuses, or we are not root.
    """
    try:
        # Not write_text(): it would try to make the file where there is none.
        descriptor = os.open(CONTROL, os.O_WRONLY)
        try:
            os.write(descriptor, f"{ratio}\n".encode())
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise _missing() from None
    except PermissionError:
        raise UserError(
            "only root may change this machine's ratio", hint=f"sudo dynaccel set {ratio}"
        ) from None
    except OSError as error:
        raise UserError(f"the kernel refuses the ratio {ratio}: {error.strerror}") from error


def status() -> LocalStatus:
    """Return what the time does on this machine.

    Raises:
        MissingError: Its kernel cannot accelerate.
    """
    ratio = get_ratio()
    try:
        clocksource = _CLOCKSOURCE.read_text().strip()
    except OSError:
        clocksource = "unknown"
    return LocalStatus(
        ratio=ratio,
        kernel=platform.release(),
        clocksource=clocksource,
        uptime_virtual_seconds=time.clock_gettime(time.CLOCK_BOOTTIME),
    )


def _missing() -> MissingError:
    names = [info.name for info in registry.running()]
    return MissingError(
        f"this machine's kernel ({platform.release()}) cannot accelerate: there is no {CONTROL}",
        hint=f"guests that run: {', '.join(names)}; name one with --vm NAME"
        if names
        else "start a guest: dynaccel run --accel 200 -- CMD; then name it with --vm NAME",
    )

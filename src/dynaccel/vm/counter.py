# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast a guest's counter runs: measured on this machine, for a guest cannot measure it well.

Under TCG the guest's TSC is this machine's own, less a constant (QEMU 7.2: cpu_get_ticks() in
softmmu/cpu-timers.c adds an offset to what RDTSC gives). A guest that measures its frequency does
so against emulated hardware, and is wrong when QEMU loses the processor between two of its reads.
Here nothing is emulated, and what comes in between only makes the measurement longer.
"""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_json_atomic
from dynaccel.core.errors import MissingError
from dynaccel.host import paths, probes, process
from dynaccel.vm import local

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter

UNCERTAINTY_WANTED = 2e-6
"""Reached in some ten milliseconds where programs read the clock without entering the kernel."""
UNCERTAINTY_ALLOWED = 1e-4
"""More than that is no measurement: a guest's clocks shall be right to 0.1 %."""
LIMIT_SECONDS = 1.0
"""Real time that the measurement may take."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """The frequency of this machine's counter.

    Attributes:
        hertz: Counts in a second of CLOCK_MONOTONIC_RAW.
        uncertainty: How far off that may be, as a fraction of it.
    """

    hertz: float
    uncertainty: float


def counter_khz(*, reporter: Reporter) -> int | None:
    """Return the frequency of this machine's TSC in kHz, measured once after each of its boots.

    None where it is not to be had: there is no TSC, or this machine's own clock is too coarse.

    Args:
        reporter: Learns that a guest has to find out for itself.

    Raises:
        MissingError: There is no compiler.
        ProcessError: The program that measures does not compile, or fails.
        InfrastructureError: The cache cannot be written.
    """
    if platform.machine() != "x86_64":
        return None
    program = probes.probe("frequency")
    cache = paths.cache_dir() / "counter.json"
    key = _key(program)
    found = _cached(cache, key)
    if found is None:
        found = _measured(program)
        if found.uncertainty > UNCERTAINTY_ALLOWED:
            reporter.warning(
                "the frequency of this machine's TSC is known only to"
                f" {found.uncertainty:.1%}: the guest measures it, which a busy machine can spoil"
            )
            return None
        write_json_atomic(cache, {"key": key, **asdict(found)})
    return round(found.hertz / 1e3)


def _measured(program: Path) -> Frequency:
    done = process.run([program, f"{UNCERTAINTY_WANTED}", f"{LIMIT_SECONDS * 1e3:.0f}"])
    return _frequency(json.loads(done.text))


def _key(program: Path) -> str:
    # An accelerated machine's clock runs at its ratio; the program's path follows from its source.
    ratio = 1
    with suppress(MissingError):
        ratio = local.get_ratio()
    return f"{_BOOT_ID.read_text().strip()} {ratio} {program}"


def _cached(cache: Path, key: str) -> Frequency | None:
    try:
        value = json.loads(cache.read_bytes())
        if value["key"] == key:
            return _frequency(value)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _frequency(value: dict[str, str | float]) -> Frequency:
    return Frequency(hertz=float(value["hertz"]), uncertainty=float(value["uncertainty"]))

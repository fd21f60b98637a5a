# SPDX-License-Identifier: GPL-2.0-or-later
"""What the run ran on, and how to do it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.scenario.model import RootKind
from dynaccel.scenario.report import figures

if TYPE_CHECKING:
    from dynaccel.recording.reader import Recording
    from dynaccel.scenario.model import Root, Scenario

_WORDS = {
    "cpus": "CPUs",
    "qemu": "QEMU",
    "kernel_id": "Kernel's id",
    "dynaccel": "dynaccel",
    "arch": "Architecture",
}
_TOLD = {"scenario", "description", "text", "memory_bytes"}
"""What of a recording's meta stands elsewhere in the page."""


def facts(scenario: Scenario, recording: Recording) -> list[tuple[str, str]]:
    """Return what is known of the machine, as names and texts."""
    machine = scenario.machine
    found = {
        "Root": _root(machine.root),
        "Kernel": machine.kernel or "the newest",
        "Accelerator": machine.accelerator,
        "CPUs": str(machine.cpus),
        "Memory": figures.number(machine.memory_bytes, figures.BYTES),
        "Booted": "the system's own process 1" if machine.system else "the scenario's jobs alone",
        "Network": "QEMU's user network" if machine.network else "none",
    }
    if machine.uptime is not None:
        found["Uptime at boot"] = format_duration(machine.uptime.total_seconds())
    # What was noted as it ran says more than what was asked for.
    for key, text in recording.meta.items():
        name = _WORDS.get(key, key.replace("_", " ").capitalize())
        if text and key not in _TOLD:
            found[name] = text
    attempts = recording.attempts()
    if attempts:
        found["Begun"] = f"{attempts[0].begun_wall:%Y-%m-%d %H:%M} UTC, by the host"
        if attempts[-1].ended_wall is not None:
            found["Ended"] = f"{attempts[-1].ended_wall:%Y-%m-%d %H:%M} UTC, by the host"
    return list(found.items())


def again(scenario: Scenario) -> str:
    """Return the command that runs the scenario once more."""
    return f"dynaccel scenario run {scenario.name}.toml"


def _root(root: Root) -> str:
    if root.kind is RootKind.DEBIAN:
        packages = f" with {', '.join(root.packages)}" if root.packages else ""
        return f"Debian {root.suite}{packages}"
    if root.kind is RootKind.HOST:
        return "the host's own"
    return f"{root.kind} {root.path}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the writer of a recording is to look for in each line as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.kernel_log import BY_PROGRAM, COMPLAINT
from dynaccel.recording.records import Watch
from dynaccel.scenario.model import CheckKind, LogKind

if TYPE_CHECKING:
    from dynaccel.scenario.model import Check, Scenario

_KINDS = frozenset({CheckKind.LOG_ABSENT, CheckKind.LOG_PRESENT, CheckKind.KERNEL_LOG})


def watches(scenario: Scenario) -> tuple[Watch, ...]:
    """Return the watches for a scenario's checks, to be given to ``RecordingWriter.create``."""
    return tuple(watch_of(scenario, check) for check in scenario.checks if check.kind in _KINDS)


def watch_of(scenario: Scenario, check: Check) -> Watch:
    """Return the watch of one check of logs."""
    if check.kind is CheckKind.KERNEL_LOG:
        log = kernel_log_name(scenario) or "kernel"
        pattern = f"^(?!{BY_PROGRAM}).*(?:{COMPLAINT})"
        return Watch(name=check.name, pattern=pattern, log=log)
    return Watch(name=check.name, pattern=check.pattern, log=check.log)


def kernel_log_name(scenario: Scenario) -> str | None:
    """Return the name of the scenario's log of the kernel; None when it has none."""
    return next((log.name for log in scenario.logs if log.kind is LogKind.KERNEL), None)

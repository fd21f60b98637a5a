# SPDX-License-Identifier: GPL-2.0-or-later
"""Judges a run: each check of the scenario against the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.verdict import clocks, finished, jobs, logs, ratio, series
from dynaccel.scenario.verdict.case import Case
from dynaccel.scenario.verdict.records import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaccel.recording.reader import Recording
    from dynaccel.scenario.model import Check, Scenario
    from dynaccel.scenario.verdict.records import Result

_JUDGES: dict[CheckKind, Callable[[Case, Check], Result]] = {
    CheckKind.FINISHED: finished.finished,
    CheckKind.EXIT_STATUS: jobs.exit_status,
    CheckKind.RUNS: jobs.runs,
    CheckKind.RESTARTS: jobs.restarts,
    CheckKind.LOG_ABSENT: logs.log_absent,
    CheckKind.LOG_PRESENT: logs.log_present,
    CheckKind.GROWTH: series.growth,
    CheckKind.VALUE: series.value,
    CheckKind.CLOCKS: clocks.clocks,
    CheckKind.RATIO: ratio.ratio,
    CheckKind.KERNEL_LOG: logs.kernel_log,
}


def judge(scenario: Scenario, recording: Recording) -> Verdict:
    """Return the verdict on what was recorded so far; a run need not have ended for it.

    Args:
        scenario: What was to be run.
        recording: What was.

    Raises:
        MissingError: A trend is to be judged, and the libraries for it are not installed.
        InfrastructureError: The recording cannot be read.
    """
    case = Case(scenario, recording)
    return Verdict(
        scenario=scenario.name,
        results=tuple(_JUDGES[check.kind](case, check) for check in scenario.checks),
        virtual_ns=max(case.end.virtual_ns, 0),
        real_ns=max(case.end.real_ns, 0),
        attempts=len(recording.attempts()),
    )

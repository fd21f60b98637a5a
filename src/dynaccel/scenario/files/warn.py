# SPDX-License-Identifier: GPL-2.0-or-later
"""What is no mistake in a scenario, and yet hardly what is wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.scenario.model import JobKind, SampleKind
from dynaccel.scenario.outline import Outline

if TYPE_CHECKING:
    from dynaccel.scenario.files.findings import Findings
    from dynaccel.scenario.model import Scenario

SOON = timedelta(milliseconds=20)
"""Real time: what comes again in less keeps an emulated CPU busy."""


def warn(scenario: Scenario, findings: Findings) -> None:
    """Note what is odd about a scenario that has no mistakes."""
    outline = Outline.of(scenario, now=datetime.now(UTC))
    least = outline.least_real
    if scenario.budget_real is not None and scenario.budget_real < least:
        findings.odd(
            ("budget-real",),
            f"the phases take {format_duration(least.total_seconds())} of real time at their"
            " ratios, more than the budget: give more, or shorten them",
        )
    for number, phase in enumerate(scenario.phases):
        by_guest = phase.until_file is not None or phase.until_job is not None
        if by_guest and phase.limit is None and scenario.budget_real is None:
            findings.odd(
                ("phase", number),
                "nothing ends this phase when the guest does not: give it a limit, or the scenario"
                " a budget-real",
            )
    fastest = max(phase.ratio for phase in scenario.phases)
    for job in scenario.jobs:
        if job.kind is JobKind.REPEAT and job.every and job.every / fastest < SOON:
            findings.odd(
                ("job", job.name, "every"),
                f"that is every {_ms(job.every / fastest)} of real time at ratio {fastest}: runs"
                " that take longer make others be skipped",
            )
    for sample in scenario.samples:
        costly = sample.kind is SampleKind.COMMAND
        if sample.every / fastest < (SOON * 5 if costly else SOON):
            findings.odd(
                ("sample", sample.name, "every"),
                f"that is every {_ms(sample.every / fastest)} of real time at ratio {fastest}:"
                " measuring so often disturbs what is measured",
            )
    _warn_late(scenario, outline, findings)


def _warn_late(scenario: Scenario, outline: Outline, findings: Findings) -> None:
    """Tell what only begins when the last phase is over."""
    length = outline.virtual
    if length is None:
        return
    text = f"the phases end after {format_duration(length.total_seconds())}: it never comes"
    for job in scenario.jobs:
        if job.after >= length:
            findings.odd(("job", job.name, "after"), text)
    for fault in scenario.faults:
        if fault.after is not None and fault.after >= length:
            findings.odd(("fault", fault.name, "after"), text)
        if fault.at is not None and outline.end is not None and fault.at >= outline.end:
            findings.odd(
                ("fault", fault.name, "at"),
                f"the phases end at {outline.end:%Y-%m-%d %H:%M:%S}: it never comes",
            )


def _ms(span: timedelta) -> str:
    return f"{span.total_seconds() * 1000:.3g} ms"

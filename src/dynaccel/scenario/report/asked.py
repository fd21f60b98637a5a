# SPDX-License-Identifier: GPL-2.0-or-later
"""What checks ask for, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.metrics import unit_of
from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.report import figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaccel.scenario.model import Check


def in_words(check: Check) -> str:
    """Return what a check asks for."""
    where = f", in phase {check.phase}" if check.phase else ""
    return _WORDS[check.kind](check) + where


def _named(name: str | None, every: str) -> str:
    return name or every


def _growth(check: Check) -> str:
    per = format_duration(check.per.total_seconds())
    return f"{check.series} grows less than {_bound(check, check.limit)} per {per}"


def _value(check: Check) -> str:
    bounds = [f"at least {_bound(check, check.minimum)}"] if check.minimum is not None else []
    bounds += [f"at most {_bound(check, check.limit)}"] if check.limit is not None else []
    return f"{check.series} is {' and '.join(bounds)}"


def _bound(check: Check, value: float | None) -> str:
    unit = unit_of(check.series.rpartition(".")[2])
    return figures.number(value or 0.0, "" if unit == "count" else unit)


def _statuses(check: Check) -> str:
    statuses = " or ".join(map(str, check.statuses))
    return f"each run of {_named(check.job, 'any job')} ends with status {statuses}"


def _log_present(check: Check) -> str:
    least = figures.significant(check.minimum if check.minimum is not None else 1)
    return f"at least {least} lines of {_named(check.log, 'the logs')} match {check.pattern}"


_WORDS: dict[CheckKind, Callable[[Check], str]] = {
    CheckKind.FINISHED: lambda _: "all phases come to their end, and the guest lives",
    CheckKind.EXIT_STATUS: _statuses,
    CheckKind.RUNS: lambda c: f"{c.job} runs at least {100 * c.share:g} % of its times",
    CheckKind.RESTARTS: lambda c: f"{c.job} ends by itself at most {c.limit or 0:g} times",
    CheckKind.LOG_ABSENT: lambda c: f"no line of {_named(c.log, 'any log')} matches {c.pattern}",
    CheckKind.LOG_PRESENT: _log_present,
    CheckKind.GROWTH: _growth,
    CheckKind.VALUE: _value,
    CheckKind.CLOCKS: lambda _: "no clock goes back",
    CheckKind.RATIO: lambda c: f"the ratio is within {100 * c.share:g} % of what was asked for",
    CheckKind.KERNEL_LOG: lambda _: "the kernel complains of nothing",
}

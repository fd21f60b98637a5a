# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario in words: what it will do, for a person to read before it runs for days."""

from __future__ import annotations

import shlex
import signal
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.scenario.metrics import METRICS, Unit, split_series
from dynaccel.scenario.model import CheckKind, FaultKind, JobKind, LogKind, RootKind, SampleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, timedelta

    from dynaccel.scenario.model import Check, Fault, Job, Log, Machine, Phase, Sample, Scenario
    from dynaccel.scenario.outline import Outline

COMMAND_MAX = 60
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_UNKNOWN = "as long as it takes"


def describe(scenario: Scenario, outline: Outline) -> str:
    """Return what a scenario will do, in lines."""
    first = scenario.description.strip().partition("\n")[0]
    lines = [f"{scenario.name}: {first}" if first else scenario.name, ""]
    lines += [f"  {line}" for line in _setting(scenario, outline)]
    for heading, rows in (
        ("phases", _phases(outline)),
        ("jobs", [_job(job, outline) for job in scenario.jobs]),
        ("samples", [_sample(sample, outline) for sample in scenario.samples]),
        ("logs", [_log(log) for log in scenario.logs]),
        ("faults", [_fault(fault, outline) for fault in scenario.faults]),
        ("checks", [(c.name, check_in_words(c, scenario)) for c in scenario.checks]),
    ):
        if rows:
            lines += ["", heading, *_columns(rows)]
    return "\n".join(line.rstrip() for line in lines)


def span(length: timedelta | None) -> str:
    """Return a length of time, or that it is not known."""
    return _UNKNOWN if length is None else format_duration(length.total_seconds())


def total(length: timedelta | None, least: timedelta) -> str:
    """Return the length of all phases; of what is known of it, when the guest decides on one."""
    if length is not None or not least:
        return span(length)
    return f"over {span(least)}"


def check_in_words(check: Check, scenario: Scenario) -> str:
    """Return what a check asks for, as a sentence without its end."""
    text = _CHECKS[check.kind](check, scenario)
    if check.settle:
        text += f", from {span(check.settle)} on"
    if check.phase is not None:
        text += f", in phase {check.phase}"
    return text


def _setting(scenario: Scenario, outline: Outline) -> Iterator[str]:
    yield f"guest   {_machine(scenario.machine)}"
    for file in scenario.machine.files:
        yield f"        {file.target} from {file.source}"
    saved = scenario.checkpoints
    if saved.every_real is None:
        yield "saved   never: after an interruption it starts anew"
    else:
        yield f"saved   each {span(saved.every_real)} of real time"
    begins = f"{outline.begin:%Y-%m-%d %H:%M:%S} UTC"
    yield f"begins  {begins}" + ("" if scenario.start else " (now)")
    if scenario.budget_real is not None:
        yield f"budget  {span(scenario.budget_real)} of real time"


def _machine(machine: Machine) -> str:
    root = machine.root
    parts = [f"{machine.cpus} CPU{'' if machine.cpus == 1 else 's'}", _size(machine.memory_bytes)]
    if root.kind is RootKind.DEBIAN:
        named = f" with {' '.join(root.packages)}" if root.packages else ""
        parts.append(f"Debian {root.suite}{named}")
    elif root.kind is RootKind.HOST:
        parts.append("this machine's root file system")
    else:
        parts.append(f"root {root.path}")
    parts.append("its system booted" if machine.system else "no system booted")
    if machine.network:
        parts.append("network")
    if machine.uptime is not None:
        parts.append(f"up for {span(machine.uptime)}")
    if machine.kernel is not None:
        parts.append(f"kernel {machine.kernel}")
    if machine.accelerator != "auto":
        parts.append(machine.accelerator)
    return ", ".join(parts)


def _phases(outline: Outline) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "ratio", "virtual", "real, about", "ends")]
    for planned in outline.phases:
        phase = planned.phase
        rows.append((
            phase.name,
            str(phase.ratio) + (f", ramp {span(phase.ramp)}" if phase.ramp else ""),
            span(planned.virtual) + (f", at most {span(phase.limit)}" if phase.limit else ""),
            "?" if planned.real is None else span(planned.real),
            _end(phase, planned.ends),
        ))  # fmt: skip
    if len(outline.phases) > 1:
        virtual = total(outline.virtual, outline.least_virtual)
        rows.append(("all", "", virtual, total(outline.real, outline.least_real)))
    return rows


def _end(phase: Phase, ends: datetime | None) -> str:
    if phase.until_file is not None:
        return f"when {phase.until_file} is there"
    if phase.until_job is not None:
        return f"when {phase.until_job} has ended"
    return f"{ends:%Y-%m-%d %H:%M:%S}" if ends else ""


def _job(job: Job, outline: Outline) -> tuple[str, ...]:
    when = {
        JobKind.SETUP: "before the first phase",
        JobKind.SERVICE: "all the time",
        JobKind.ONCE: "once",
        JobKind.REPEAT: f"cron {job.cron}" if job.cron else f"each {span(job.every)}",
        JobKind.FINISH: "after the last phase",
    }[job.kind]
    if job.after:
        when += f", after {span(job.after)}"
    if job.kind is JobKind.SERVICE and job.restart.value != "no":
        when += f", restarted {job.restart.value.replace('-', ' ')}"
    runs = outline.runs(job)
    if job.kind is JobKind.REPEAT:
        when += f": {_times(runs)}"
    if job.timeout is not None:
        when += f", at most {span(job.timeout)} each"
    return job.name, job.kind.value, when, _command(job.command)


def _sample(sample: Sample, outline: Outline) -> tuple[str, ...]:
    of = {
        SampleKind.SYSTEM: "the whole guest",
        SampleKind.PROCESS: f"job {sample.job}" if sample.job else f"processes {sample.process}",
        SampleKind.COMMAND: _command(sample.command),
        SampleKind.CLOCKS: "all clocks",
    }.get(sample.kind, " ".join(map(str, sample.paths)))
    points = outline.points(sample)
    count = "" if points is None else f": {points} points"
    return sample.name, sample.kind.value, f"each {span(sample.every)}{count}", of


def _log(log: Log) -> tuple[str, ...]:
    of = str(log.path) if log.kind is LogKind.FILE else ""
    kept = f"lines with {log.match}" if log.match else "all lines"
    return log.name, log.kind.value, f"{kept}, up to {_size(log.limit_bytes)}", of


def _fault(fault: Fault, outline: Outline) -> tuple[str, ...]:
    what = {
        FaultKind.DATE_STEP: _step(fault.step),
        FaultKind.LEAP_SECOND: f"{_step(fault.step)} at midnight",
        FaultKind.MEMORY_PRESSURE: f"{_size(fault.size_bytes)} for {span(fault.duration)}",
        FaultKind.DISK_FULL: f"{fault.path} but for {_size(fault.size_bytes)}"
        f" for {span(fault.duration)}",
        FaultKind.KILL: f"{_signal(fault.signal)} to {fault.job or fault.process}",
        FaultKind.NETWORK_CUT: f"{fault.interface} for {span(fault.duration)}",
        FaultKind.PAUSE: f"for {span(fault.duration_real)} of real time",
    }[fault.kind]
    when = f"at {fault.at:%Y-%m-%d %H:%M:%S}" if fault.at else f"after {span(fault.after)}"
    if fault.every is not None:
        when += f", then each {span(fault.every)}: {_times(outline.times(fault))}"
    return fault.name, fault.kind.value, when, what


def _step(step: timedelta) -> str:
    seconds = step.total_seconds()
    return f"{'-' if seconds < 0 else '+'}{format_duration(abs(seconds))}"


def _signal(number: int) -> str:
    return signal.Signals(number).name


def _times(number: int | None) -> str:
    if number is None:
        return "as often as it comes"
    return "once" if number == 1 else f"{number} times"


def _command(words: Sequence[str]) -> str:
    shell = len(words) == 3 and tuple(words[:2]) == ("/bin/sh", "-c")  # noqa: PLR2004
    text = " ".join((words[2] if shell else shlex.join(words)).split())
    return text if len(text) <= COMMAND_MAX else text[: COMMAND_MAX - 3] + "..."


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def _size(number: float) -> str:
    for size, unit in _SIZES:
        if number >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:g} bytes"


def _growth(check: Check, scenario: Scenario) -> str:
    limit = _amount(check.limit or 0, check.series, scenario)
    return f"{check.series} grows by less than {limit} per {span(check.per)}"


def _value(check: Check, scenario: Scenario) -> str:
    low, high = (
        None if bound is None else _amount(bound, check.series, scenario)
        for bound in (check.minimum, check.limit)
    )
    if low is None:
        return f"{check.series} is never above {high}"
    if high is None:
        return f"{check.series} is never below {low}"
    return f"{check.series} stays between {low} and {high}"


def _amount(number: float, series: str, scenario: Scenario) -> str:
    sample, _, name = split_series(series) or ("", "", "")
    kinds = {one.name: one.kind for one in scenario.samples}
    metric = METRICS[kinds[sample]].get(name) if sample in kinds else None
    if metric is not None and number and metric.unit is Unit.BYTES:
        return _size(number)
    if metric is not None and number and metric.unit is Unit.SECONDS:
        return format_duration(number)
    return f"{number:g}"


def _statuses(check: Check, _: Scenario) -> str:
    who = "each run of each job" if check.job is None else f"each run of {check.job}"
    return f"{who} ends with {' or '.join(map(str, check.statuses))}"


def _restarts(check: Check, _: Scenario) -> str:
    if not check.limit:
        return f"{check.job} never ends by itself"
    return f"{check.job} ends by itself at most {check.limit:g} times"


_CHECKS: dict[CheckKind, Callable[[Check, Scenario], str]] = {
    CheckKind.FINISHED: lambda _check, _all: "all phases come to their end",
    CheckKind.EXIT_STATUS: _statuses,
    CheckKind.RUNS: lambda check, _: (
        f"{check.job} runs at least {_percent(check.share)} of the times it is due"
    ),
    CheckKind.RESTARTS: _restarts,
    CheckKind.LOG_ABSENT: lambda check, _: (
        f"no line of {check.log or 'any log'} has {check.pattern!r}"
    ),
    CheckKind.LOG_PRESENT: lambda check, _: (
        f"at least {check.minimum:g} lines of {check.log or 'all logs'} have {check.pattern!r}"
    ),
    CheckKind.GROWTH: _growth,
    CheckKind.VALUE: _value,
    CheckKind.CLOCKS: lambda _check, _all: "no clock goes back",
    CheckKind.RATIO: lambda check, _: f"the ratio is kept within {_percent(check.share)}",
    CheckKind.KERNEL_LOG: lambda _check, _all: "the kernel writes no warning",
}


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    count = max(map(len, rows))
    widths = [
        max((len(row[column]) for row in rows if len(row) > column + 1), default=0)
        for column in range(count)
    ]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        for row in rows
    ]

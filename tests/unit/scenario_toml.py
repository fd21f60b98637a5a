# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios made up at random, and the files that describe them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from dynaccel.scenario.files.kinds import KINDS
from dynaccel.scenario.model import (
    Check,
    CheckKind,
    Checkpoints,
    Fault,
    FaultKind,
    Job,
    JobKind,
    Log,
    LogKind,
    Machine,
    Phase,
    Restart,
    Root,
    Sample,
    SampleKind,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START = datetime(2030, 1, 1, tzinfo=UTC)

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
words = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")),
    min_size=1, max_size=12,
)  # fmt: skip
texts = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=30)
spans = st.integers(1, 10**9).map(lambda ms: timedelta(milliseconds=ms))
sizes = st.integers(1, 1 << 40)
paths = st.lists(st.from_regex(r"[a-z][a-z0-9.]{0,5}", fullmatch=True), max_size=3).map(
    lambda parts: PurePosixPath("/", *parts)
)
commands = st.one_of(
    st.lists(texts, min_size=1, max_size=3).filter(lambda argv: argv != [""]).map(tuple),
    words.map(lambda line: ("/bin/sh", "-c", line)),
)
SIGNALS = st.sampled_from([1, 9, 10, 15])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def jobs(draw: st.DrawFn, name: str) -> Job:
    kind = draw(st.sampled_from(JobKind))
    more: dict[str, Any] = {}
    if kind in {JobKind.SERVICE, JobKind.ONCE, JobKind.REPEAT}:
        more["after"] = draw(st.just(timedelta(0)) | spans)
    if kind is JobKind.SERVICE:
        more["restart"] = draw(st.sampled_from(Restart))
        if more["restart"] is not Restart.NO:
            more["restart_delay"] = draw(spans)
    else:
        more["timeout"] = draw(maybe(spans))
    if kind is JobKind.REPEAT:
        if draw(st.booleans()):
            more["cron"] = draw(st.sampled_from(["0 0 * * *", "*/5 1-3 1,15 * mon"]))
            del more["after"]
        else:
            more["every"] = draw(spans)
    variables = st.dictionaries(st.from_regex(r"[A-Z_]{1,5}", fullmatch=True), texts, max_size=2)
    return Job(
        name=name, kind=kind, command=draw(commands), user=draw(words), directory=draw(paths),
        environment=tuple(draw(variables).items()), stop_signal=draw(SIGNALS), **more,
    )  # fmt: skip


@st.composite
def samples(draw: st.DrawFn, name: str, job_names: list[str]) -> Sample:
    kind = draw(st.sampled_from(SampleKind))
    more: dict[str, Any] = {}
    if kind is SampleKind.PROCESS:
        if draw(st.booleans()) and job_names:
            more["job"] = draw(st.sampled_from(job_names))
        else:
            more["process"] = draw(words)
        more["pss"] = draw(st.booleans())
    elif kind in {SampleKind.DISK, SampleKind.FILE}:
        more["paths"] = tuple(draw(st.lists(paths, min_size=1, max_size=3)))
    elif kind is SampleKind.COMMAND:
        more = {"command": draw(commands), "timeout_real": draw(spans)}
    return Sample(name=name, kind=kind, every=draw(spans), **more)


@st.composite
def faults(draw: st.DrawFn, name: str) -> Fault:
    kind = draw(st.sampled_from([kind for kind in FaultKind if kind is not FaultKind.NETWORK_CUT]))
    more: dict[str, Any] = {"every": None}
    if draw(st.booleans()):
        more["after"] = draw(spans)
    else:
        more["at"] = START + draw(spans)
    if kind is FaultKind.DATE_STEP:
        more["step"] = draw(spans) * draw(st.sampled_from([1, -1]))
    elif kind is FaultKind.LEAP_SECOND:
        more["step"] = timedelta(seconds=draw(st.sampled_from([1, -1])))
    elif kind is FaultKind.MEMORY_PRESSURE:
        more |= {"size_bytes": draw(st.integers(1, 1 << 20)), "duration": draw(spans)}
    elif kind is FaultKind.DISK_FULL:
        more |= {"size_bytes": draw(st.integers(0, 1 << 40)), "duration": draw(spans)}
        more["path"] = draw(paths)
    elif kind is FaultKind.KILL:
        more |= {"process": draw(words), "signal": draw(SIGNALS)}
    else:
        more["duration_real"] = draw(spans)
    return Fault(name=name, kind=kind, **more)


@st.composite
def checks(draw: st.DrawFn, name: str, phases: list[str]) -> Check:
    kind = draw(st.sampled_from([
        CheckKind.FINISHED, CheckKind.EXIT_STATUS, CheckKind.LOG_ABSENT, CheckKind.LOG_PRESENT,
        CheckKind.GROWTH, CheckKind.VALUE, CheckKind.CLOCKS, CheckKind.RATIO,
    ]))  # fmt: skip
    more: dict[str, Any] = {}
    bound = st.floats(0, 1e12)
    window = st.fixed_dictionaries(
        {"phase": maybe(st.sampled_from(phases)), "settle": st.just(timedelta(0)) | spans}
    )
    if kind is CheckKind.EXIT_STATUS:
        more["statuses"] = tuple(draw(st.lists(st.integers(0, 255), min_size=1, unique=True)))
    elif kind in {CheckKind.LOG_ABSENT, CheckKind.LOG_PRESENT}:
        more["pattern"] = draw(st.sampled_from(["", "a.*b", r"\d+ (?!x)", "[Ee]rror\t'\"\\\\"]))
        if kind is CheckKind.LOG_PRESENT:
            more["minimum"] = float(draw(st.integers(0, 1000)))
    elif kind is CheckKind.GROWTH:
        more = {"series": "every.slab", "limit": draw(bound), "per": draw(spans), **draw(window)}
    elif kind is CheckKind.VALUE:
        low, high = sorted([draw(bound), draw(bound)])
        more = {"series": "every.load_1", "minimum": low, "limit": high, **draw(window)}
    elif kind is CheckKind.RATIO:
        more["share"] = draw(st.floats(0.001, 1))
    return Check(name=name, kind=kind, **more)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    def some(most: int) -> list[str]:
        return draw(st.lists(names, max_size=most, unique=True))

    job_names = [f"job-{name}"[:20] for name in some(4)]
    phases = [
        Phase(
            name=name, ratio=draw(st.integers(1, 1000)), duration=draw(spans) + timedelta(days=1),
            ramp=draw(maybe(st.integers(1, 86400).map(lambda s: timedelta(seconds=s)))),
        )
        for name in draw(st.lists(words, min_size=1, max_size=3, unique=True))
    ]  # fmt: skip
    ends = draw(st.sampled_from(["date", "file", "none"]))
    if ends == "date":
        until = START + timedelta(days=30000)
        phases.append(Phase(name="the last of all", ratio=7, until=until))
    elif ends == "file":
        phases.append(
            Phase(name="the last of all", ratio=7, until_file=draw(paths), limit=draw(spans))
        )
    return Scenario(
        name="at-random",
        description=draw(texts),
        start=START,
        budget_real=draw(maybe(spans)),
        machine=Machine(
            root=Root(packages=("nginx",), size_bytes=draw(sizes), tune=draw(st.booleans())),
            cpus=draw(st.integers(1, 64)), memory_bytes=draw(st.integers(1 << 21, 1 << 40)),
            accelerator="tcg", network=draw(st.booleans()), uptime=draw(maybe(spans)),
            kernel=draw(maybe(words)),
        ),
        checkpoints=Checkpoints(every_real=draw(maybe(spans)), keep=draw(st.integers(1, 9))),
        phases=tuple(phases),
        jobs=tuple(draw(jobs(name)) for name in job_names),
        samples=(
            Sample(name="every", kind=SampleKind.SYSTEM, every=draw(spans)),
            *(draw(samples(f"s{name}", job_names)) for name in some(3)),
        ),
        logs=(
            Log(name="kern", kind=LogKind.KERNEL, limit_bytes=draw(sizes)),
            *(Log(name=f"l{name}", kind=LogKind.FILE, path=draw(paths), match="a|[[:digit:]]")
              for name in some(2)),
        ),
        faults=tuple(draw(faults(name)) for name in some(3)),
        checks=tuple(draw(checks(name, [one.name for one in phases])) for name in some(4)),
    )  # fmt: skip


def toml_of(scenario: Scenario) -> str:
    """Return a file that describes a scenario, with nothing left to defaults."""
    machine, root = scenario.machine, scenario.machine.root
    top = {
        "name": scenario.name, "description": scenario.description, "start": scenario.start,
        "budget-real": scenario.budget_real, "default-samples": False, "default-checks": False,
    }  # fmt: skip
    lines = list(_pairs(top))
    lines += ["[machine]", *_pairs({
        "root": "debian", "suite": root.suite, "packages": root.packages, "disk": root.size_bytes,
        "tune": root.tune, "system": machine.system, "kernel": machine.kernel,
        "accelerator": machine.accelerator, "cpus": machine.cpus, "memory": machine.memory_bytes,
        "network": machine.network, "uptime": machine.uptime,
    })]  # fmt: skip
    saved = scenario.checkpoints
    every = "never" if saved.every_real is None else saved.every_real
    lines += ["[checkpoints]", *_pairs({"every-real": every, "keep": saved.keep})]
    for phase in scenario.phases:
        lines += ["[[phase]]", *_pairs(_fields(phase, {"duration": "for"}))]
    for sort, tables in (
        ("job", scenario.jobs), ("sample", scenario.samples), ("log", scenario.logs),
        ("fault", scenario.faults), ("check", scenario.checks),
    ):  # fmt: skip
        for table in tables:
            lines += [f"[{sort}.{table.name}]", *_pairs(_table(table))]
    return "\n".join(lines) + "\n"


def _table(table: Job | Sample | Log | Fault | Check) -> dict[str, Any]:
    renamed = {"duration": "for", "duration_real": "for-real", "limit_bytes": "limit"}
    fields = _fields(table, renamed)
    del fields["name"]
    if isinstance(table, Fault):
        fields["leave" if table.kind is FaultKind.DISK_FULL else "size"] = table.size_bytes or None
    known = KINDS[type(table).__name__.lower()].known(table.kind)
    return {key: value for key, value in fields.items() if key in known}


def _fields(value: Any, renamed: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name in value.__dataclass_fields__:
        field = getattr(value, name)
        key = renamed.get(name, name.replace("_", "-"))
        empty = field in (None, (), timedelta(0)) or (name == "series" and not field)
        # What stands for nothing cannot be written, nor can the delay of what is not restarted.
        if not empty and not (name == "restart_delay" and value.restart is Restart.NO):
            found[key] = field
    return found


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if value is not None:
            yield f"{key} = {_value(key, value)}"


def _value(key: str, value: Any) -> str:  # noqa: PLR0911  (a line a type)
    if key == "environment":
        return "{ " + ", ".join(f"{name} = {_value('', text)}" for name, text in value) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        milliseconds = round(value / timedelta(milliseconds=1))
        return f'"{"-" if milliseconds < 0 else ""}{abs(milliseconds)}ms"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_value("", item) for item in value) + "]"
    # JSON's strings are TOML's, but for the one control character that JSON lets through.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")

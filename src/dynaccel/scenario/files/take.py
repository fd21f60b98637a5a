# SPDX-License-Identifier: GPL-2.0-or-later
"""A document's tables, each as far as it is right: one mistake must not hide the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from dynaccel.scenario.files import shape
from dynaccel.scenario.files.findings import did_you_mean, nearest
from dynaccel.scenario.files.values import NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaccel.scenario.files.findings import Findings
    from dynaccel.scenario.files.places import Steps

T = TypeVar("T", bound=shape.Table)
T_co = TypeVar("T_co", bound=shape.Table, covariant=True)


@dataclass(frozen=True, slots=True)
class Taken(Generic[T_co]):
    """A table of the file.

    Attributes:
        table: Its values; one that is wrong is left out as if it were not there.
        given: The keys that are there, whether their values are right or not.
        steps: The way to it.
        broken: Whether something else stands where the table should.
    """

    table: T_co
    given: frozenset[str]
    steps: Steps
    broken: bool = False

    @property
    def name(self) -> str:
        """The last step of the way, the name of what has one."""
        return str(self.steps[-1]) if self.steps else ""

    def at(self, key: str) -> Steps:
        """Return the way to one of its keys."""
        return (*self.steps, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All tables of a file."""

    top: Taken[shape.ScenarioTable]
    machine: Taken[shape.MachineTable]
    checkpoints: Taken[shape.CheckpointsTable]
    phases: tuple[Taken[shape.PhaseTable], ...]
    jobs: Mapping[str, Taken[shape.JobTable]]
    samples: Mapping[str, Taken[shape.SampleTable]]
    logs: Mapping[str, Taken[shape.LogTable]]
    faults: Mapping[str, Taken[shape.FaultTable]]
    checks: Mapping[str, Taken[shape.CheckTable]]


def take(data: dict[str, Any], findings: Findings) -> Document:
    """Return the tables of a document.

    Args:
        data: As tomllib has read it.
        findings: Gets what is wrong with keys and single values.
    """
    below = {"machine", "checkpoints", "phase", *shape.NAMED}
    return Document(
        top=_table(
            shape.ScenarioTable, {k: v for k, v in data.items() if k not in below}, (), findings
        ),
        machine=_table(shape.MachineTable, data.get("machine", {}), ("machine",), findings),
        checkpoints=_table(
            shape.CheckpointsTable, data.get("checkpoints", {}), ("checkpoints",), findings
        ),
        phases=_phases(data, findings),
        jobs=_named(shape.JobTable, "job", data, findings),
        samples=_named(shape.SampleTable, "sample", data, findings),
        logs=_named(shape.LogTable, "log", data, findings),
        faults=_named(shape.FaultTable, "fault", data, findings),
        checks=_named(shape.CheckTable, "check", data, findings),
    )


def heading(steps: Steps) -> str:
    """Return a table's header as it stands in a file."""
    if not steps:
        return "a scenario"
    if len(steps) > 1 and isinstance(steps[1], int):
        return f"[[{steps[0]}]]"
    return f"[{'.'.join(map(str, steps))}]"


def _phases(data: dict[str, Any], findings: Findings) -> tuple[Taken[shape.PhaseTable], ...]:
    raw = data.get("phase", [])
    if isinstance(raw, dict):
        findings.wrong(("phase",), "phases are a list, in order: write [[phase]]")
        return (_table(shape.PhaseTable, raw, ("phase",), findings),)
    if not isinstance(raw, list) or not raw:
        findings.wrong(
            ("phase",), "there is no phase: write [[phase]], and below it the ratio and its end,"
            ' such as ratio = 500 and for = "30d"',
        )  # fmt: skip
        return ()
    return tuple(
        _table(shape.PhaseTable, item, ("phase", number), findings)
        for number, item in enumerate(raw)
    )


def _named(
    kind: type[T], key: str, data: dict[str, Any], findings: Findings
) -> dict[str, Taken[T]]:
    raw = data.get(key, {})
    if isinstance(raw, list) or not isinstance(raw, dict):
        findings.wrong((key,), f"each {key} is a table with a name: write [{key}.NAME]")
        return {}
    if not any(isinstance(item, dict) for item in raw.values()) and set(raw) & _keys(kind):
        findings.wrong((key,), f"each {key} has a name: write [{key}.NAME]")
        return {}
    for name in raw:
        if not re.match(NAME_PATTERN, name):
            findings.wrong_key(
                (key, name),
                f"{name!r} cannot be a name: write letters, digits, - and _, at most 64 of them",
            )
    return {name: _table(kind, item, (key, name), findings) for name, item in raw.items()}


def _table(kind: type[T], raw: Any, steps: Steps, findings: Findings) -> Taken[T]:
    if not isinstance(raw, dict):
        findings.wrong(steps, f"a table is wanted here: write {heading(steps)}")
        return Taken(kind.model_validate({}), frozenset(), steps, broken=True)
    right = dict(raw)
    given = set(raw)
    while True:
        try:
            return Taken(kind.model_validate(right), frozenset(given), steps)
        except ValidationError as error:
            wrong = error.errors()
        for item in wrong:
            key = str(item["loc"][0])
            right.pop(key, None)
            if item["type"] == "extra_forbidden":
                hint = did_you_mean(key, _keys(kind))
                # What is meant is not missed as well.
                given.add(nearest(key, _keys(kind)) or key)
                findings.wrong_key(
                    (*steps, key), f"there is no key {key!r} in {heading(steps)}; {hint}"
                )
            else:
                cause = item.get("ctx", {}).get("error", item["msg"])
                findings.wrong((*steps, key), str(cause))


def _keys(kind: type[shape.Table]) -> set[str]:
    return {field.alias or name for name, field in kind.model_fields.items()}

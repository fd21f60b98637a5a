# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether each table has the keys that its kind takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.scenario.files.findings import Findings, listed
from dynaccel.scenario.files.kinds import KINDS, Keys, Kinds
from dynaccel.scenario.files.shape import JobTable, Table
from dynaccel.scenario.model import JobKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

    from dynaccel.scenario.files.take import Document, Taken


def check_fits(document: Document, findings: Findings) -> None:
    """Note each key that is missing, and each that has no meaning for its table's kind."""
    for sort, taken in _all(document):
        if taken.broken:
            continue
        kinds = KINDS[sort]
        kind = kind_of(taken)
        if kind is not None:
            _check_kind(sort, kind, kinds, taken, findings)
        elif kinds.needs_kind and "kind" not in taken.given:
            words = listed([each.value for each in kinds.by_kind], "or")
            findings.wrong(
                taken.steps, f'the {sort} {taken.name!r} has no kind: write kind = "...", {words}'
            )


def kind_of(taken: Taken[Any]) -> Any:
    """Return the kind of a table, as it says or as follows; None when it is not known."""
    table = taken.table
    if not isinstance(table, JobTable) or "kind" in taken.given:
        return table.kind
    return JobKind.REPEAT if taken.given & {"every", "cron"} else JobKind.SERVICE


def _all(document: Document) -> Iterator[tuple[str, Taken[Table]]]:
    for sort, tables in (
        ("job", document.jobs),
        ("sample", document.samples),
        ("log", document.logs),
        ("fault", document.faults),
        ("check", document.checks),
    ):
        for taken in tables.values():
            yield sort, taken


def _check_kind(
    sort: str, kind: StrEnum, kinds: Kinds, taken: Taken[Table], findings: Findings
) -> None:
    keys = {field.alias for field in type(taken.table).model_fields.values()}
    what = f"a {sort} of kind {kind.value!r}"
    for key in taken.given & keys - kinds.known(kind):
        takers = kinds.takers(str(key))
        others = f"; {listed(takers)} {'does' if len(takers) == 1 else 'do'}" if takers else ""
        findings.wrong_key(taken.at(str(key)), f"{what} takes no {key!r}{others}")
    for part in (kinds.common, kinds.by_kind[kind]):
        _check_needs(what, part, taken, findings)


def _check_needs(what: str, keys: Keys, taken: Taken[Table], findings: Findings) -> None:
    for group in keys.needs:
        there = [key for key in group if key in taken.given]
        if not there:
            findings.wrong(taken.steps, f"{what} needs {listed([*map(repr, group)], 'or')}")
        for key in there[1:]:
            findings.wrong_key(
                taken.at(key), f"{there[0]!r} and {key!r} exclude each other: leave one out"
            )
    if keys.any_of and not taken.given & {*keys.any_of}:
        findings.wrong(
            taken.steps, f"{what} needs {listed([*map(repr, keys.any_of)], 'or')}, or both"
        )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Say what hardware time does to a tree, for a reader and for a program."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from dynaccel.patch.hwtime.convert import LeftKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynaccel.patch.hwtime.border import Crossing
    from dynaccel.patch.hwtime.tree import HwtimePath, HwtimePlan

_HEADS = ("PATH", "FILES", "FOUND", "CONVERTED", *(kind.value.upper() for kind in LeftKind))


def totals(plan: HwtimePlan) -> dict[str, int]:
    """Return the sums over all paths: files, found, converted, and left by kind."""
    left = Counter(place.kind.value for _, place in plan.left)
    return {
        "files": sum(path.files for path in plan.paths),
        "found": sum(path.found for path in plan.paths),
        "converted": plan.converted,
        **{kind.value: left[kind.value] for kind in LeftKind},
    }


def as_json(plan: HwtimePlan, borders: Sequence[Crossing]) -> dict[str, Any]:
    """Return all that is known, for ``--json``."""
    sums = totals(plan)
    return {
        "files": sums["files"],
        "found": sums["found"],
        "converted": sums["converted"],
        "converted_by_kind": dict(plan.groups),
        "left_by_reason": {kind.value: sums[kind.value] for kind in LeftKind},
        "paths": [
            {
                "path": path.path,
                "about": path.about,
                "present": path.present,
                "files": path.files,
                "found": path.found,
                "converted": path.converted,
                "left": dict(path.left),
            }
            for path in plan.paths
        ],
        "left": [
            {
                "path": path,
                "line": place.line,
                "name": place.name,
                "kind": place.kind.value,
                "reason": place.reason,
            }
            for path, place in plan.left
        ],
        "absent": list(plan.absent),
        "troubled": [{"path": path, "reason": reason} for path, reason in plan.troubled],
        "borders": [
            {
                "name": crossing.name,
                "about": crossing.about,
                "converted": list(crossing.converted),
                "unconverted": list(crossing.unconverted),
            }
            for crossing in borders
        ],
    }


def table(plan: HwtimePlan) -> str:
    """Return a line for each hardware path of the tree, and the sums."""
    rows = [_HEADS]
    rows += [_row(path) for path in plan.paths if path.present]
    sums = totals(plan)
    rows.append(("in all", *(str(value) for value in sums.values())))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def text(plan: HwtimePlan, borders: Sequence[Crossing]) -> str:
    """Return all that is known as text, for ``--report``."""
    lines = [
        "What lives in hardware time, and what in it does not",
        "",
        table(plan),
        "",
        "Converted, by kind of name:",
        *(f"  {kind}: {count}" for kind, count in sorted(plan.groups.items())),
    ]
    for kind in LeftKind:
        places = [(path, place) for path, place in plan.left if place.kind is kind]
        lines += ["", f"Left: {kind.value} ({len(places)})"]
        lines += [
            f"  {path}:{place.line} {place.name}"
            + (f"  {place.reason}" if place.reason != kind.value else "")
            for path, place in places
        ]
    lines += _list("Files whose deadlines spatch could not look for", plan.troubled)
    lines += ["", f"Paths of the table that this tree does not have ({len(plan.absent)})"]
    lines += [f"  {path}" for path in plan.absent]
    lines += ["", f"To be looked at: names on both sides of the border ({len(borders)})"]
    for crossing in borders:
        lines.append(f"  {crossing.name}: {crossing.about}")
        lines += [f"    hardware time: {place}" for place in crossing.converted]
        lines += [f"    virtual time:  {place}" for place in crossing.unconverted]
    return "\n".join(lines) + "\n"


def _list(title: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    rows = [f"  {path}: {reason}" for path, reason in pairs]
    return ["", f"{title} ({len(rows)})", *rows]


def _row(path: HwtimePath) -> tuple[str, ...]:
    numbers = (path.files, path.found, path.converted)
    left = (path.left.get(kind.value, 0) for kind in LeftKind)
    return (path.path, *(str(number) for number in (*numbers, *left)))

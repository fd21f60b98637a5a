# SPDX-License-Identifier: GPL-2.0-or-later
"""The result of the matrix as a table for people and as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dynaccel.core.units import format_duration
from dynaccel.matrix.outcome import NOTES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.matrix.outcome import RowResult
    from dynaccel.matrix.rows import Row

COLUMNS = ("row", "version", "arch", "compiler", "build", "result", "checks", "worst")


def cells(result: RowResult) -> tuple[str, ...]:
    """Return a row's cells, in the order of :data:`COLUMNS`."""
    measured = result.measured
    return (
        result.row,
        result.release,
        result.arch,
        result.compiler,
        format_duration(result.build_seconds) if result.build_seconds is not None else "",
        result.outcome.value,
        f"{measured.held}/{measured.total}" if measured is not None else "",
        measured.worst if measured is not None else "",
    )


def notes(result: RowResult) -> list[str]:
    """Return what is to be said of a row besides its figures."""
    failures = result.measured.failures if result.measured is not None else ()
    said = [*result.notes, *failures[:NOTES_MAX]]
    if len(failures) > NOTES_MAX:
        said.append(f"and {len(failures) - NOTES_MAX} more checks that fail")
    return said


def as_text(results: Sequence[RowResult]) -> str:
    """Return the table for a terminal, with the notes below it."""
    lines = _aligned([COLUMNS, *map(cells, results)])
    for result in results:
        lines += [f"{result.row}: {note}" for note in notes(result)]
    return "\n".join(lines)


def as_markdown(results: Sequence[RowResult]) -> str:
    """Return the table as Markdown, with the notes below it."""
    lines = ["# Kernels that were built and verified", ""]
    lines += [_markdown_line((*COLUMNS, "kernel")), "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [_markdown_line((*cells(result), result.kernel)) for result in results]
    said = [f"- {result.row}: {note}" for result in results for note in notes(result)]
    return "\n".join([*lines, *(["", *said] if said else [])]) + "\n"


def as_json(results: Sequence[RowResult]) -> list[dict[str, Any]]:
    """Return all that is known of the rows."""
    return [asdict(result) for result in results]


def rows_as_text(rows: Sequence[Row]) -> str:
    """Return the rows that there are, for a terminal."""
    heads = ("row", "source", "arch", "flavours", "compiler", "cpus", "ratios", "note")
    lines = [
        (
            row.name,
            row.source or "(to be given)",
            row.arch,
            ",".join(row.flavours),
            row.compiler,
            str(row.cpus),
            ",".join(map(str, row.ratios)),
            row.note,
        )
        for row in rows
    ]
    return "\n".join(_aligned([heads, *lines]))


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]


def _markdown_line(line: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"

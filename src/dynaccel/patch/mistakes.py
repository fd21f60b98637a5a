# SPDX-License-Identifier: GPL-2.0-or-later
"""How mistakes in a table of dynaccel's own are told: all at once, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def place_of(location: tuple[int | str, ...], raw: Any) -> str:
    """Return the place of a mistake in words, with an entry's name or path for its number.

    Args:
        location: As pydantic gives it.
        raw: The table as it was read.
    """
    words: list[str] = []
    for index, step in enumerate(location):
        if isinstance(step, int):
            entry = raw[location[0]][step] if index == 1 else None
            name = None
            if isinstance(entry, dict):
                name = entry.get("path", entry.get("name"))
            words[-1] += f" {name!r}" if isinstance(name, str) else f" {step + 1}"
        elif not step.startswith("function-"):
            words.append(step)
    return ", ".join(words) + ": " if words else ""


def faulty_table(table: str, path: Path, mistakes: Sequence[str]) -> UserError:
    """Return the error of a table with mistakes.

    Args:
        table: What the table is of.
        path: Where it is.
        mistakes: Each with its place.
    """
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return UserError(
        f"the table of {table} {path} has {count}",
        hint=f"mend {path}",
        detail="\n".join(mistake.replace("Value error, ", "") for mistake in mistakes),
    )

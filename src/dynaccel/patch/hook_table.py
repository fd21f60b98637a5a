# SPDX-License-Identifier: GPL-2.0-or-later
"""Which versions of Linux each hook covers, and why its variants differ: for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.host import paths
from dynaccel.patch import series

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dynaccel.core.versions import KernelVersion, VersionRange
    from dynaccel.patch.series import Series, Variant

COMMAND = "dynaccel kernel hooks --markdown"

_HEAD = f"""\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Made by `{COMMAND}` from kernel/hooks/series.toml; do not edit. -->
# Versions of Linux

A hook is a change in Linux. Each version takes one variant of each hook: a patch that serves all
versions from the first on and before the end. A variant that says nothing else is the first one
that was made; the others say what in Linux made them necessary.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRow:
    """A hook with all its variants, for a table.

    Attributes:
        name: The hook's name.
        about: What it is for, in one line.
        variants: Its variants, lowest versions first.
    """

    name: str
    about: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTable:
    """All hooks, and the versions that all of them cover.

    Attributes:
        hooks: The hooks in the order of application.
        served: Ranges of versions, as text.
    """

    hooks: tuple[HookRow, ...]
    served: tuple[str, ...]


def hook_table(directory: Path | None = None) -> HookTable:
    """Return the table of the hooks in ``directory``; of dynaccel's own when None.

    Raises:
        UserError: The series has mistakes.
        InfrastructureError: It cannot be read.
    """
    table = series.load(directory if directory is not None else paths.data_dir("kernel") / "hooks")
    return HookTable(hooks=tuple(_rows(table)), served=tuple(map(versions, series.served(table))))


def as_text(table: HookTable) -> str:
    """Return the table for a terminal, a line a variant."""
    rows = [
        (
            hook.name if number == 0 else "",
            versions(variant.versions),
            variant.patch,
            variant.because or "",
        )
        for hook in table.hooks
        for number, variant in enumerate(hook.variants)
    ]
    rows.insert(0, ("HOOK", "VERSIONS", "PATCH", "BECAUSE"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join((*map(str.ljust, row, widths), row[3])).rstrip() for row in rows]
    return "\n".join([*lines, "", f"all hooks: {', '.join(table.served) or 'no version'}"])


def as_markdown(table: HookTable) -> str:
    """Return the table as the page docs/versions.md."""
    lines = [_HEAD, f"All hooks cover: {', '.join(table.served) or 'no version'}.", ""]
    lines += ["| hook | versions | patch | why this variant |", "|---|---|---|---|"]
    for hook in table.hooks:
        for number, variant in enumerate(hook.variants):
            name = f"**{hook.name}**: {hook.about}" if number == 0 else ""
            cells = (name, versions(variant.versions), f"`{variant.patch}`", variant.because or "")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def as_json(table: HookTable) -> dict[str, object]:
    """Return the table as JSON has it."""
    return {
        "served": list(table.served),
        "hooks": [
            {
                "name": hook.name,
                "about": hook.about,
                "variants": [
                    {
                        "patch": variant.patch,
                        "from": _short(variant.first) if variant.first else None,
                        "to": _short(variant.end) if variant.end else None,
                        "because": variant.because,
                    }
                    for variant in hook.variants
                ],
            }
            for hook in table.hooks
        ],
    }


def versions(span: VersionRange) -> str:
    """Return a range of versions in words."""
    words = [
        *([f"from {_short(span.first)}"] if span.first else []),
        *(
            [f"to before {_short(span.end)}" if span.first else f"before {_short(span.end)}"]
            if span.end
            else []
        ),
    ]
    return " ".join(words) or "all"


def _rows(table: Series) -> Iterable[HookRow]:
    for hook in table.hooks:
        ordered = sorted(
            hook.variants, key=lambda variant: (variant.first is not None, variant.first)
        )
        yield HookRow(name=hook.name, about=hook.about, variants=tuple(ordered))


def _short(version: KernelVersion) -> str:
    """Return a version without its last part when that is 0, as the series writes it."""
    text = str(version)
    return text.removesuffix(".0") if text.count(".") > 1 else text

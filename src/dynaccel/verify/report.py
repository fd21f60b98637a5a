# SPDX-License-Identifier: GPL-2.0-or-later
"""The result of a verification as a table and as a summary for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.verify.check import Check
    from dynaccel.verify.verify import Verification

NAME_WIDTH = 24
MIN_WIDTH = 104
"""Columns that the table needs when names are folded to :data:`NAME_WIDTH`."""

_COLUMNS = ("asked", "reached", "error", "late us", "same at 1")


def table(verification: Verification, *, plain: bool) -> Table:
    """Return all checks as a table, grouped by part.

    Args:
        verification: The result.
        plain: Without lines, for a file or another program.
    """
    result = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False)
    result.add_column("part", no_wrap=True)
    # On a narrow terminal names are folded, not figures.
    result.add_column("clock or wait", no_wrap=plain, overflow="fold", min_width=NAME_WIDTH)
    for name in _COLUMNS:
        result.add_column(name, justify="right", no_wrap=True)
    result.add_column("verdict", no_wrap=True)
    for part, checks in groupby(verification.checks, key=lambda check: check.part):
        for number, check in enumerate(checks):
            result.add_row("" if number and not plain else escape(part), *_cells(check))
        result.add_section()
    return result


def summary(verification: Verification) -> list[str]:
    """Return a line for each check that fails, each part, the whole, and each hook to look at."""
    lines = [_failure(check) for check in verification.checks if not check.ok]
    if lines:
        lines.append("")
    # In the order in which they were measured, each part once.
    parts = dict.fromkeys(check.part for check in verification.checks)
    lines += [
        _counted(part, [check for check in verification.checks if check.part == part])
        for part in parts
    ]
    lines.append(_counted("all", verification.checks))
    lines += [
        f"likely broken: hook {name}, which explains {count} of the failures"
        for name, count in verification.hooks.items()
    ]
    machine = verification.machine
    lines.append(
        f"kernel {machine['kernel']} on {machine['cpus']} CPUs ({machine['cpu']}),"
        f" clocksource {machine['clocksource']}; real time is known to"
        f" {machine['real_time_uncertainty']:.4%}"
    )
    return lines


def _cells(check: Check) -> tuple[str, ...]:
    return (
        escape(check.name),
        str(check.ratio),
        "" if check.reached is None else f"{check.reached:.4f}",
        "" if check.error is None else f"{check.error:+.4%}",
        "" if check.late_us is None else f"{check.late_us:.0f}",
        "" if check.late_base_us is None else f"{check.late_base_us:.0f}",
        "holds" if check.ok else "[red]FAILS[/red]",
    )


def _failure(check: Check) -> str:
    return f"FAILS: {check.part}: {check.name} at {check.ratio}: {check.note or 'no reason known'}"


def _counted(name: str, checks: Sequence[Check]) -> str:
    failed = sum(not check.ok for check in checks)
    verdict = f"{failed} of {len(checks)} fail" if failed else f"all {len(checks)} hold"
    return f"{name}: {verdict}"

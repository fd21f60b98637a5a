# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel kernel patch``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core.artifacts import check_writable, write_atomic
from dynaccel.patch import (
    FileState,
    HookState,
    apply_plan,
    find_crossings,
    full_diff,
    merged_place,
    plan,
    require_fit,
    review_patch,
    write_patch_file,
)
from dynaccel.patch.hwtime import report as hwtime_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.patch import Crossing, Plan

_COLOURS: dict[str, str] = {
    FileState.ADD: "green",
    FileState.CHANGE: "green",
    FileState.UPDATE: "yellow",
    HookState.APPLIES: "green",
    HookState.MERGES: "yellow",
    HookState.PARTLY_APPLIED: "yellow",
    HookState.MISFIT: "red",
}


@click.command()
@click.argument("tree", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE.patch",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write the patch to a file ('-': standard output) and leave TREE as it is. The patch is"
    " against the tree without dynaccel, for git apply or patch -p1.",
)
@click.option("--dry-run", is_flag=True, help="List what would change; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write the list as JSON.")
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write where hooks were merged, what lives in hardware time, and each name in it that does"
    " not, with the reason.",
)
@click.option(
    "--no-hwtime",
    is_flag=True,
    help="For tests: drivers wait in virtual time too, that is, N times too short for a device.",
)
def patch(
    tree: Path,
    output: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    report: Path | None,
    no_hwtime: bool,
) -> None:
    """Put dynaccel into the Linux source tree TREE.

    A tree that does not fit is refused before anything is written. A tree that is patched already
    is recognised and stays as it is. Where the tree has other lines around a change than the patch,
    the change is merged if no other place can be meant; such places are listed for you to look at.
    """
    to_stdout = output == Path("-") and not dry_run
    if to_stdout and as_json:
        raise click.UsageError("'-o -' and '--json' both want standard output")
    if report is not None and no_hwtime:
        raise click.UsageError("'--report' is about what '--no-hwtime' leaves out")
    if report is not None:
        check_writable(report)
    with TerminalReporter.current() as reporter:
        found = plan(tree, hwtime=not no_hwtime, reporter=reporter)
        crossings = _crossings(found, reporter) if as_json or report is not None else ()
    outcome = _carry_out(found, output, dry_run=dry_run)
    if report is not None and found.hwtime is not None:
        text = "".join(f"{line}\n" for line in _merged(found))
        write_atomic(report, (text + hwtime_report.text(found.hwtime, crossings)).encode())
    if as_json:
        click.echo(json.dumps(_as_json(found, outcome, output, crossings), indent=2))
    elif not to_stdout and (dry_run or not found.misfits):
        _show(found)
        click.echo(_summary(found, outcome, output))
    require_fit(found)


def _carry_out(found: Plan, output: Path | None, *, dry_run: bool) -> str:
    """Do what is asked for; return the outcome in a word."""
    if found.misfits:
        return "refused"
    if dry_run:
        return "dry_run"
    if output is None:
        with TerminalReporter.current(less=1) as reporter:
            result = apply_plan(found, reporter=reporter)
        return "patched" if result.written else "unchanged"
    text = review_patch(found, full_diff(found))
    if output == Path("-"):
        click.echo(text, nl=False)
    else:
        write_patch_file(output, text)
    return "patch_written"


def _crossings(found: Plan, reporter: Reporter) -> tuple[Crossing, ...]:
    if found.hwtime is None:
        return ()
    own = {file.path for file in found.core}
    return find_crossings(found.tree, found.hwtime, skip=own, reporter=reporter)


def _show(found: Plan) -> None:
    width = max(len(hook.name) for hook in found.hooks)
    click.echo(f"Linux {found.version} in {found.tree}")
    click.echo("hooks:")
    for hook in found.hooks:
        state = _coloured(hook.state, 16)
        click.echo(f"  {hook.name:{width}}  {state} {', '.join(hook.paths)}")
    click.echo("files:")
    for file in sorted((*found.core, *found.hooked), key=lambda file: file.path):
        click.echo(f"  {_coloured(file.state, 11)}{file.path}")
    for line in _merged(found):
        click.secho(line, fg="yellow")
    if found.hwtime is not None:
        click.echo("hardware time:")
        for line in hwtime_report.table(found.hwtime).splitlines():
            click.echo(f"  {line}")


def _merged(found: Plan) -> list[str]:
    if not found.merged:
        return []
    return ["merged, have a look at them:", *(f"  {merged_place(place)}" for place in found.merged)]


def _coloured(state: HookState | FileState, width: int) -> str:
    return click.style(f"{state.value:{width}}", fg=_COLOURS.get(state))


def _summary(found: Plan, outcome: str, output: Path | None) -> str:
    counts = Counter(file.state for file in found.files)
    numbers = (
        f"{counts[FileState.ADD]} to add,"
        f" {counts[FileState.CHANGE] + counts[FileState.UPDATE]} to change,"
        f" {counts[FileState.UNCHANGED]} unchanged"
    )
    done = numbers.replace("to add", "added").replace("to change", "changed")
    return {
        "refused": "the patch does not fit; nothing was written",
        "dry_run": f"dry run, nothing was written: {numbers}"
        if found.changes
        else "the tree is patched already; there is nothing to do",
        "patched": f"patched: {done}",
        "unchanged": "the tree is patched already; nothing was changed",
        "patch_written": f"wrote {output}; the tree is as it was",
    }[outcome]


def _as_json(
    found: Plan, outcome: str, output: Path | None, crossings: Sequence[Crossing]
) -> dict[str, Any]:
    return {
        "tree": str(found.tree),
        "kernel_version": str(found.version),
        "outcome": outcome,
        "output": str(output) if outcome == "patch_written" else None,
        "hooks": [
            {
                "name": hook.name,
                "about": hook.about,
                "patch": hook.patch,
                "state": hook.state.name.lower(),
                "files": list(hook.paths),
            }
            for hook in found.hooks
        ],
        "files": [{"path": file.path, "state": file.state.value} for file in found.files],
        "merged": [asdict(place) for place in found.merged],
        "misfits": [asdict(misfit) for misfit in found.misfits],
        "hwtime": hwtime_report.as_json(found.hwtime, crossings) if found.hwtime else None,
    }

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel kernel matrix``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel import matrix
from dynaccel.cli import complete
from dynaccel.cli.kernel import make_patcher
from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core.artifacts import check_writable, write_atomic, write_json_atomic
from dynaccel.matrix import report
from dynaccel.vm.accelerator import AcceleratorChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

FALLS_SHORT = 1
"""The exit status when a row that has a source does not hold."""

_FINE = (matrix.Outcome.HOLDS, matrix.Outcome.NO_SOURCE)


def _sources(
    ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    del ctx, parameter
    pairs = [text.partition("=") for text in value]
    if any(not (name and equals and source) for name, equals, source in pairs):
        raise click.BadParameter("write ROW=REF, such as 4.18=kernel-4.18.0-394.el8.src.rpm")
    return {name: source for name, _, source in pairs}


@click.command(
    "matrix",
    epilog="Exit statuses: 0 each row that has a source holds; 1 one does not; 2 usage.",
)
@click.option("--list", "listing", is_flag=True, help="List the rows; build nothing.")
@click.option(
    "--row", "names", metavar="NAME", multiple=True, shell_complete=complete.matrix_rows,
    help="This row alone; may be repeated.",
)  # fmt: skip
@click.option(
    "--source", "sources", metavar="ROW=REF", multiple=True, callback=_sources,
    help="Where a row's source is, as in 'dynaccel kernel build'; may be repeated.",
)  # fmt: skip
@click.option(
    "--output", metavar="FILE.md", type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table as Markdown, and beside it all that is known as FILE.json.",
)  # fmt: skip
@click.option(
    "--table", "path", metavar="FILE.toml", type=click.Path(path_type=Path, dir_okay=False),
    help="Take the rows from a table of your own.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Measure also what was measured before.")
@click.option("--jobs", "-j", metavar="N", type=click.IntRange(1), help="Default: one a CPU.")
@click.option(
    "--accelerator", type=click.Choice([choice.value for choice in AcceleratorChoice]),
    default=AcceleratorChoice.AUTO.value, show_default=True, help="As in 'dynaccel run'.",
)  # fmt: skip
@click.pass_context
def matrix_command(
    ctx: click.Context,
    *,
    listing: bool,
    names: tuple[str, ...],
    sources: dict[str, str],
    output: Path | None,
    path: Path | None,
    again: bool,
    jobs: int | None,
    accelerator: str,
) -> None:
    """Build and verify kernels of many versions, architectures and flavours, one after the other.

    A row that fails does not end it. What was built and measured is kept, so that an interrupted
    run goes on where it was, and a second run measures only what has changed since. The kernels are
    used by 'dynaccel run' when they are named by their ids alone.
    """
    rows = matrix.chosen(matrix.with_sources(matrix.load(path), sources), names)
    if listing:
        click.echo(report.rows_as_text(rows))
        return
    if output is not None:
        _check_output(output)
    done: list[matrix.RowResult] = []
    with TerminalReporter.current() as reporter:
        work = matrix.GuestWork(
            make_patcher((), reporter, hwtime=True),
            accelerator=accelerator, jobs=jobs, reporter=reporter,
        )  # fmt: skip
        try:
            runner = matrix.Matrix(
                rows, work, reporter=reporter, again=again, conditions=accelerator
            )
            for result in runner.run():
                done.append(result)
                _write(done, output)
        except (KeyboardInterrupt, SystemExit):
            reporter.info("interrupted; the same command goes on where it was")
            _show(done)
            raise
    _show(done)
    ctx.exit(0 if all(result.outcome in _FINE for result in done) else FALLS_SHORT)


def _check_output(output: Path) -> None:
    if output.suffix == ".json":
        raise click.UsageError("--output is the Markdown's name; the JSON has it with .json")
    for path in (output, output.with_suffix(".json")):
        check_writable(path)


def _write(done: Sequence[matrix.RowResult], output: Path | None) -> None:
    if output is not None:
        write_atomic(output, report.as_markdown(done).encode())
        write_json_atomic(output.with_suffix(".json"), json.loads(json.dumps(report.as_json(done))))


def _show(done: Sequence[matrix.RowResult]) -> None:
    if done:
        click.echo(report.as_text(done))

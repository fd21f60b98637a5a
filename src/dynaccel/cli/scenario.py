# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``dynaccel scenario ...``."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path

import click

from dynaccel.cli import complete
from dynaccel.cli.terminal import current_verbosity, show_error
from dynaccel.core.errors import DynaccelError

_LATER = {
    "run": "dynaccel.cli.scenario_run:run",
    "resume": "dynaccel.cli.scenario_run:resume",
    "report": "dynaccel.cli.scenario_run:report",
    "tell": "dynaccel.cli.scenario_run:tell",
}
"""Sub-commands that are imported when they are called, and where they are."""


class ScenarioCommands(click.Group):
    """The group; some sub-commands have modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their use."""
        return [*_LATER, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a sub-command; None when there is none of that name."""
        if cmd_name not in _LATER:
            return super().get_command(ctx, cmd_name)
        module, attribute = _LATER[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{_LATER[cmd_name]} is not a command")
        return command


@click.group(cls=ScenarioCommands)
def scenario() -> None:
    """Write down and run long tests: what runs, how fast, what must hold."""


@scenario.command(
    epilog="Exit statuses: 0 no file has a mistake; 2 one has, or cannot be found.",
)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=complete.file_names,
)
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Say what scenario files will do, or all that is wrong with them.

    Each mistake is a line FILE:LINE:COLUMN: MESSAGE on standard error, as editors find it.
    """
    from dynaccel.scenario.files import ScenarioFileError, read_file  # noqa: PLC0415
    from dynaccel.scenario.outline import Outline  # noqa: PLC0415
    from dynaccel.scenario.words import describe  # noqa: PLC0415

    status = 0
    for number, path in enumerate(files):
        try:
            found = read_file(path)
        except ScenarioFileError as error:
            for mistake in error.mistakes:
                click.echo(mistake.line(path), err=True)
            status = max(status, error.exit_status)
            continue
        except DynaccelError as error:
            show_error(error)
            status = max(status, error.exit_status)
            continue
        for warning in found.warnings:
            place = f"{path}:{warning.place.line}:{warning.place.column}"
            click.echo(f"{place}: warning: {warning.message}", err=True)
        if current_verbosity() >= 0:
            outline = Outline.of(found.scenario, now=datetime.now(UTC))
            click.echo("\n" * bool(number) + describe(found.scenario, outline))
    ctx.exit(status)


@scenario.command("list")
def list_scenarios() -> None:
    """List the scenarios that ship, with the time that they take in the guest and for you."""
    from dynaccel.scenario import shipped  # noqa: PLC0415
    from dynaccel.scenario.files import read_scenario  # noqa: PLC0415
    from dynaccel.scenario.outline import Outline  # noqa: PLC0415
    from dynaccel.scenario.words import total  # noqa: PLC0415

    rows = [("NAME", "VIRTUAL", "REAL, ABOUT", "WHAT IT IS")]
    for path in shipped.shipped():
        read = read_scenario(path)
        outline = Outline.of(read, now=datetime.now(UTC))
        about = read.description.strip().partition("\n")[0]
        rows.append(
            (
                path.stem,
                total(outline.virtual, outline.least_virtual),
                total(outline.real, outline.least_real),
                about,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        click.echo("  ".join([*cells, row[3]]).rstrip())


@scenario.command()
@click.argument("name", metavar="NAME", shell_complete=complete.shipped_scenarios)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Instead copy it to DIR, with the programs that it runs, to change it there.",
)
def show(*, name: str, output: Path | None) -> None:
    """Print a scenario that ships."""
    from dynaccel.scenario import shipped  # noqa: PLC0415

    if output is not None:
        click.echo(shipped.copy_shipped(name, output))
        return
    click.echo(shipped.find_shipped(name).read_text(encoding="utf-8"), nl=False)


@scenario.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    An editor that knows TOML (taplo, Even Better TOML) checks and completes a scenario whose first
    lines have: #:schema scenario.schema.json
    """
    from dynaccel.scenario.files.schema import schema_text  # noqa: PLC0415

    click.echo(schema_text(), nl=False)

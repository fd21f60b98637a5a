# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m dynaccel.cli.dist``: the packages of dynaccel itself, as ``make dist`` makes them.

No sub-command of dynaccel: it works in a checkout alone, and users have none.
"""

from __future__ import annotations

from pathlib import Path

import click

from dynaccel.cli import manual, terminal
from dynaccel.cli.main import dynaccel_command
from dynaccel.core.errors import DynaccelError
from dynaccel.packaging.tool import dist


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), default="dist",
    show_default=True, help="Directory for the packages.",
)  # fmt: skip
@click.option(
    "--python", metavar="PROGRAM", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The Python that .deb and .rpm are for: on other systems they need one of the same minor"
    " version.  [default: the system's]",
)  # fmt: skip
@click.argument(
    "kinds", metavar="[wheel|sdist|deb|rpm]...", nargs=-1,
    type=click.Choice([kind.value for kind in dist.Kind]),
)  # fmt: skip
@click.pass_context
def dist_command(
    ctx: click.Context, *, output: Path, python: Path | None, kinds: tuple[str, ...]
) -> None:
    """Make packages of dynaccel from this checkout, all kinds when none is named.

    DEBFULLNAME and DEBEMAIL say who maintains them; SOURCE_DATE_EPOCH is their date, else that of
    the last commit.
    """
    request = dist.DistRequest(
        output=output,
        kinds=tuple(map(dist.Kind, kinds)) or tuple(dist.Kind),
        python=python,
        pages=manual.pages(dynaccel_command),
        completions={
            path: manual.completion_script(dynaccel_command, shell)
            for shell, path in manual.COMPLETIONS.items()
        },
    )
    try:
        with terminal.TerminalReporter() as reporter:
            made = dist.make(request, reporter=reporter)
    except DynaccelError as error:
        terminal.show_error(error)
        ctx.exit(error.exit_status)
    for path in made:
        click.echo(path)


if __name__ == "__main__":
    dist_command(prog_name="python -m dynaccel.cli.dist")

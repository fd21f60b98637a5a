# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel scenario run``, and what can be done to a run: resume, report, tell."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel.cli import complete, terminal
from dynaccel.cli.live import LiveView, PlainView
from dynaccel.core.errors import DynaccelError, UserError

if TYPE_CHECKING:
    from dynaccel.scenario.conduct.run import Ran
    from dynaccel.scenario.verdict import Verdict

FAILED = 1
LOST = 4
LEFT = 130
_WORDS = ("end", "next", "pause", "leave")

_name_option = click.option(
    "--name", metavar="NAME", help="The guest's name, for --vm and 'tell'.  [default: run-PID]"
)
_plain_option = click.option(
    "--plain", is_flag=True, help="Lines instead of a live view, also on a terminal."
)
_EPILOG = (
    "Exit statuses: 0 all checks hold; 1 one does not; 4 the guest was lost, or dynaccel failed:"
    " 'resume' goes on; 130 the run was left: likewise; 2, 3 and 5 as of all commands."
)


@click.command(epilog=_EPILOG)
@click.argument("scenario", metavar="FILE|NAME", shell_complete=complete.shipped_scenarios)
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="A new directory for all that comes of it.  [default: NAME-DATE]",
)  # fmt: skip
@_name_option
@_plain_option
@click.pass_context
def run(
    ctx: click.Context, /, scenario: str, output: Path | None, name: str | None, *, plain: bool
) -> None:
    """Run a scenario: a file, or the name of one that ships.

    On a terminal keys change the ratio, pause, end it, or leave it for later; Ctrl-C leaves it,
    too, and twice ends the guest at once. 'dynaccel scenario resume DIR' goes on.
    """
    from dynaccel.scenario.conduct.run import begin  # noqa: PLC0415  (slow to load)

    source = _find(scenario)
    directory = output or Path(f"{source.stem}-{datetime.now(tz=UTC):%Y%m%d-%H%M%S}")
    with _view(source.stem, plain=plain) as view, _reporter() as reporter:
        ran = begin(source, directory, name=name, watcher=view, reporter=reporter)
    ctx.exit(_conclude(ran))


@click.command(epilog=_EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@_name_option
@_plain_option
@click.pass_context
def resume(ctx: click.Context, /, directory: Path, name: str | None, *, plain: bool) -> None:
    """Go on with a run that was left, killed or lost, from its last checkpoint."""
    from dynaccel.scenario.conduct.run import resume as go_on  # noqa: PLC0415

    with _view(directory.name, plain=plain) as view, _reporter() as reporter:
        ran = go_on(directory, name=name, watcher=view, reporter=reporter)
    ctx.exit(_conclude(ran))


@click.command(
    epilog="Exit statuses: 0 all checks hold, or the run is not over; 1 one does not hold.",
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes.  [default: DIR/report.html]",
)  # fmt: skip
@click.option("--over", is_flag=True, help="Judge a run that broke off as it is, for good.")
@click.pass_context
def report(ctx: click.Context, /, directory: Path, output: Path | None, *, over: bool) -> None:
    """Write the report of a run as far as it has come, also while it goes on."""
    from dynaccel.scenario.conduct.directory import RunDirectory  # noqa: PLC0415
    from dynaccel.scenario.conduct.finish import finish  # noqa: PLC0415
    from dynaccel.scenario.conduct.finish import report as write  # noqa: PLC0415

    place = RunDirectory(directory.absolute())
    verdict: Verdict | None
    if over:
        place.read_state()
        with place.locked():
            verdict = finish(place)
        if output is not None:
            write(place, path=output)
    else:
        verdict = write(place, path=output)
    click.echo(output or place.report)
    ctx.exit(0 if verdict is None or verdict.passed else FAILED)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete.guests)
@click.argument("word", type=click.Choice(_WORDS))
def tell(*, name: str, word: str) -> None:
    """Tell a run that goes on elsewhere what to do; NAME as 'dynaccel ps' has it.

    end: come to the end now, with the finish jobs and a verdict. next: end the present phase.
    pause: let the guest stand still, or go on. leave: make a checkpoint, and leave it to 'resume'.
    """
    from dynaccel.vm import remote  # noqa: PLC0415

    remote.ask(name, {"op": word})


def _find(scenario: str) -> Path:
    from dynaccel.scenario import shipped  # noqa: PLC0415

    path = Path(scenario)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    try:
        return shipped.find_shipped(scenario)
    except UserError as error:
        raise UserError(
            f"there is no file {scenario}, and no such scenario ships", hint=error.hint
        ) from None


def _view(title: str, *, plain: bool) -> LiveView | PlainView:
    verbosity = terminal.current_verbosity()
    if plain or verbosity < 0 or not (sys.stderr.isatty() and sys.stdin.isatty()):
        return PlainView(verbosity=verbosity)
    return LiveView(title)


def _reporter() -> terminal.TerminalReporter:
    return terminal.TerminalReporter.current()


def _conclude(ran: Ran) -> int:
    from dynaccel.scenario.conduct.conduct import Ending  # noqa: PLC0415
    from dynaccel.scenario.conduct.finish import finish  # noqa: PLC0415
    from dynaccel.scenario.verdict import summary_lines  # noqa: PLC0415

    attempted, directory = ran.attempted, ran.directory
    hint = f"dynaccel scenario resume {directory.path}"
    match attempted.ending:
        case Ending.LEFT:
            _say(f"{attempted.message}; to go on: {hint}")
            return LEFT
        case Ending.LOST:
            error = DynaccelError(attempted.message, hint=hint, detail=attempted.detail)
            terminal.show_error(error)
            return LOST
        case Ending.PANIC:
            terminal.show_error(DynaccelError(attempted.message, detail=attempted.detail))
        case _:
            pass
    verdict = finish(directory)
    for line in summary_lines(verdict):
        click.echo(line)
    click.echo(f"report: {directory.report}")
    return 0 if verdict.passed else FAILED


def _say(text: str) -> None:
    if terminal.current_verbosity() >= 0:
        click.echo(text, err=True)

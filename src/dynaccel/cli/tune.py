# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel tune``."""

from __future__ import annotations

import enum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel.cli.run import parsed
from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core import units
from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.packaging.tune import Change

THIS_MACHINE = Path("/")
RUNS_SYSTEMD = Path("/run/systemd/system")
"""It exists where systemd is process 1."""

_TOUCHING = ("write", "update", "remove")
_MARKS = {
    "write": "+",
    "update": "*",
    "remove": "-",
    "keep": "=",
    "leave": "!",
    "skip": " ",
}


class Format(enum.StrEnum):
    """A kind of package."""

    DEB = "deb"
    RPM = "rpm"


def _formats(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[Format, ...]:
    del ctx, parameter
    words = [word.strip() for word in (value or "").split(",") if word.strip()]
    unknown = [word for word in words if word not in set(Format)]
    if unknown:
        raise UserError(
            f"{', '.join(map(repr, unknown))}: no such format of packages",
            hint=f"one or more of {','.join(Format)}",
        )
    return tuple(one for one in Format if one in words)


@click.command()
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The system below this directory.  [default: this machine]",
)
@click.option(
    "--up-to",
    "ratio",
    metavar="N",
    default="1000",
    show_default=True,
    callback=parsed(units.parse_ratio),
    help="The highest ratio that it shall bear.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--undo", is_flag=True, help="Take away what this command wrote.")
@click.option(
    "--package",
    "formats",
    metavar="LIST",
    callback=_formats,
    help="Make packages of the settings instead: deb, rpm, or both with a comma between.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the packages go.",
)
def tune(
    *,
    root: Path | None,
    ratio: int,
    dry_run: bool,
    undo: bool,
    formats: tuple[Format, ...],
    output: Path | None,
) -> None:
    """Prepare a system for accelerated time.

    Scales the time-outs of systemd, udev, D-Bus and sshd that guard computing, and keeps time
    synchronisation off while time is accelerated. Only files of its own below /etc are written,
    one drop-in each; a file that was changed since is left alone.
    """
    from dynaccel.packaging import tune as settings  # noqa: PLC0415

    if bool(formats) != (output is not None):
        raise click.UsageError("--package and --output belong together")
    if formats and (root is not None or dry_run or undo):
        raise click.UsageError("--package writes into no system: no --root, --dry-run, --undo")
    files = settings.tune_files(ratio)
    if output is not None:
        _make_packages(formats, ratio, output)
        return
    where = root or THIS_MACHINE
    changes = (settings.plan_undo if undo else settings.plan_apply)(files, where)
    if not dry_run:
        settings.write(changes, where)
    _show(changes)
    touched = [change for change in changes if change.action.value in _TOUCHING]
    if dry_run:
        click.echo(f"{len(touched)} files would change; nothing was written")
    elif not touched:
        click.echo("nothing to do")
    elif root is None and RUNS_SYSTEMD.is_dir():
        _reload()


def _make_packages(formats: tuple[Format, ...], ratio: int, output: Path) -> None:
    from dynaccel.packaging import tune as settings  # noqa: PLC0415

    files = settings.tune_files(ratio)
    with TerminalReporter.current() as reporter:
        for one in formats:
            match one:
                case Format.DEB:
                    click.echo(settings.deb_package(files, ratio, output))
                case Format.RPM:
                    click.echo(settings.rpm_package(files, ratio, output, reporter=reporter))


def _show(changes: Sequence[Change]) -> None:
    """Print a line for each entry of the table and, where it has one file, that file's name."""
    for (action, why), group in groupby(changes, key=lambda change: (change.action, change.why)):
        paths = [change.path for change in group]
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        click.echo(f"{_MARKS[action.value]} {paths[0]}{more}: {why}{_NOTES.get(action.value, '')}")


_NOTES = {
    "keep": " (is there)",
    "leave": " (left alone: it is yours, or you changed it)",
    "skip": " (left out: the system has no such directory)",
}


def _reload() -> None:
    from dynaccel.host import process  # noqa: PLC0415

    process.run(["systemctl", "daemon-reload"])
    click.echo("done: systemctl daemon-reload; services that run keep their limits until they are"
               " started again, at the next boot at the latest")  # fmt: skip

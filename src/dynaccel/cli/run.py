# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel run``."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynaccel.cli import complete, terminal
from dynaccel.core import arches, units
from dynaccel.core.errors import DynaccelError, UserError
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.result import DEFAULT_CPUS, DEFAULT_INIT, RunRequest, RunResult
from dynaccel.vm.run import run as run_in_guest

if TYPE_CHECKING:
    from collections.abc import Callable

CPUS_MAX = 64
"""CONFIG_NR_CPUS of the guest's kernel."""


def parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Return a click callback that turns an option's text into a value."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        del ctx, parameter
        return None if value is None else parse(value)

    return callback


def _words(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Split each text as a shell would."""
    del ctx, parameter
    try:
        return tuple(word for value in values for word in shlex.split(value))
    except ValueError as error:
        raise UserError(
            f"the text for --qemu cannot be split into words: {error}",
            hint="quote as in a shell: --qemu '-name \"two words\"'",
        ) from error


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="Exit statuses: the command's own; 124 --timeout ran out; 125 dynaccel or the guest"
    " failed; 126 the command cannot be executed; 127 it is not found.",
)
@click.option(
    "--accel", metavar="N", default="1", show_default=True, callback=parsed(units.parse_ratio),
    help="How many times faster time flows, 1 to 1000.",
)  # fmt: skip
@click.option(
    "--start", metavar="WHEN", callback=parsed(units.parse_start),
    help="Date in the guest as the command starts: ISO 8601, or 'now' (the default).",
)  # fmt: skip
@click.option(
    "--uptime", metavar="VIRTUAL", callback=parsed(units.parse_duration),
    help="How long the guest has been up as it boots (49d, 497d): its uptime, CLOCK_MONOTONIC and"
    " jiffies start there.",
)  # fmt: skip
@click.option(
    "--for", "virtual_limit", metavar="VIRTUAL", callback=parsed(units.parse_duration),
    help="End the command after that much virtual time (90s, 36h, 30d, 1y); a normal end.",
)  # fmt: skip
@click.option(
    "--timeout", metavar="REAL", callback=parsed(units.parse_duration),
    help="End the command after that much real time from its start; exit status 124.",
)  # fmt: skip
@click.option(
    "--cpus", metavar="K", type=click.IntRange(1, CPUS_MAX), default=DEFAULT_CPUS,
    show_default=True, help="Number of CPUs of the guest.",
)  # fmt: skip
@click.option(
    "--memory", metavar="SIZE", default="1G", show_default=True,
    callback=parsed(units.parse_size), help="Memory of the guest, such as 512M or 4G.",
)  # fmt: skip
@click.option(
    "--kernel", metavar="REF", shell_complete=complete.kernels_or_files,
    help="Kernel to boot: start of an id or a release, a directory, or an image file."
    "  [default: the newest accelerated one]",
)  # fmt: skip
@click.option(
    "--arch", metavar="ARCH", callback=parsed(arches.parse),
    shell_complete=complete.architectures,
    help="Architecture of the kernel (amd64, arm64).  [default: as the kernel says, else this"
    " machine's]",
)  # fmt: skip
@click.option(
    "--append", metavar="TEXT", default="",
    help="More for the kernel's command line, such as 'nohz=off tsc=unstable'.",
)  # fmt: skip
@click.option(
    "--qemu", metavar="TEXT", multiple=True, callback=_words,
    help="More for QEMU's command line, such as '-device nvme,drive=d,serial=1"
    " -drive if=none,id=d,file=disk.img'; may be given several times.",
)  # fmt: skip
@click.option(
    "--accelerator", type=click.Choice([choice.value for choice in AcceleratorChoice]),
    default=AcceleratorChoice.AUTO.value, show_default=True,
    help="What QEMU runs the guest with; auto takes KVM when a guest boots with it.",
)  # fmt: skip
@click.option(
    "--root", metavar="host|debian|debian-system[:PACKAGE,...]|DIR|IMAGE", default="host",
    show_default=True,
    shell_complete=complete.one_of(("host", "debian", "debian-system"), files=True),
    help="Root file system: this machine's, a small one of Debian packages (for guests of another"
    " architecture), a whole Debian with the packages named, made once (for --system), a directory,"
    " or a disk image (qcow2, raw). It never changes: writes go to a throw-away overlay.",
)  # fmt: skip
@click.option(
    "--system", is_flag=True,
    help="Boot the system that the root holds, with its own process 1 and services; CMD starts when"
    " it is up.",
)  # fmt: skip
@click.option(
    "--init", metavar="PATH",
    help=f"Process 1 of that system; implies --system.  [default: {DEFAULT_INIT}]",
)  # fmt: skip
@click.option(
    "--share", "shares", metavar="DIR", multiple=True, type=click.Path(path_type=Path),
    help="Directory that the guest writes through to; may be given several times.",
)  # fmt: skip
@click.option(
    "--workdir", metavar="DIR", type=click.Path(path_type=Path),
    help="Working directory in the guest.  [default: the present one; / where the root file"
    " system has no such]",
)  # fmt: skip
@click.option(
    "--user",
    metavar="USER",
    help="Who runs the command: a user of this machine, or UID[:GID].  [default: the caller]",
)
@click.option("--net", is_flag=True, help="Give the guest a way out to the network.")
@click.option("--name", metavar="NAME", help="Name for --vm.  [default: run-PID]")
@click.option(
    "--result", metavar="FILE", type=click.Path(path_type=Path),
    help="Write how it ended to FILE, as JSON; also when it fails.",
)  # fmt: skip
@click.option(
    "--console", metavar="FILE", type=click.Path(path_type=Path),
    help="Write what the guest's kernel says to FILE.",
)  # fmt: skip
@click.argument(
    "command", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED,
    shell_complete=complete.command_words,
)  # fmt: skip
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Run CMD in a Linux whose time flows N times faster.

    CMD sees this machine's file system (read-only, under a throw-away overlay), with the same
    working directory, user, environment and standard streams.
    """
    system = options.pop("system")
    request = RunRequest(
        init=options.pop("init") or (DEFAULT_INIT if system else None),
        ratio=options.pop("accel"),
        memory_bytes=options.pop("memory"),
        accelerator=AcceleratorChoice(options.pop("accelerator")),
        cwd=options.pop("workdir"),
        **options,
    )
    with terminal.TerminalReporter.current(less=1) as reporter:
        result = run_in_guest(request, reporter=reporter)
    _show(result)
    ctx.exit(result.exit_status)


def summary(result: RunResult) -> str | None:
    """Return the last line of a run: virtual time, real time, the ratio reached."""
    if result.virtual_seconds is None or result.real_seconds is None:
        return None
    return (
        f"dynaccel: virtual {units.format_duration(result.virtual_seconds)}"
        f", real {units.format_duration(result.real_seconds)}"
        f", ratio {result.achieved_ratio or 0:.2f} (asked: {result.accel})"
    )


def _show(result: RunResult) -> None:
    if result.error is not None:
        message = result.message or result.error
        terminal.show_error(DynaccelError(message, detail=result.console_tail))
    line = summary(result)
    if line is not None and terminal.current_verbosity() >= 0:
        with suppress(OSError, ValueError):
            click.echo(line, err=True)

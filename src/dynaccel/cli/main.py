# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel``: its sub-commands by name, and the one place where errors become text.

A sub-command's module is imported when it is called, not before: ``dynaccel run`` must not wait
for what ``dynaccel kernel build`` needs.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

import dynaccel
from dynaccel.cli import terminal
from dynaccel.core.errors import DynaccelError

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
RUN_FAILED = 125
"""The exit status of ``run`` when dynaccel itself failed, whatever the kind: as podman's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command that is not imported yet.

    Attributes:
        target: ``module:attribute``.
        help: One line for the overview.
        failure_status: Exit status for every failure of dynaccel; None: as the error says.
    """

    target: str
    help: str
    failure_status: int | None = None


COMMANDS = {
    "run": Entry("dynaccel.cli.run:run", "Run a command in accelerated time.", RUN_FAILED),
    "scenario": Entry(
        "dynaccel.cli.scenario:scenario",
        "Write down and run long tests, and see what came of them.",
    ),
    "kernel": Entry("dynaccel.cli.kernel:kernel", "Patch, build, list and delete kernels."),
    "repo": Entry("dynaccel.cli.repo:repo", "Publish packages for dnf and apt, signed."),
    "set": Entry("dynaccel.cli.ratio:set_ratio", "Change the ratio of a guest or this machine."),
    "get": Entry("dynaccel.cli.ratio:get_ratio", "Print the ratio of a guest or this machine."),
    "status": Entry("dynaccel.cli.ratio:status", "Show what the time does, here or in a guest."),
    "ps": Entry("dynaccel.cli.ratio:ps", "List the guests that run."),
    "tune": Entry("dynaccel.cli.tune:tune", "Prepare a system for accelerated time."),
    "verify": Entry("dynaccel.cli.verify:verify", "Measure clocks and waits against real time."),
    "doctor": Entry("dynaccel.cli.doctor:doctor", "Show what this machine has and lacks."),
}


class Commands(click.Group):
    """The group of all sub-commands, loaded by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a sub-command; None when there is none of that name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table, without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the sub-command and turn what went wrong into text and an exit status."""
        try:
            return super().invoke(ctx)
        except DynaccelError as error:
            terminal.show_error(error)
            ctx.exit(_failure_status(ctx) or error.exit_status)
        except click.UsageError as error:
            error.show()
            ctx.exit(_failure_status(ctx) or error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _failure_status(ctx: click.Context) -> int | None:
    entry = COMMANDS.get(ctx.invoked_subcommand or "")
    return entry.failure_status if entry else None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command explains itself with --help.",
)
@click.version_option(dynaccel.__version__, prog_name="dynaccel")
@click.option("-v", "--verbose", count=True, help="Say more on standard error.")
@click.option("-q", "--quiet", count=True, help="Say less; twice: only errors.")
@click.pass_context
def dynaccel_command(ctx: click.Context, verbose: int, quiet: int) -> None:
    """Linux whose time flows N times faster: build it, boot it, run commands in it."""
    ctx.obj = verbose - quiet


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    _open_standard_streams()
    # Unwind on SIGTERM and SIGHUP as on Ctrl-C: children end, half-written files go.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _unwind)
    dynaccel_command(prog_name="dynaccel")
    sys.exit(0)


def _open_standard_streams() -> None:
    # A caller may have closed them; the next file that is opened would then take their place.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()

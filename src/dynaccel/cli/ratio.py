# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel set``, ``get``, ``status`` and ``ps``: this machine, or a guest that runs."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import click

from dynaccel.cli import complete
from dynaccel.core import units
from dynaccel.core.errors import UserError
from dynaccel.host.process import command_line
from dynaccel.vm import local, registry, remote

_vm_option = click.option(
    "--vm",
    metavar="NAME",
    shell_complete=complete.guests,
    help="A running guest; without it, this machine.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("set")
@click.argument("ratio", metavar="N")
@_vm_option
def set_ratio(ratio: str, vm: str | None) -> None:
    """Make time flow N times faster from now on."""
    number = _ratio(ratio)
    if vm is None:
        local.set_ratio(number)
    else:
        remote.ask(vm, {"op": "set", "ratio": number})


@click.command("get")
@_vm_option
def get_ratio(vm: str | None) -> None:
    """Print how many times faster time flows."""
    if vm is None:
        click.echo(local.get_ratio())
    else:
        click.echo(remote.ask(vm, {"op": "get"})["ratio"])


@click.command()
@_vm_option
@_json_option
def status(vm: str | None, *, as_json: bool) -> None:
    """Show the ratio and what the time does."""
    values = asdict(local.status()) if vm is None else _guest_status(vm)
    if as_json:
        click.echo(json.dumps(values, indent=2, sort_keys=True))
        return
    width = max(len(_label(key)) for key in values)
    for key, value in values.items():
        click.echo(f"{_label(key):{width}}  {_readable(key, value)}")


@click.command()
@_json_option
def ps(*, as_json: bool) -> None:
    """List the guests of yours that run."""
    guests = registry.running()
    if as_json:
        click.echo(json.dumps([asdict(info) for info in guests], indent=2, sort_keys=True))
        return
    rows = [("NAME", "PID", "ASKED", "CPUS", "ACCELERATOR", "REAL TIME", "COMMAND")]
    rows += [
        (
            info.name,
            str(info.pid),
            str(info.ratio),
            str(info.cpus),
            info.accelerator,
            units.format_duration(max(0, round(time.time() - info.started))),
            command_line(info.command),
        )
        for info in guests
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _ratio(text: str) -> int:
    try:
        return units.parse_ratio(text)
    except UserError as error:
        raise UserError(error.message, hint="for example: dynaccel set 200") from None


def _guest_status(name: str) -> dict[str, Any]:
    info, _ = registry.find(name)
    known = asdict(info)
    # The image's path says less than the release that the guest itself tells.
    return {**known, "asked_ratio": known["ratio"], **remote.ask(name, {"op": "status"})}


def _label(key: str) -> str:
    return key.removesuffix("_seconds").replace("_", " ")


def _readable(key: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if key == "command":
        return command_line(value)
    if key in {"started", "realtime_seconds"}:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(value))
    if key.endswith("_seconds"):
        return units.format_duration(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel kernel hooks``."""

from __future__ import annotations

import json

import click

from dynaccel.patch import hook_table


@click.command()
@click.option("--markdown", is_flag=True, help="Write the table as docs/versions.md has it.")
@click.option("--json", "as_json", is_flag=True, help="Write the table as JSON.")
def hooks(*, markdown: bool, as_json: bool) -> None:
    """List the changes of Linux, and which versions each variant of them serves."""
    if markdown and as_json:
        raise click.UsageError("'--markdown' and '--json' both want standard output")
    table = hook_table.hook_table()
    if as_json:
        click.echo(json.dumps(hook_table.as_json(table), indent=2))
    elif markdown:
        click.echo(hook_table.as_markdown(table), nl=False)
    else:
        click.echo(hook_table.as_text(table))

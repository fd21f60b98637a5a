# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``dynaccel repo``: signed repositories for dnf and apt."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynaccel.packaging.repo import PublishResult

_directory = click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False)
)
_key = click.option(
    "--key",
    metavar="ID",
    required=True,
    help="The key that signs: a fingerprint, a key's id, a mail address, a part of a name.",
)
_gnupghome = click.option(
    "--gnupghome",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The directory of the key.  [default: $GNUPGHOME, else gpg's own]",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_now = click.option(
    "--now",
    is_flag=True,
    help="Delete at once what is no longer listed. Without it that stays for 7 days, for clients"
    " that have read the list before.",
)


@click.group()
def repo() -> None:
    """Publish packages in a signed repository for dnf and apt, and see what is in one."""


@repo.command()
@_directory
@click.argument("packages", metavar="[PACKAGE|DIRECTORY]...", nargs=-1, type=Path)
@_key
@_gnupghome
@click.option(
    "--url",
    metavar="BASE",
    help="What clients call DIR, such as https://packages.example.org/dynaccel.  [default: as"
    " before, at first file://DIR]",
)
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(1),
    help="List the N newest versions of each package alone.  [default: all]",
)
@click.option(
    "--replace",
    "replace_content",
    is_flag=True,
    help="Let a package that is there already get another content.",
)
@_now
@_json
def publish(
    *,
    directory: Path,
    packages: tuple[Path, ...],
    key: str,
    gnupghome: Path | None,
    url: str | None,
    keep: int | None,
    replace_content: bool,
    now: bool,
    as_json: bool,
) -> None:
    """Sign packages and publish them in DIR, beside those that are there.

    DIR serves dnf and apt, by any web server or as file://. Clients see the old state until all of
    the new one is there. The files that are named stay as they are; the same command again changes
    nothing. Without packages, what is there is published with another key, address or --keep.
    """
    _publish(
        directory=directory,
        packages=packages,
        key=key,
        gnupghome=gnupghome,
        url=url,
        keep=keep,
        replace_content=replace_content,
        now=now,
        as_json=as_json,
    )


@repo.command()
@_directory
@_key
@_gnupghome
@click.option(
    "--keep", metavar="N", type=click.IntRange(1), required=True, help="How many versions stay."
)
@_now
@_json
def prune(
    *, directory: Path, key: str, gnupghome: Path | None, keep: int, now: bool, as_json: bool
) -> None:
    """List the N newest versions of each package in DIR alone."""
    _publish(directory=directory, key=key, gnupghome=gnupghome, keep=keep, now=now, as_json=as_json)


@repo.command("list")
@_directory
@_json
def list_packages(*, directory: Path, as_json: bool) -> None:
    """List the packages in DIR, the newest version of each first."""
    from dynaccel.packaging.repo import packages  # noqa: PLC0415

    found = packages(directory)
    if as_json:
        click.echo(json.dumps([asdict(package) for package in found], indent=2))
        return
    rows = [("KIND", "NAME", "VERSION", "ARCH", "SIZE")]
    rows += [(p.kind, p.name, p.version, p.arch, f"{p.size / 1024:.1f} KiB") for p in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@repo.command()
@_directory
@click.option(
    "--trusted",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The public key that must have signed.  [default: the one in DIR]",
)
@_json
def check(*, directory: Path, trusted: Path | None, as_json: bool) -> None:
    """Verify all signatures and hashes of DIR, as clients do.

    Exit status 4 when something is wrong.
    """
    from dynaccel.packaging import repo as repos  # noqa: PLC0415

    with TerminalReporter.current() as reporter:
        found = repos.check(directory, reporter=reporter, trusted=trusted)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    if found.problems:
        raise StageError(
            f"{directory} is not as it was published",
            detail="\n".join(found.problems),
            hint="bring a backup back, or publish the packages in a new directory; if nobody here"
            " did this, find out who may write there",
        )
    if not as_json:
        click.echo(f"{_count(found.packages)}, all signed by {found.fingerprint}: good")


@repo.command()
@_directory
@click.option(
    "--listen", metavar="[ADDRESS:]PORT", default="80", show_default=True, help="As nginx says it."
)
def nginx(*, directory: Path, listen: str) -> None:
    """Print the part of nginx's configuration that serves DIR."""
    from dynaccel.packaging import repo as repos  # noqa: PLC0415

    click.echo(repos.nginx(directory.absolute(), listen), nl=False)


def _publish(
    *,
    directory: Path,
    key: str,
    gnupghome: Path | None,
    keep: int | None,
    now: bool,
    as_json: bool,
    packages: tuple[Path, ...] = (),
    url: str | None = None,
    replace_content: bool = False,
) -> None:
    from dynaccel.packaging import repo as repos  # noqa: PLC0415

    grace = {"grace_seconds": 0.0} if now else {}
    request = repos.PublishRequest(
        directory=directory,
        packages=packages,
        key=key,
        gnupghome=gnupghome,
        url=url,
        keep=keep,
        replace=replace_content,
        **grace,
    )
    with TerminalReporter.current() as reporter:
        result = repos.publish(request, reporter=reporter)
    if as_json:
        click.echo(json.dumps({**asdict(result), "directory": str(result.directory)}, indent=2))
    else:
        _show(result)


def _show(result: PublishResult) -> None:
    lines: Iterable[tuple[str, Iterable[object]]] = (
        ("added", result.added),
        ("replaced", result.replaced),
        ("repaired", result.repaired),
        ("signed anew", result.signed_again),
        ("no longer listed", result.pruned),
    )
    for what, packages in lines:
        for package in packages:
            click.echo(f"{what}: {package}")
    if result.changed:
        click.echo(f"{_count(result.count)} in {result.directory}, signed by {result.fingerprint}")
        click.echo(f"clients find them at {result.url}")
    else:
        click.echo(f"nothing to do: {result.directory} has all of it already")
    if result.freed:
        from dynaccel.kbuild import format_size  # noqa: PLC0415

        click.echo(f"{format_size(result.freed)} freed")


def _count(number: int) -> str:
    return f"{number} package{'' if number == 1 else 's'}"

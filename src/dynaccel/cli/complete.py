# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell may complete a value to: kernels, guests, files. Nothing here raises or is slow."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError
from dynaccel.core.kernels import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(values: Iterable[str], *, files: bool = False) -> Completer:
    """Return a completer that knows a few words.

    Args:
        values: The words.
        files: A path may stand there, too.
    """
    words = tuple(values)

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del ctx, parameter
        found = [CompletionItem(word) for word in words if word.startswith(incomplete)]
        return found or (_files(incomplete) if files else [])

    return complete


def file_names(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete a path."""
    del ctx, parameter
    return _files(incomplete)


def architectures(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the architectures, as Debian calls them."""
    return one_of(arch.debian for arch in arches.ARCHES)(ctx, parameter, incomplete)


def kernel_ids(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the ids of the kernels that are built, each with its release."""
    del ctx, parameter
    from dynaccel.host import kernels  # noqa: PLC0415

    found = []
    with suppress(DynaccelError, OSError):
        for directory in sorted(kernels.store_dir().iterdir()):
            if not directory.name.startswith(incomplete):
                continue
            # Read by hand: what checks a manifest whole takes longer to load than all else here.
            with suppress(OSError, ValueError, KeyError, TypeError):
                manifest = json.loads((directory / MANIFEST).read_bytes())
                found.append(CompletionItem(directory.name, help=manifest["release"]))
    return found


def kernels_or_files(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the ids of the kernels that are built; else let the shell complete a path."""
    return kernel_ids(ctx, parameter, incomplete) or _files(incomplete)


def guests(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of the guests that run, each with its command."""
    del ctx, parameter
    from dynaccel.host.process import command_line  # noqa: PLC0415
    from dynaccel.vm import registry  # noqa: PLC0415

    with suppress(DynaccelError, OSError):
        return [
            CompletionItem(info.name, help=command_line(info.command))
            for info in registry.running()
            if info.name.startswith(incomplete)
        ]
    return []


def hook_names(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of the changes of Linux."""
    from dynaccel.host import paths  # noqa: PLC0415

    with suppress(DynaccelError, OSError):
        hooks = [
            path.name
            for path in (paths.data_dir("kernel") / "hooks").iterdir()
            if any(path.glob("*.patch"))
        ]
        return one_of(sorted(hooks))(ctx, parameter, incomplete)
    return []


def matrix_rows(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of the shipped table's rows."""
    from dynaccel import matrix  # noqa: PLC0415

    with suppress(DynaccelError, OSError):
        return one_of(row.name for row in matrix.load(None))(ctx, parameter, incomplete)
    return []


def shipped_scenarios(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of the scenarios that ship."""
    from dynaccel.host import paths  # noqa: PLC0415

    with suppress(DynaccelError, OSError):
        files = paths.data_dir("scenarios").glob("*.toml")
        return one_of(sorted(path.stem for path in files))(ctx, parameter, incomplete)
    return []


def command_words(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the programs on PATH for the first word; let the shell complete paths for others."""
    begun = parameter.name is not None and bool(ctx.params.get(parameter.name))
    if begun or not incomplete or os.sep in incomplete:
        return _files(incomplete)
    return [CompletionItem(name) for name in sorted(_programs(incomplete))]


def _programs(beginning: str) -> set[str]:
    found = set()
    for directory in os.get_exec_path():
        with suppress(OSError), os.scandir(directory) as entries:
            found |= {
                entry.name
                for entry in entries
                if entry.name.startswith(beginning) and os.access(entry.path, os.X_OK)
            }
    return found


def _files(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]

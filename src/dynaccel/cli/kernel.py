# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``dynaccel kernel ...``."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel.cli import complete
from dynaccel.cli.run import parsed
from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core import arches

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel, KernelManifest
    from dynaccel.kbuild import Patcher


HWTIME = "hwtime"
"""What a kernel is said to be without whose drivers wait in virtual time."""


_LATER = {
    "patch": "dynaccel.cli.kernel_patch:patch",
    "package": "dynaccel.cli.kernel_package:package",
    "hooks": "dynaccel.cli.kernel_hooks:hooks",
    "port": "dynaccel.cli.kernel_port:port",
    "matrix": "dynaccel.cli.kernel_matrix:matrix_command",
}
"""Sub-commands that are imported when they are called, and where they are."""


class KernelCommands(click.Group):
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


@click.group(cls=KernelCommands)
def kernel() -> None:
    """Patch, build, list and delete kernels."""


@kernel.command()
@click.option(
    "--source",
    metavar="REF",
    default="debian:6.1",
    show_default=True,
    shell_complete=complete.file_names,
    help="A package of Debian (debian:6.1), a tarball, a source package (.src.rpm, .dsc), or a"
    " kernel tree, which stays as it is.",
)
@click.option(
    "--arch",
    metavar="ARCH",
    callback=parsed(arches.parse),
    shell_complete=complete.architectures,
    help="What the kernel is for (amd64, arm64).  [default: this machine]",
)
@click.option(
    "--compiler",
    metavar="NAME",
    shell_complete=complete.command_words,
    help="gcc-10, clang-14, or the path of one.  [default: one that fits the source; fetched from"
    " Debian when this machine has none]",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also copy the result here.",
)
@click.option(
    "--config",
    "fragments",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Kernel options on top of the shipped ones (CONFIG_NAME=y ...); may be repeated.",
)
@click.option(
    "--base-config",
    metavar="REF",
    shell_complete=complete.file_names,
    help="Start from a distribution's whole configuration, and build its modules: a .config file"
    " (.xz and .gz too), or one of Debian's, such as debian:6.1/cloud-amd64.",
)
@click.option("--jobs", "-j", metavar="N", type=click.IntRange(1), help="Default: one a CPU.")
@click.option("--no-patch", is_flag=True, help="Build an unpatched kernel, for comparison.")
@click.option(
    "--without-hook",
    "without",
    metavar="NAME",
    multiple=True,
    shell_complete=complete.hook_names,
    help="For tests: leave a change of Linux out, to see that 'dynaccel verify' finds it; may be"
    " repeated. Such a kernel is used when it is named by its id alone.",
)
@click.option(
    "--no-hwtime",
    is_flag=True,
    help="For tests: drivers wait in virtual time too. Such a kernel is used when it is named by"
    " its id alone.",
)
@click.option("--force", is_flag=True, help="Build all of it anew, even when it is there.")
def build(
    *,
    source: str,
    arch: Arch | None,
    compiler: str | None,
    output: Path | None,
    fragments: tuple[Path, ...],
    base_config: str | None,
    jobs: int | None,
    no_patch: bool,
    without: tuple[str, ...],
    no_hwtime: bool,
    force: bool,
) -> None:
    """Build a kernel with accelerated time and file it for 'dynaccel run'.

    Prints the directory of the result. An interrupted build goes on where it was when the same
    command is given again.
    """
    from dynaccel import kbuild  # noqa: PLC0415

    if no_patch and without:
        raise click.UsageError("--no-patch leaves out all hooks: --without-hook has no meaning")
    if no_patch and no_hwtime:
        raise click.UsageError("--no-patch leaves all drivers alone: --no-hwtime has no meaning")
    request = kbuild.BuildRequest(
        source=source,
        arch=arch,
        compiler=compiler,
        fragments=fragments,
        base_config=base_config,
        jobs=jobs,
        force=force,
        output=output,
    )
    with TerminalReporter.current() as reporter:
        try:
            patcher = None if no_patch else make_patcher(without, reporter, hwtime=not no_hwtime)
            built = kbuild.build(request, patcher=patcher, reporter=reporter)
        except (KeyboardInterrupt, SystemExit):
            reporter.info("interrupted; the same command goes on where it was")
            raise
    click.echo(built.directory)


@kernel.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write the list as JSON.")
def list_kernels(*, as_json: bool) -> None:
    """List the kernels that are built, newest first."""
    from dynaccel.host import kernels  # noqa: PLC0415
    from dynaccel.kbuild import used  # noqa: PLC0415

    rows = [(found, used(found.directory)) for found in kernels.installed()]
    if as_json:
        click.echo(json.dumps([_as_json(found, size) for found, size in rows], indent=2))
    elif rows:
        click.echo(_table(rows))
    else:
        click.echo("no kernel is built yet; build one: dynaccel kernel build")


@kernel.command()
@click.argument("ids", metavar="ID...", nargs=-1, shell_complete=complete.kernel_ids)
@click.option("--all", "everything", is_flag=True, help="Delete all of them.")
def rm(ids: tuple[str, ...], *, everything: bool) -> None:
    """Delete built kernels by their ids, or the starts of their ids."""
    from dynaccel import kbuild  # noqa: PLC0415

    if everything == bool(ids):
        raise click.UsageError("name the kernels to delete, or give --all")
    directories = kbuild.all_filed() if everything else kbuild.find_filed(ids)
    freed = kbuild.remove(directories)
    click.echo(
        f"deleted {len(directories)} kernel{'' if len(directories) == 1 else 's'},"
        f" {kbuild.format_size(freed)} freed"
    )


@kernel.command()
def clean() -> None:
    """Delete what builds leave beside the kernels: unpacked sources, objects, downloads.

    The built kernels stay. The next build starts from the source again, with ccache's help.
    """
    from dynaccel import kbuild  # noqa: PLC0415

    with TerminalReporter.current() as reporter:
        freed = kbuild.clean(reporter=reporter)
    click.echo(f"{kbuild.format_size(freed)} freed")


def make_patcher(without: tuple[str, ...], reporter: Reporter, *, hwtime: bool) -> Patcher:
    """Return the patch stage in the form in which the build stage takes it."""
    from dynaccel import patch  # noqa: PLC0415
    from dynaccel.core.artifacts import content_hash, files_under  # noqa: PLC0415
    from dynaccel.host import paths  # noqa: PLC0415
    from dynaccel.kbuild import Patcher  # noqa: PLC0415

    ours = [
        (name, content)
        for name, content in files_under(paths.data_dir("kernel"))
        if not name.startswith("configs/") and name != "matrix.toml"
    ]
    code = [
        (f"code/{name}", content)
        for name, content in files_under(Path(patch.__file__).parent)
        if name.endswith(".py")
    ]

    # Sorted, so that the order in which they are named makes no other kernel.
    left_out = tuple(sorted(set(without)))
    patch.require_hooks(left_out)

    def apply(tree: Path) -> bytes:
        request = patch.PatchRequest(tree=tree, without=left_out, hwtime=hwtime)
        return patch.apply(request, reporter=reporter).diff

    named = [(f"without/{name}", b"") for name in left_out]
    named += [] if hwtime else [("no-hwtime", b"")]
    missing = left_out if hwtime else (*left_out, HWTIME)
    return Patcher(
        key=content_hash([*ours, *code, *named]),
        apply=apply,
        without=missing,
        programs=patch.programs(hwtime=hwtime),
    )


def _as_json(found: Kernel, size: int) -> dict[str, object]:
    return {
        **asdict(found.manifest),
        "directory": str(found.directory),
        "size_bytes": size,
    }


def _accelerated(facts: KernelManifest) -> str:
    if facts.without:
        return f"without {', '.join(facts.without)}"
    if facts.aside:
        return "yes, by its id"
    return "yes" if facts.accelerated else "no"


def _table(rows: list[tuple[Kernel, int]]) -> str:
    from dynaccel.kbuild import format_size  # noqa: PLC0415

    lines = [("ID", "RELEASE", "ACCELERATED", "SOURCE", "SIZE", "CREATED")]
    for found, size in rows:
        facts = found.manifest
        lines.append((
            found.short_id,
            facts.release,
            _accelerated(facts),
            facts.source,
            format_size(size),
            facts.created.replace("T", " ").removesuffix("+00:00"),
        ))  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the ``.config`` of a kernel and check that every symbol that was asked for is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, write_atomic
from dynaccel.core.errors import BuildError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths, process
from dynaccel.kbuild import base_config, buildlog, space, symbols
from dynaccel.kbuild.fragment import Fragment
from dynaccel.kbuild.kconfig import Config

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.kbuild.base_config import BaseConfig
    from dynaccel.kbuild.make import Make
    from dynaccel.kbuild.workspace import Workspace

ACCELERATION = "DYNACCEL"
_OURS = (ACCELERATION, "SPEEDUP_RATIO")


def requested_config(
    arch: Arch, extra: tuple[Path, ...], *, accelerated: bool, whole: bool = True
) -> Fragment:
    """Return the configuration to ask for: the shipped one, overridden by the user's files.

    Args:
        arch: The architecture.
        extra: The user's files; a later one wins.
        accelerated: Whether the tree is patched; else dynaccel's own symbols are left out.
        whole: All of a guest's kernel; else what a distribution's configuration gets on top.

    Raises:
        UserError: A file cannot be read, or is not a configuration.
    """
    shipped = paths.data_dir("kernel") / "configs"
    names = arch.fragments if whole else (base_config.FRAGMENT,)
    files = [*(shipped / name for name in names), *extra]
    fragment = Fragment().then(*(Fragment.read(path) for path in files))
    if accelerated:
        return fragment
    return fragment.without(lambda name: name in _OURS or name.startswith(f"{ACCELERATION}_"))


def configure(
    workspace: Workspace,
    make: Make,
    fragment: Fragment,
    arch: Arch,
    *,
    base: BaseConfig | None,
    reporter: Reporter,
) -> Config:
    """Make the ``.config`` in the work directory, unless it is there already, and return it.

    Args:
        workspace: The work directory with its tree.
        make: How make is called.
        fragment: What is asked for; that of it which holds for the tree's version counts.
        arch: The architecture.
        base: What it is put on top of; None: all else is off.
        reporter: Hears that something is done.

    Raises:
        BuildError: A program failed, or a symbol did not get the value that was asked for; the
            detail has a line for each such symbol.
        InfrastructureError: The disk is full.
    """
    requested = fragment.at(KernelVersion.of_tree(workspace.tree))
    state = workspace.load()
    file = workspace.objects / ".config"
    stamp = _stamp(workspace, make, requested.asked, base)
    if state is None or state.configured is None or state.configured != _sealed(stamp, file):
        reporter.info("configuring")
        _run_kconfig(workspace, make, requested.asked, base)
        workspace.update(configured=_sealed(stamp, file), compiled=False)
    final = Config.read(file)
    _check(workspace.tree, requested.demanded, final, arch)
    return final


def _run_kconfig(
    workspace: Workspace, make: Make, requested: Config, base: BaseConfig | None
) -> None:
    fragment = workspace.directory / "requested.config"
    write_atomic(fragment, requested.render().encode())
    workspace.objects.mkdir(exist_ok=True)
    steps = [make.argv("olddefconfig")]
    if base is None:
        steps.insert(0, make.allnoconfig(fragment))
    else:
        # What is asked for stands last: of the members of a choice Kconfig takes the last one.
        rest = base.config.without(lambda name: name in requested.symbols)
        write_atomic(workspace.objects / ".config", rest.merge(requested).render().encode())
    for argv in steps:
        done = process.run(argv, cwd=workspace.tree, check=False)
        output = (done.stdout + done.stderr).decode(errors="replace")
        with workspace.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {process.command_line(argv)}\n{output}")
        if done.returncode == 0:
            continue
        if space.ran_out(output):
            raise space.full(workspace.directory)
        raise BuildError(
            f"the kernel cannot be configured: {argv[-1]} failed",
            detail=f"{buildlog.first_error(output.splitlines())}\nthe whole log: {workspace.log}",
            hint=f"see it fail: cd {workspace.tree} && {process.command_line(argv)}",
        )


def _check(tree: Path, requested: Config, final: Config, arch: Arch) -> None:
    differences = requested.differences(final)
    if not differences:
        return
    names = [difference.symbol for difference in differences]
    found = symbols.find_definitions(tree, names, source_arch=arch.source)
    raise BuildError(
        f"{len(names)} of {len(requested.symbols)} symbols did not get into the configuration",
        detail="\n".join(
            symbols.explain(difference, found.get(difference.symbol, []), final, requested)
            for difference in differences
        ),
        hint="add what they depend on, or leave them out, in a file for --config",
    )


def _stamp(workspace: Workspace, make: Make, requested: Config, base: BaseConfig | None) -> str:
    patch = workspace.patch.read_bytes() if workspace.patch.exists() else b""
    parts = [
        ("requested", requested.render().encode()),
        ("patch", patch),
        ("make", process.command_line(make.argv()).encode()),
    ]
    if base is not None:
        parts.append(("base", base.config.render().encode()))
    return content_hash(parts)


def _sealed(stamp: str, file: Path) -> str | None:
    """Return the stamp with the configuration's content; None when there is none."""
    if not file.is_file():
        return None
    return content_hash([("stamp", stamp.encode()), ("config", file.read_bytes())])

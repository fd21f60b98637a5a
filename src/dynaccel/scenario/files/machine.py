# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of a scenario: what its file says against what is there on this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynaccel.scenario.model import CopiedFile, Machine, Root, RootKind

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.scenario.files.findings import Findings
    from dynaccel.scenario.files.shape import MachineTable
    from dynaccel.scenario.files.take import Document

_DEBIANS_OWN = ("suite", "packages", "disk", "tune")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_KINDS = {"debian": RootKind.DEBIAN, "host": RootKind.HOST}
_SAVED = {RootKind.DEBIAN, RootKind.IMAGE}
"""Roots that can be checkpointed."""


def root_kind(table: MachineTable, directory: Path) -> RootKind | None:
    """Return where the guest's root comes from; None when there is nothing at its path.

    Args:
        table: What the file says.
        directory: Where the file is.
    """
    if table.root in _KINDS:
        return _KINDS[table.root]
    path = directory / table.root
    if path.is_dir():
        return RootKind.DIRECTORY
    return RootKind.IMAGE if path.exists() else None


def make_machine(table: MachineTable, directory: Path) -> Machine:
    """Return the guest that a file without mistakes describes."""
    kind = root_kind(table, directory) or RootKind.IMAGE
    named = table.root not in _KINDS
    return Machine(
        root=Root(
            kind=kind,
            path=(directory / table.root).resolve() if named else None,
            suite=table.suite,
            packages=table.packages,
            size_bytes=table.disk,
            tune=table.tune,
        ),
        kernel=table.kernel,
        accelerator=table.accelerator.value,
        cpus=table.cpus,
        memory_bytes=table.memory,
        system=table.system,
        network=table.network,
        vmcore=table.vmcore,
        uptime=table.uptime,
        append=table.append,
        files=tuple(
            CopiedFile(source=(directory / source).resolve(), target=target)
            for target, source in table.files
        ),
    )


def can_be_saved(document: Document, directory: Path) -> bool:
    """Return whether the guest can be checkpointed."""
    return root_kind(document.machine.table, directory) in _SAVED


def check_machine(document: Document, directory: Path, findings: Findings) -> None:
    """Note what is wrong with the guest, its files and its checkpoints."""
    taken, table = document.machine, document.machine.table
    kind = root_kind(table, directory)
    if kind is None:
        findings.wrong(
            taken.at("root"),
            f"there is no disk image or directory {directory / table.root}: name one, or write"
            ' "debian" or "host"',
        )
    elif kind is not RootKind.DEBIAN:
        for key in _DEBIANS_OWN:
            if key in taken.given:
                findings.wrong_key(
                    taken.at(key), f'{key!r} has a meaning only with root = "debian"'
                )
    for package in table.packages:
        if not _PACKAGE.fullmatch(package):
            findings.wrong(
                taken.at("packages"),
                f"{package!r} is not the name of a Debian package: lower-case letters, digits"
                " and + - .",
            )
    _check_files(document, directory, findings)
    saved = document.checkpoints
    if kind is not None and kind not in _SAVED and "every-real" in saved.given:  # noqa: SIM102
        if saved.table.every_real is not None:
            findings.wrong(
                saved.at("every-real"),
                f"a guest with the root {table.root!r} cannot be checkpointed, only one with a disk"
                ' image: write every-real = "never"',
            )


def _check_files(document: Document, directory: Path, findings: Findings) -> None:
    taken = document.machine
    targets = [target for target, _ in taken.table.files]
    for target, source in taken.table.files:
        steps = (*taken.at("files"), str(target))
        if not (directory / source).exists():
            findings.wrong(steps, f"there is no file or directory {directory / source}")
        if len(target.parts) == 1:
            findings.wrong_key(steps, "nothing can be copied to / itself: name a path below it")
        inside = [other for other in targets if other in target.parents]
        if inside:
            findings.wrong_key(steps, f"it would lie inside {inside[0]}, which is copied, too")

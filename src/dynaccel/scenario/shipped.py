# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios that ship, and copies of them to start from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.host import paths
from dynaccel.scenario.files import read_scenario

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "scenarios"
SCHEMA = "scenario.schema.json"
_SUFFIX = ".toml"


def shipped() -> list[Path]:
    """Return the files of the scenarios that ship, by name.

    Raises:
        InfrastructureError: The installation is incomplete.
    """
    return sorted(paths.data_dir(DIRECTORY).glob(f"*{_SUFFIX}"))


def find_shipped(name: str) -> Path:
    """Return the file of a scenario that ships.

    Raises:
        UserError: There is none of that name.
    """
    files = {path.stem: path for path in shipped()}
    if name not in files:
        raise UserError(
            f"there is no scenario {name!r} that ships", hint=f"scenarios: {', '.join(files)}"
        )
    return files[name]


def copy_shipped(name: str, into: Path) -> Path:
    """Copy a scenario with all that it needs into a directory; return the copy's path.

    Args:
        name: Its name.
        into: A directory; made when it is not there.

    Raises:
        UserError: There is no such scenario, or something of it is in the directory already.
        InfrastructureError: It cannot be written.
    """
    source = find_shipped(name)
    files = [source, source.parent / SCHEMA]
    files += [file.source for file in read_scenario(source).machine.files]
    base = source.parent.resolve()
    targets = {file: into / file.resolve().relative_to(base) for file in dict.fromkeys(files)}
    there = [target for target in targets.values() if target.exists() and target.name != SCHEMA]
    if there:
        raise UserError(f"{there[0]} is there already", hint="name another directory")
    try:
        for file, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                shutil.copytree(file, target)
            else:
                shutil.copy(file, target)
    except OSError as error:
        raise InfrastructureError(
            f"cannot copy the scenario to {into}: {error.strerror}",
            hint="name a directory that you may write",
        ) from error
    return into / source.name

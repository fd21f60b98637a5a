# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of ``requirements.lock`` that dynaccel needs at run time.

The lock has what developers need, too. What depends on what is taken from the metadata of the
environment that the lock was installed into.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BLOCK = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+).*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL
)
_SETUP_HINT = "make setup installs what the lock says"


def runtime_part(lock: str, dependencies: Iterable[str], *, python: tuple[int, int]) -> str:
    """Return the lines of a lock that stand for ``dependencies`` and all that they need.

    Args:
        lock: Text of a requirements file with hashes.
        dependencies: What is needed, as ``pyproject.toml`` has it.
        python: The version of Python that is to run it.

    Raises:
        UserError: The lock lacks something, or is not what is installed here.
    """
    # Imported here: it is installed for developers.
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    blocks: dict[str, re.Match[str]] = {
        canonicalize_name(found["name"]): found for found in _BLOCK.finditer(lock)
    }
    wanted: dict[str, None] = {}
    waiting = list(_active(dependencies, python))
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        if name not in blocks:
            raise UserError(
                f"requirements.lock does not have {name}, which dynaccel needs",
                hint="lock again; CONTRIBUTING.md has the command",
            )
        wanted[name] = None
        waiting += _active(_requirements(name, blocks[name]["version"]), python)
    return "".join(f"{blocks[name].group().rstrip()}\n" for name in sorted(wanted))


def _requirements(name: str, version: str) -> list[str]:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise UserError(f"{name} is not installed here", hint=_SETUP_HINT) from None
    if found.version != version:
        raise UserError(
            f"{name} {found.version} is installed here; requirements.lock has {version}",
            hint=_SETUP_HINT,
        )
    return found.requires or []


def _active(requirements: Iterable[str], python: tuple[int, int]) -> list[str]:
    """Return the names among ``requirements`` that are needed on this kind of system."""
    from packaging.requirements import Requirement  # noqa: PLC0415
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    major, minor = python
    environment: Mapping[str, str] = {
        "python_version": f"{major}.{minor}",
        "python_full_version": f"{major}.{minor}.0",
        "extra": "",
    }
    parsed = map(Requirement, requirements)
    return [
        canonicalize_name(each.name)
        for each in parsed
        if each.marker is None or each.marker.evaluate(dict(environment))
    ]

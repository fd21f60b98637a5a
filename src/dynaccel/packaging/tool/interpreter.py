# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python that an installed package runs on: the system's, not a developer's."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from dynaccel.core.errors import UserError
from dynaccel.host import process

SYSTEM = Path("/usr/bin/python3")
OLDEST = (3, 11)
"""As in ``pyproject.toml``."""

_ASK = "import json, sys; print(json.dumps([sys.implementation.name, *sys.version_info[:2]]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python on this machine, like which the one on other machines is.

    Attributes:
        program: Its path here.
        version: Major and minor version; compiled modules fit one alone.
    """

    program: Path
    version: tuple[int, int]

    @property
    def text(self) -> str:
        """The version, such as ``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def following(self) -> str:
        """The first version that it is not, such as ``3.12``."""
        return f"{self.version[0]}.{self.version[1] + 1}"

    @property
    def installed(self) -> str:
        """The path that it has as part of a distribution."""
        return f"/usr/bin/python{self.text}"


def choose(program: Path | None = None) -> Interpreter:
    """Return the Python that packages are made for.

    Args:
        program: The one; None: the system's, or this very one where the system has none that fits.

    Raises:
        UserError: The one that was named does not run, is no CPython, or too old.
    """
    if program is not None:
        return _asked(program)
    if SYSTEM.exists():
        try:
            return _asked(SYSTEM)
        except UserError:
            pass
    return _asked(Path(sys.executable))


def _asked(program: Path) -> Interpreter:
    hint = f"name a CPython {OLDEST[0]}.{OLDEST[1]} or newer: --python /usr/bin/python3"
    done = process.run([program.absolute(), "-I", "-c", _ASK], check=False)
    if done.returncode != 0 or not re.fullmatch(r"\[.*\]", done.text):
        raise UserError(
            f"{program} is no Python that runs", hint=hint, detail=process.tail(done.stderr)
        )
    kind, major, minor = json.loads(done.text)
    if kind != "cpython" or (major, minor) < OLDEST:
        raise UserError(
            f"{program} is {kind} {major}.{minor}; dynaccel does not run on it", hint=hint
        )
    return Interpreter(program=program.absolute(), version=(major, minor))

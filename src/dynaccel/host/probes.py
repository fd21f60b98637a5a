# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that measure, in a guest or on this machine: static, to run in any root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")


def probe(name: str) -> Path:
    """Return the program ``guest/probes/NAME.c``, compiled once for each state of its source.

    A large one goes on in files named ``NAME-*.c``; a hyphen in a name means nothing else.

    Raises:
        MissingError: There is no compiler.
        ProcessError: It does not compile.
    """
    directory = paths.data_dir("guest") / "probes"
    sources = [directory / f"{name}.c", *sorted(directory.glob(f"{name}-*.c"))]
    headers = sorted(directory.glob("*.h"))
    parts = [(file.name, file.read_bytes()) for file in [*sources, *headers]]
    key = content_hash([*parts, ("flags", " ".join(FLAGS).encode())])
    final = paths.cache_dir() / "probes" / key[:16]
    if not (final / name).is_file():
        compiler = tools.require("gcc")
        with staged_directory(final) as staging:
            process.run([compiler, *FLAGS, "-o", staging / name, *sources])
    return final / name

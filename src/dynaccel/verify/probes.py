# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that measure inside a guest: static, so that they run in any root file system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")


def probe(name: str) -> Path:
    """Return the program ``guest/probes/NAME.c``, compiled once for each state of its source.

    Raises:
        MissingError: There is no compiler.
        ProcessError: It does not compile.
    """
    source = paths.data_dir("guest") / "probes" / f"{name}.c"
    key = content_hash([(name, source.read_bytes()), ("flags", " ".join(FLAGS).encode())])
    final = paths.cache_dir() / "probes" / key[:16]
    if not (final / name).is_file():
        compiler = tools.require("gcc")
        with staged_directory(final) as staging:
            process.run([compiler, *FLAGS, "-o", staging / name, source])
    return final / name

# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that measure, in a guest or on this machine: static, to run in any root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch

FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-s")


def made_directory() -> Path:
    """Return the directory below which all of them lie once they are compiled."""
    made = paths.cache_dir() / "probes"
    made.mkdir(exist_ok=True)
    return made


def probe(name: str, *, arch: Arch | None = None) -> Path:
    """Return the program ``guest/probes/NAME.c``, compiled once for each state of its source.

    A large one goes on in files named ``NAME-*.c``; a hyphen in a name means nothing else.

    Args:
        name: The probe.
        arch: What it is to run on; this machine when None.

    Raises:
        MissingError: There is no compiler.
        ProcessError: It does not compile.
    """
    arch = arch or arches.native()
    texts = paths.data_dir("guest") / "probes"
    sources = [texts / f"{name}.c", *sorted(texts.glob(f"{name}-*.c"))]
    headers = sorted(texts.glob("*.h"))
    parts = [(file.name, file.read_bytes()) for file in [*sources, *headers]]
    parts += [("flags", " ".join(FLAGS).encode()), ("arch", arch.name.encode())]
    final = made_directory() / content_hash(parts)[:16]
    if not (final / name).is_file():
        compiler = tools.require_compiler(arch)
        with staged_directory(final) as staging:
            process.run([compiler, *FLAGS, "-o", staging / name, *sources])
    return final / name

# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that measure inside a guest: static, so that they run in any root file system."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE  # noqa: TID251  (constants; the door is host.process)
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from subprocess import Popen  # noqa: TID251  (a type)

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


@contextmanager
def running(
    name: str, *arguments: str, options: Sequence[str], asked: bool = False
) -> Iterator[Popen[bytes]]:
    """Run a probe in a guest for the length of the block; its standard output is a pipe.

    Args:
        name: The probe.
        arguments: Its arguments.
        options: Options of ``dynaccel run``.
        asked: Whether its standard input is a pipe too; else it has none.
    """
    argv = [sys.executable, "-m", "dynaccel.cli.main", "-qq", "run", *options, "--"]
    argv += [str(probe(name)), *arguments]
    stdin = PIPE if asked else DEVNULL
    with process.start(argv, stdin=stdin, stdout=PIPE, stderr=None) as child:
        yield child

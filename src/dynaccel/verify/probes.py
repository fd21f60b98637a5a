# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the programs that measure inside a guest."""

from __future__ import annotations

from contextlib import contextmanager
from subprocess import DEVNULL, PIPE  # noqa: TID251  (constants; the door is host.process)
from typing import TYPE_CHECKING

from dynaccel.host import itself, process
from dynaccel.host.probes import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from subprocess import Popen  # noqa: TID251  (a type)

__all__ = ["probe", "running"]


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
    argv = [*itself.command(), "-qq", "run", *options, "--"]
    argv += [str(probe(name)), *arguments]
    stdin = PIPE if asked else DEVNULL
    with process.start(argv, stdin=stdin, stdout=PIPE, stderr=None) as child:
        yield child

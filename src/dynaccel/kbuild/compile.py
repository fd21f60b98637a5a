# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the kernel's make, with progress, a log, and errors that a reader can act on."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import BuildError, DynaccelError, InfrastructureError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import process
from dynaccel.kbuild import buildlog, space, steps

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.kbuild.make import Make
    from dynaccel.kbuild.workspace import Workspace


def compile_kernel(
    workspace: Workspace,
    make: Make,
    target: str,
    *,
    modules: bool = False,
    jobs: int,
    reporter: Reporter,
) -> None:
    """Make ``target`` in a configured work directory; what is made already stays.

    Args:
        workspace: The work directory.
        make: How make is called.
        target: What it is to make.
        modules: Whether it makes the modules, too.
        jobs: How many jobs at once.
        reporter: Gets the progress.

    Raises:
        BuildError: A program of the build failed; says which file, why and where the log is.
        InfrastructureError: The disk is full, or memory ran out.
    """
    version = KernelVersion.of_tree(workspace.tree)
    state = workspace.load()
    fresh = state is None or not state.started
    if (workspace.objects / target).exists():
        counter = steps.StepCounter(total=None)  # nobody knows how little has to be made again
    else:
        counter = steps.StepCounter(
            total=steps.expected(version, modules=modules),
            done=0 if fresh else _made_already(workspace.objects),
        )
    workspace.update(started=True, compiled=False)
    argv = make.argv(f"-j{jobs}", target, *(("modules",) if modules else ()))
    lines: list[str] = []
    with workspace.log.open("a", encoding="utf-8") as log:

        def on_line(line: str) -> None:
            log.write(line + "\n")
            lines.append(line)
            message = buildlog.step(line)
            if message is not None:
                message = message.removeprefix(f"{workspace.objects}/")
                reporter.progress(counter.step(message, time.monotonic()))

        log.write(f"$ {process.command_line(argv)}\n")
        status = process.follow(argv, on_line=on_line, pass_fds=(workspace.lock,))
    if status != 0:
        raise _failure(workspace, make, lines, status)
    reporter.progress(counter.finish())
    if fresh:
        made = sum(buildlog.step(line) is not None for line in lines)
        steps.remember(version, made, modules=modules)
    workspace.update(compiled=True)


def default_jobs() -> int:
    """Return how many jobs at once keep the CPUs of this process busy."""
    return max(1, len(os.sched_getaffinity(0)))


def _made_already(objects: Path) -> int:
    """Return how many steps of this configuration are done; each leaves a ``.NAME.cmd`` file.

    What is older than the configuration was made for another one, and most of it is made again.
    """
    since = (objects / ".config").stat().st_mtime_ns
    return sum(
        name.startswith(".")
        and name.endswith(".cmd")
        and Path(directory, name).lstat().st_mtime_ns >= since
        for directory, _, names in os.walk(objects)
        for name in names
    )


def _failure(workspace: Workspace, make: Make, lines: list[str], status: int) -> DynaccelError:
    detail = f"{buildlog.first_error(lines)}\nthe whole log: {workspace.log}"
    if any(space.ran_out(line) for line in lines):
        return space.full(workspace.directory, detail=detail)
    if buildlog.out_of_memory(lines):
        return InfrastructureError(
            "the memory ran out during the build",
            detail=detail,
            hint="give the same command again with fewer jobs: --jobs 1",
        )
    target = buildlog.failed_target(lines)
    return BuildError(
        f"the kernel does not build: make failed with status {status}"
        + (f" at {target}" if target else ""),
        detail=detail,
        hint=f"see the command that failed: {make.reproduce(target or 'vmlinux')}",
    )

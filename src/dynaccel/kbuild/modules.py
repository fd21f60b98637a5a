# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules of a kernel, as ``make modules_install`` leaves them, to be filed with it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dynaccel.core.errors import BuildError
from dynaccel.host import process
from dynaccel.kbuild import space

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.kbuild.kconfig import Config
    from dynaccel.kbuild.make import Make
    from dynaccel.kbuild.workspace import Workspace

MODULE = "m"
"""The value of a symbol whose code is a module."""

PROGRAMS = ("depmod",)
"""What installing modules needs besides a build's programs."""


def has_modules(config: Config) -> bool:
    """Return whether a kernel of this configuration has modules."""
    return MODULE in config.symbols.values()


def install(workspace: Workspace, make: Make) -> Path:
    """Install the modules that were made, without debugging information.

    Returns:
        The directory that holds one directory, named as ``uname -r`` says, as ``/lib/modules``.

    Raises:
        BuildError: make failed.
        InfrastructureError: The disk is full.
    """
    place = workspace.directory / "modules"
    shutil.rmtree(place, ignore_errors=True)
    argv = make.argv(
        f"INSTALL_MOD_PATH={place}", "INSTALL_MOD_STRIP=1", "DEPMOD=depmod", "modules_install"
    )
    done = process.run(argv, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")
    with workspace.log.open("a", encoding="utf-8") as log:
        log.write(f"$ {process.command_line(argv)}\n{output}")
    if done.returncode != 0:
        if space.ran_out(output):
            raise space.full(workspace.directory)
        raise BuildError(
            "the modules cannot be installed",
            detail=f"{process.tail(done.stderr or done.stdout)}\nthe whole log: {workspace.log}",
            hint=f"see it fail: {process.command_line(argv)}",
        )
    installed = place / "lib" / "modules"
    for release in installed.iterdir():
        # They point into the work directory, which is not filed.
        for name in ("build", "source"):
            (release / name).unlink(missing_ok=True)
    return installed

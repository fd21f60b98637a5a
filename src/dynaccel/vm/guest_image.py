# SPDX-License-Identifier: GPL-2.0-or-later
"""Build the guest's programs into the initramfs that every guest boots: agent and conductor."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash, staged_directory, write_atomic
from dynaccel.core.errors import MissingError, ProcessError
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

IMAGE = "initramfs.cpio"
# _GNU_SOURCE here rather than in every file: the agent is for Linux alone. Static, because the
# root that a user names may have no C library, or another one.
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-s")
LIBRARIES = ("-lm",)
SHARED = ("frame.c", "log.c", "text.c")
"""Files of the agent's that the conductor is made of, too."""
_NO_LIBRARY = re.compile(r"cannot find -l(c|m|gcc)\b|fatal error: [\w/]+\.h: No such file")


def guest_image(*, arch: Arch, reporter: Reporter) -> Path:
    """Return the initramfs for guests of ``arch``; compile it when its sources are new.

    It lies in the cache under a hash of the sources, the flags and the compiler's file, so a call
    that finds it starts no program. Builds at the same time do not disturb each other.

    Raises:
        MissingError: No compiler, no static C library or no ``cpio``; the hint installs it.
        ProcessError: The sources do not compile.
        InfrastructureError: The cache cannot be written, or the installation is incomplete.
    """
    sources = paths.data_dir("guest")
    compiler = tools.require_compiler(arch)
    final = paths.cache_dir() / "guest" / _key(sources, compiler)
    if not (final / IMAGE).is_file():
        reporter.info("building the guest's agent (once)")
        with staged_directory(final) as staging:
            programs = _programs(sources)
            for name, files in programs.items():
                _compile(sources, files, compiler, staging / name, arch)
                (staging / name).chmod(0o755)
            write_atomic(staging / IMAGE, pack(staging, list(programs)))
            for name in programs:
                (staging / name).unlink()
    return final / IMAGE


def _programs(sources: Path) -> dict[str, list[Path]]:
    """Return what lies in the image, and the files that each program is made of."""
    return {
        "init": sorted(sources.glob("*.c")),
        "conductor": [
            *sorted((sources / "conductor").glob("*.c")),
            *(sources / name for name in SHARED),
        ],
    }


def _sources(directory: Path) -> list[Path]:
    places = (directory, directory / "conductor")
    return sorted(path for place in places for path in place.glob("*.[ch]"))


def _key(sources: Path, compiler: Path) -> str:
    # The compiler's file stands for its version: asking it would cost more than all the rest.
    real = compiler.resolve()
    status = real.stat()
    parts = [(str(path.relative_to(sources)), path.read_bytes()) for path in _sources(sources)]
    parts.append(("flags", " ".join((*FLAGS, *LIBRARIES)).encode()))
    parts.append(("compiler", f"{real} {status.st_size} {status.st_mtime_ns}".encode()))
    return content_hash(parts)


def _compile(sources: Path, files: list[Path], compiler: Path, output: Path, arch: Arch) -> None:
    argv: list[str | Path] = [compiler, *FLAGS, "-I", sources, "-o", output, *files, *LIBRARIES]
    try:
        process.run(argv, env={"LC_ALL": "C"})
    except ProcessError as error:
        if not _NO_LIBRARY.search(error.detail or ""):
            raise
        raise MissingError(
            "the guest's agent cannot be compiled: the static C library is not installed",
            hint=tools.install_command(*arch.compiler_packages),
            detail=error.detail,
        ) from error


def pack(directory: Path, names: list[str]) -> bytes:
    """Return an archive of files below ``directory``, the same for the same content.

    Raises:
        MissingError: There is no ``cpio``.
        ProcessError: It failed.
    """
    # Not compressed: the guest would spend more time on unpacking than the host on reading.
    tools.require("cpio")
    for name in names:
        os.utime(directory / name, (0, 0))  # --reproducible leaves the date in
    argv = ["cpio", "--create", "--format=newc", "--reproducible", "--owner=+0:+0", "--quiet"]
    listing = "".join(f"{name}\n" for name in names)
    return process.run(argv, cwd=directory, stdin=listing.encode()).stdout

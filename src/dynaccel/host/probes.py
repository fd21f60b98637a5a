# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that measure, in a guest or on this machine: static, to run in any root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.artifacts import content_hash, staged_directory
from dynaccel.core.errors import MissingError
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


def probe(name: str, *, arch: Arch | None = None, narrow: bool = False) -> Path:
    """Return the program ``guest/probes/NAME.c``, compiled once for each state of its source.

    A large one goes on in files named ``NAME-*.c``; a hyphen in a name means nothing else.

    Args:
        name: The probe.
        arch: What it is to run on; this machine when None.
        narrow: As a program of 32 bits.

    Raises:
        MissingError: There is no compiler, or no C library for programs of 32 bits.
        ProcessError: It does not compile.
    """
    arch = arch or arches.native()
    texts = paths.data_dir("guest") / "probes"
    sources = [texts / f"{name}.c", *sorted(texts.glob(f"{name}-*.c"))]
    headers = sorted(texts.glob("*.h"))
    parts = [(file.name, file.read_bytes()) for file in [*sources, *headers]]
    flags = (*FLAGS, *_narrow_flags(arch)) if narrow else FLAGS
    parts += [("flags", " ".join(flags).encode()), ("arch", arch.name.encode())]
    final = made_directory() / content_hash(parts)[:16]
    if not (final / name).is_file():
        compiler = tools.require_compiler(arch)
        with staged_directory(final) as staging:
            process.run([compiler, *flags, "-o", staging / name, *sources])
    return final / name


def _narrow_flags(arch: Arch) -> tuple[str, ...]:
    """Return what makes the compiler's programs such of 32 bits.

    Raises:
        MissingError: It makes none, or has no C library for them.
    """
    if not arch.narrow_flags:
        raise MissingError(f"the compiler for {arch.debian} makes no programs of 32 bits")
    # The kernel's headers and the C library's, which are of different packages.
    source = "#include <linux/types.h>\n#include <time.h>\nint main(void) { return time(0) < 0; }\n"
    argv: list[str | Path] = [
        tools.require_compiler(arch),
        *arch.narrow_flags,
        "-static",
        "-x",
        "c",
        "-",
        "-o",
    ]
    tried = process.run([*argv, "/dev/null"], stdin=source.encode(), check=False)
    if tried.returncode != 0:
        major = process.run([argv[0], "-dumpversion"], check=False).text.partition(".")[0].strip()
        raise MissingError(
            "programs of 32 bits cannot be compiled: their C library is not installed",
            # What they recommend would remove the compilers for other architectures.
            hint=tools.install_command(
                "--no-install-recommends", *(name.format(major) for name in arch.narrow_packages)
            ),
        )
    return arch.narrow_flags

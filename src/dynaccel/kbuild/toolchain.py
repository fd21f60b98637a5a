# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel build needs of the machine: the compiler, programs, header files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import MissingError
from dynaccel.host import process, tools
from dynaccel.kbuild.kconfig import OFF

if TYPE_CHECKING:
    from dynaccel.kbuild.kconfig import Config

INCLUDE_DIRS = tuple(
    Path(name) for name in ("/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/local/include")
)

_PROGRAMS = ("make", "gcc", "ld", "flex", "bison", "bc", "perl", "tar", "xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header file that programs of the build include.

    Attributes:
        file: As C code names it.
        package: The Debian package that brings it.
        symbols: It is needed when one of these is on; none: always.
    """

    file: str
    package: str
    symbols: tuple[str, ...] = ()


_HEADERS = (
    Header(file="stdio.h", package="libc6-dev"),
    # objtool; on x86-64 the ORC unwinder is on unless the frame-pointer one is chosen.
    Header(file="gelf.h", package="libelf-dev"),
    Header(
        file="openssl/opensslv.h",
        package="libssl-dev",
        symbols=("MODULE_SIG", "SYSTEM_TRUSTED_KEYRING", "INTEGRITY_SIGNATURE"),
    ),
)
_PROGRAMS_OF = {"DEBUG_INFO_BTF": ("pahole", "dwarves"), "KERNEL_ZSTD": ("zstd", "zstd")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C compiler on this machine.

    Attributes:
        command: How it is called.
        version: First line of its ``--version``.
    """

    command: str
    version: str


def choose_compiler() -> Compiler:
    """Return the C compiler to build with.

    Raises:
        MissingError: There is none.
    """
    command = "gcc"
    first, *_ = process.run([command, "--version"], env={"LC_ALL": "C"}).text.splitlines() or [""]
    return Compiler(command=command, version=first)


def require_tools(config: Config, *, programs: tuple[str, ...] = ()) -> None:
    """Check that all is there that building ``config`` needs.

    Args:
        config: The configuration.
        programs: Programs that are needed besides.

    Raises:
        MissingError: Something is not; the hint is one command that installs all of it.
    """
    missing: dict[str, str] = {
        program: tools.PACKAGES.get(program, program)
        for program in (*_PROGRAMS, *programs)
        if tools.find(program) is None
    }
    for symbol, (program, package) in _PROGRAMS_OF.items():
        if config[symbol] != OFF and tools.find(program) is None:
            missing[program] = package
    for header in _HEADERS:
        needed = not header.symbols or any(config[name] != OFF for name in header.symbols)
        if needed and not any((place / header.file).is_file() for place in INCLUDE_DIRS):
            missing[header.file] = header.package
    if missing:
        raise MissingError(
            f"a kernel build needs {', '.join(missing)}, which this machine lacks",
            hint=tools.install_command(*dict.fromkeys(missing.values())),
        )

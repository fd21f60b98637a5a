# SPDX-License-Identifier: GPL-2.0-or-later
"""The C compilers that this machine has for an architecture, and how the kernel's make takes them.

gcc comes alone and leaves linking to the machine's binutils. clang comes with the rest of LLVM:
the kernel's ``LLVM=1`` takes all of it from the directory that clang lies in.
"""

from __future__ import annotations

import enum
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, MissingError
from dynaccel.host import paths, process, tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynaccel.core.arches import Arch

LLVM_PROGRAMS = (
    "clang", "ld.lld", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-readelf",
    "llvm-strip",
)  # fmt: skip
"""What ``LLVM=1`` calls."""
LLVM_ROOTS = (Path("/usr/lib"),)
"""Where Debian keeps its LLVMs side by side, as ``llvm-14``."""

_BANNER = re.compile(r"(clang version|\)) (\d+)\.(\d+)(?:\.(\d+))?")
_PROGRAM = """\
#include <stdarg.h>
#include <stddef.h>
int first(size_t count, ...)
{
	va_list rest;
	int value;

	va_start(rest, count);
	value = va_arg(rest, int);
	va_end(rest);
	return value;
}
"""


class Family(enum.Enum):
    """A maker of compilers; the value is how its compiler is called."""

    GCC = "gcc"
    CLANG = "clang"


@dataclass(frozen=True, slots=True, order=True)
class CompilerNumber:
    """The version of a compiler."""

    major: int
    minor: int = 0
    patch: int = 0

    def __str__(self) -> str:
        """Return the version as the compiler writes it."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> CompilerNumber | None:
        """Return the version that ``text`` is, such as ``5.1`` or ``10.0.1``; None for others."""
        match = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", text.strip())
        return cls(*(int(part or 0) for part in match.groups())) if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C compiler on this machine.

    Attributes:
        command: How it is called.
        version: First line of its ``--version``.
        family: Who makes it.
        number: Its version.
        directory: Where the rest of its LLVM is, to be first in PATH; None for gcc.
    """

    command: str
    version: str
    family: Family
    number: CompilerNumber
    directory: Path | None = None

    def __str__(self) -> str:
        """Return family and version, such as ``gcc 12.2.0``."""
        return f"{self.family.value} {self.number}"

    def host_command(self, arch: Arch) -> str | None:
        """Return what compiles the build's own programs; None: the machine's ``gcc``.

        What is too new for the kernel's code is so for its programs, too.
        """
        if self.family is Family.GCC and arch.native and self.command != "gcc":
            return self.command
        return None

    def require_whole(self) -> None:
        """Check that all programs are there that a build with it calls.

        Raises:
            MissingError: Parts of LLVM are missing; the hint installs them.
        """
        if self.directory is None:
            return
        missing = [name for name in LLVM_PROGRAMS if not (self.directory / name).exists()]
        if missing:
            number = self.number.major
            raise MissingError(
                f"a kernel build with {self} needs {', '.join(missing)} in {self.directory}",
                hint=tools.install_command(f"clang-{number}", f"lld-{number}", f"llvm-{number}"),
            )

    def try_out(self) -> None:
        """Compile a small file.

        Raises:
            InfrastructureError: It does not compile; the detail has what the compiler said.
        """
        with tempfile.TemporaryDirectory(prefix="dynaccel-compiler.") as name:
            made = Path(name) / "made.o"
            done = process.run(
                [self.command, "-x", "c", "-O2", "-c", "-o", made, "-"],
                stdin=_PROGRAM.encode(), env={"LC_ALL": "C"}, check=False,
            )  # fmt: skip
            works = done.returncode == 0 and made.is_file()
        if not works:
            raise InfrastructureError(
                f"the compiler {self.command} does not work on this machine",
                detail=process.tail(done.stderr),
                hint="choose another one with --compiler, or install it again",
            )


def toolchains_dir() -> Path:
    """Return the directory of the compilers that were fetched, each in one of its own."""
    return paths.cache_dir() / "toolchains"


def prefix(arch: Arch) -> str:
    """Return what stands before ``gcc`` in the names of compilers for ``arch``."""
    return "" if arch.native else f"{arch.triplet}-"


def probe(command: str | Path) -> Compiler | None:
    """Return what a compiler says of itself; None when there is no such program, or no compiler."""
    if os.sep not in str(command) and tools.find(str(command)) is None:
        return None
    try:
        done = process.run([command, "--version"], env={"LC_ALL": "C"}, check=False)
    except InfrastructureError:  # not a program
        return None
    first, *_ = done.text.splitlines() or [""]
    match = _BANNER.search(first)
    if done.returncode != 0 or match is None:
        return None
    family = Family.CLANG if match[1].startswith("clang") else Family.GCC
    return Compiler(
        command=str(command),
        version=first,
        family=family,
        number=CompilerNumber(*(int(part or 0) for part in match.groups()[1:])),
        directory=_directory(command) if family is Family.CLANG else None,
    )


def installed(arch: Arch) -> list[Compiler]:
    """Return all compilers for ``arch``: the machine's default one first, then gcc, then clang.

    The newer ones of a family come first.
    """
    default = probe(f"{prefix(arch)}gcc")
    others = [*_gccs(arch), *_clangs()]
    others.sort(key=lambda one: one.number, reverse=True)
    others.sort(key=lambda one: one.family is Family.CLANG)
    return _different([*([default] if default else []), *others])


def _gccs(arch: Arch) -> Iterator[Compiler]:
    pattern = f"{prefix(arch)}gcc-[0-9]*"
    fetched = sorted(toolchains_dir().glob(f"{prefix(arch)}gcc-*/usr/bin"))
    for directory in [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *fetched]:
        for path in sorted(directory.glob(pattern)):
            if re.fullmatch(r"\d+", path.name.rpartition("-")[2]):
                found = probe(path if directory in fetched else path.name)
                if found is not None:
                    yield found


def _clangs() -> Iterator[Compiler]:
    roots = [*LLVM_ROOTS, *toolchains_dir().glob("clang-*/usr/lib")]
    places = [directory / "bin/clang" for root in roots for directory in root.glob("llvm-[0-9]*")]
    commands: list[str | Path] = ["clang", *(place for place in places if place.exists())]
    for command in commands:
        found = probe(command)
        if found is not None and found.directory is not None:
            yield found


def _directory(command: str | Path) -> Path | None:
    path = Path(command) if os.sep in str(command) else tools.find(str(command))
    return path.resolve().parent if path is not None else None


def _different(found: Iterable[Compiler]) -> list[Compiler]:
    """Return the compilers without further names of one that is there already."""
    kept: dict[Path, Compiler] = {}
    for one in found:
        path = Path(one.command) if os.sep in one.command else tools.find(one.command)
        if path is not None:
            kept.setdefault(path.resolve(), one)
    return list(kept.values())

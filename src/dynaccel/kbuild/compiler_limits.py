# SPDX-License-Identifier: GPL-2.0-or-later
"""Which compilers a kernel tree can be built with: what the tree says, and what experience says.

A tree names the oldest compilers that it takes. Which one is too new for it nobody could know when
it was written: :data:`TOO_NEW` lists what was found by trying.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.versions import KernelVersion
from dynaccel.host import process
from dynaccel.kbuild.compilers import CompilerNumber, Family
from dynaccel.kbuild.make import hermetic

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.kbuild.compilers import Compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class TooNew:
    """Compilers that are too new for some versions of Linux.

    Attributes:
        family: Whose compilers.
        first: The first one that is too new.
        fixed: The first version of Linux that it builds.
        because: What goes wrong.
    """

    family: Family
    first: CompilerNumber
    fixed: KernelVersion
    because: str


TOO_NEW: tuple[TooNew, ...] = ()

_SCRIPT = "scripts/min-tool-version.sh"  # since 5.13
_TABLE = "Documentation/process/changes.rst"
_ROWS = {
    Family.GCC: re.compile(r"^GNU C\s+(\d[\d.]*)\s", re.MULTILINE),
    Family.CLANG: re.compile(r"^Clang/LLVM[^\d\n]*\s(\d[\d.]*)\s", re.MULTILINE),
}
_HEADERS = {
    Family.GCC: ("include/linux/compiler-gcc.h", re.compile(r"GCC_VERSION < (\d{5,6})\n# ?error")),
    Family.CLANG: (
        "include/linux/compiler-clang.h",
        re.compile(r"CLANG_VERSION < (\d{5,6})\n# ?error"),
    ),
}
_TOOL_OF = {Family.GCC: "gcc", Family.CLANG: "llvm"}


def reason_against(compiler: Compiler, tree: Path, arch: Arch) -> str | None:
    """Return why a kernel tree cannot be built with a compiler; None when nothing speaks against.

    Raises:
        UserError: ``tree`` is not a kernel source tree.
    """
    version = KernelVersion.of_tree(tree)
    if compiler.family is Family.CLANG and not _knows_llvm(tree):
        return f"Linux {version} does not know how to be built with all of LLVM, as 5.7 does"
    lowest = oldest(tree, compiler.family, arch)
    if lowest is not None and compiler.number < lowest:
        return f"Linux {version} takes {compiler.family.value} {lowest} or newer"
    for limit in TOO_NEW:
        if (
            compiler.family is limit.family
            and compiler.number >= limit.first
            and version < limit.fixed
        ):
            return f"it is too new for Linux {version}: {limit.because}"
    return None


def newest(version: KernelVersion, family: Family) -> CompilerNumber | None:
    """Return the first compiler that is too new for ``version``; None when none is known."""
    limits = [one.first for one in TOO_NEW if one.family is family and version < one.fixed]
    return min(limits, default=None)


def oldest(tree: Path, family: Family, arch: Arch) -> CompilerNumber | None:
    """Return the oldest compiler that a tree says it takes; None when it does not say."""
    if (tree / _SCRIPT).is_file():
        argv = hermetic(
            "sh", str(tree / _SCRIPT), _TOOL_OF[family], ARCH=arch.make, SRCARCH=arch.source
        )
        told = process.run(argv, check=False)
        return CompilerNumber.parse(told.text) if told.returncode == 0 else None
    header, pattern = _HEADERS[family]
    if match := pattern.search(_read(tree / header)):
        code = int(match[1])
        return CompilerNumber(code // 10000, code // 100 % 100, code % 100)
    match = _ROWS[family].search(_read(tree / _TABLE))
    return CompilerNumber.parse(match[1]) if match else None


def _knows_llvm(tree: Path) -> bool:
    return "$(LLVM)" in _read(tree / "Makefile")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

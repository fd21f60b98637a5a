# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel build needs of the machine: a compiler that fits, programs, header files."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import DynaccelError, MissingError, UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import tools
from dynaccel.kbuild import compiler_limits, compiler_packages, compilers
from dynaccel.kbuild.compilers import CompilerNumber, Family
from dynaccel.kbuild.kconfig import OFF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.kbuild.compilers import Compiler
    from dynaccel.kbuild.kconfig import Config

INCLUDE_DIRS = tuple(
    Path(name)
    for name in (
        "/usr/include", f"/usr/include/{platform.machine()}-linux-gnu", "/usr/local/include",
    )
)  # fmt: skip

_PROGRAMS = ("make", "ld", "flex", "bison", "bc", "perl", "tar", "xz")


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
_LLVM_PACKAGES = ("clang", "lld", "llvm")
_PROGRAMS_OF = {"DEBUG_INFO_BTF": ("pahole", "dwarves"), "KERNEL_ZSTD": ("zstd", "zstd")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The compilers that come into question for a build, the preferred one first.

    Attributes:
        arch: What they compile for.
        candidates: Those that are there.
        named: Whether the user named the one that there is; then it is taken.
    """

    arch: Arch
    candidates: tuple[Compiler, ...]
    named: bool

    @property
    def key(self) -> str:
        """Say what the choice depends on beside the tree."""
        return "\n".join([*(one.version for one in self.candidates), str(self.named)])

    def decide(self, tree: Path, *, reporter: Reporter) -> Compiler:
        """Return the compiler to build ``tree`` with, fetched when none of this machine fits.

        Args:
            tree: The kernel tree.
            reporter: Hears what was chosen and why, when it is not the machine's default one.

        Raises:
            MissingError: None fits, and none that does can be had; the hint installs one.
            InfrastructureError: The compiler does not work.
        """
        reasons: list[str] = []
        for compiler in self.candidates:
            against = compiler_limits.reason_against(compiler, tree, self.arch)
            if against is not None and self.named:
                reporter.warning(f"{compiler} may not build this: {against}")
            elif against is not None:
                reasons.append(f"{compiler}: {against}")
                continue
            compiler.require_whole()
            compiler.try_out()
            if reasons:
                reporter.info(f"compiling with {compiler} ({compiler.command}), for {reasons[0]}")
            return compiler
        return self._fetch(tree, reasons, reporter)

    def _fetch(self, tree: Path, reasons: list[str], reporter: Reporter) -> Compiler:
        fitting = _fitting(tree, self.arch)
        for packaged in fitting:
            try:
                compiler = compiler_packages.fetch(packaged, reporter=reporter)
            except DynaccelError as error:
                reasons.append(f"{packaged.name}: {error.message}")
                continue
            if compiler is not None:
                because = f", for {reasons[0]}" if reasons else ""
                reporter.info(f"compiling with {compiler} ({compiler.command}){because}")
                return compiler
        names = ", ".join(packaged.name for packaged in fitting)
        install = tools.install_command(*fitting[0].packages) if fitting else ""
        raise MissingError(
            f"no C compiler of this machine fits Linux {KernelVersion.of_tree(tree)} for"
            f" {self.arch.name}",
            detail="\n".join(reasons) or None,
            hint=f"{install} (any of {names} fits), or name one that is elsewhere: --compiler PATH"
            if fitting
            else "name one that fits: --compiler PATH",
        )


def choices(arch: Arch, wanted: str | None, *, reporter: Reporter) -> Choice:
    """Return the compilers to choose from.

    Args:
        arch: What they compile for.
        wanted: The one that the user named: ``gcc-10``, ``clang-14``, a path; ``clang``: the
            newest one that is there; None: all that fit.
        reporter: Hears of a download.

    Raises:
        MissingError: The named one is not there and cannot be fetched, or the machine has no
            compiler for its own programs.
        UserError: The named one is no compiler.
        InfrastructureError: A download failed.
    """
    if wanted is None:
        return Choice(arch=arch, candidates=tuple(compilers.installed(arch)), named=False)
    return Choice(arch=arch, candidates=(_named(arch, wanted, reporter),), named=True)


def default_compiler(arch: Arch) -> Compiler:
    """Return the compiler that a build takes when nothing speaks against it.

    Raises:
        MissingError: There is none.
    """
    found = compilers.installed(arch)
    if not found:
        raise MissingError(
            f"there is no C compiler for {arch.name}",
            hint=tools.install_command(_gcc_package(arch)),
        )
    return found[0]


def _gcc_package(arch: Arch) -> str:
    return tools.PACKAGES.get(compilers.prefix(arch) + "gcc", f"gcc-{arch.triplet}")


def _named(arch: Arch, wanted: str, reporter: Reporter) -> Compiler:
    if os.sep in wanted:
        found = compilers.probe(Path(wanted).absolute())
        if found is None:
            raise UserError(
                f"{wanted} is no C compiler", hint="name a program of gcc or clang: --compiler PATH"
            )
        return found
    match = re.fullmatch(r"(gcc|clang)(?:-(\d+))?", wanted)
    is_gcc = match is not None and match[1] == Family.GCC.value
    command = f"{compilers.prefix(arch)}{wanted}" if is_gcc else wanted
    found = compilers.probe(command)
    if found is not None:
        return found
    hint = "name another one: --compiler gcc-10, clang-14 or PATH"
    if match is not None and not match[2]:
        # Debian has clang-14 without clang.
        same = (one for one in compilers.installed(arch) if one.family.value == match[1])
        if (found := next(same, None)) is not None:
            return found
        packages = (_gcc_package(arch),) if is_gcc else _LLVM_PACKAGES
        hint = f"{tools.install_command(*packages)}; or {hint}"
    elif match is not None:
        packaged = compiler_packages.Packaged(
            family=Family(match[1]), major=int(match[2]), arch=arch
        )
        found = compiler_packages.fetch(packaged, reporter=reporter)
        if found is not None:
            return found
        hint = f"{tools.install_command(*packaged.packages)}; or {hint}"
    raise MissingError(f"there is no C compiler {command}", hint=hint)


def _fitting(tree: Path, arch: Arch) -> list[compiler_packages.Packaged]:
    """Return the gcc versions that Debian has and that fit a tree, the newest first."""
    lowest = compiler_limits.oldest(tree, Family.GCC, arch) or CompilerNumber(0)
    end = compiler_limits.newest(KernelVersion.of_tree(tree), Family.GCC)
    return [
        compiler_packages.Packaged(family=Family.GCC, major=major, arch=arch)
        for major in sorted(compiler_packages.SUITES[Family.GCC], reverse=True)
        if lowest.major <= major and (end is None or CompilerNumber(major) < end)
    ]


def require_tools(
    config: Config, *, arch: Arch, programs: tuple[str, ...] = (), llvm: bool = False
) -> None:
    """Check that all is there that building ``config`` needs, but the compiler for its code.

    Args:
        config: The configuration.
        arch: The architecture of the kernel.
        programs: Programs that are needed besides.
        llvm: Whether the build's own programs are compiled with clang, too.

    Raises:
        MissingError: Something is not there; the hint is one command that installs all of it.
    """
    wanted: Sequence[str] = (*_PROGRAMS, *programs)
    if not llvm:
        wanted = ("gcc", *wanted, *(() if arch.native else (f"{arch.triplet}-ld",)))
    packages = {f"{arch.triplet}-ld": f"binutils-{arch.triplet}", **tools.PACKAGES}
    missing: dict[str, str] = {
        program: packages.get(program, program) for program in wanted if tools.find(program) is None
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

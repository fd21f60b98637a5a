# SPDX-License-Identifier: GPL-2.0-or-later
"""Compilers as Debian packages them, unpacked into the cache: the machine stays as it is.

A machine's release has a few compilers, other releases have others. A compiler finds its parts
beside itself wherever it lies; gcc's assembler and linker are the machine's, as long as it runs
with the machine's libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import staged_directory
from dynaccel.core.errors import InfrastructureError
from dynaccel.host import suites, tools
from dynaccel.kbuild import compilers, debian, own_libraries
from dynaccel.kbuild.compilers import Family
from dynaccel.kbuild.source import downloads_dir

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.host.suites import Apt
    from dynaccel.kbuild.compilers import Compiler

SUITES = {
    Family.GCC: {
        9: "bullseye", 10: "bullseye", 11: "bookworm", 12: "bookworm", 13: "trixie", 14: "trixie",
        15: "sid", 16: "sid",
    },
    Family.CLANG: {
        11: "bullseye", 13: "bullseye", 14: "bookworm", 15: "bookworm", 16: "bullseye",
        17: "trixie", 18: "trixie", 19: "bullseye-security", 22: "bullseye-security",
    },
}  # fmt: skip
"""The oldest suite of Debian that has a compiler: what it has runs on newer ones too. On older ones
gcc does with libraries of its own."""

_PARTS = {
    Family.GCC: re.compile(r"(gcc|cpp|libgcc)-"),
    Family.CLANG: re.compile(r"clang-|libclang|lld-|llvm-|libllvm"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """A compiler that Debian may have.

    Attributes:
        family: Whose it is.
        major: The first number of its version.
        arch: What it compiles for.
    """

    family: Family
    major: int
    arch: Arch

    @property
    def name(self) -> str:
        """How it is called, such as ``gcc-10`` or ``aarch64-linux-gnu-gcc-10``."""
        prefix = compilers.prefix(self.arch) if self.family is Family.GCC else ""
        return f"{prefix}{self.family.value}-{self.major}"

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages to install, so that it is there with all that a build calls."""
        if self.family is Family.CLANG:
            return tuple(f"{program}-{self.major}" for program in ("clang", "lld", "llvm"))
        return (f"gcc-{self.major}" + ("" if self.arch.native else f"-{self.arch.triplet}"),)

    @property
    def root(self) -> Path:
        """Where it is unpacked."""
        return compilers.toolchains_dir() / self.name

    def command(self, root: Path) -> Path:
        """Return the program below the directory into which the packages were unpacked."""
        if self.family is Family.CLANG:
            return root / f"usr/lib/llvm-{self.major}/bin/clang"
        return root / "usr/bin" / self.name

    def is_part(self, package: str) -> bool:
        """Say whether a package that it needs is a part of it, and not the machine's business."""
        numbered = re.search(rf"(?<!\d){self.major}(?!\d)", package) is not None
        return numbered and _PARTS[self.family].match(package) is not None


def fetch(wanted: Packaged, *, reporter: Reporter) -> Compiler | None:
    """Return a compiler from the cache, fetched into it when it is not there yet.

    Args:
        wanted: The compiler.
        reporter: Hears of the download.

    Returns:
        None when no suite that can be reached has it.

    Raises:
        InfrastructureError: The download failed, or the compiler does not run on this machine.
    """
    if not wanted.root.is_dir():
        apt, versions = _offer(wanted, reporter)
        if apt is None:
            return None
        with staged_directory(wanted.root) as staging:
            for package, version in sorted(versions.items()):
                reporter.info(f"fetching {package} {version}")
                debian.extract(apt, package, version, staging)
            _lend_assembler(wanted.arch, staging)
            try:
                _probe(wanted, staging).try_out()
            except InfrastructureError:
                if wanted.family is not Family.GCC or not own_libraries.lend(
                    apt, versions, staging, arch=wanted.arch, reporter=reporter
                ):
                    raise
                _probe(wanted, staging).try_out()
    return _probe(wanted, wanted.root)


def _lend_assembler(arch: Arch, root: Path) -> None:
    """Let a cross compiler find the machine's assembler where it looks for one: beside itself."""
    if arch.native:
        return
    beside = root / f"usr/{arch.triplet}/bin"
    beside.mkdir(parents=True, exist_ok=True)
    for program in ("as", "ld"):
        (beside / program).symlink_to(tools.require(f"{arch.triplet}-{program}"))


def _probe(wanted: Packaged, root: Path) -> Compiler:
    compiler = compilers.probe(wanted.command(root))
    if compiler is None:
        raise InfrastructureError(
            f"{wanted.name} of another release of Debian does not run on this machine",
            hint="choose another one with --compiler",
        )
    return compiler


def _offer(wanted: Packaged, reporter: Reporter) -> tuple[Apt | None, dict[str, str]]:
    """Return an apt that has the compiler, and the versions of its packages there."""
    apt = suites.machine_apt()
    if apt is None:
        return None, {}
    if versions := _closure(apt, wanted):
        return apt, versions
    suite = SUITES[wanted.family].get(wanted.major)
    if suite is None:
        return None, {}
    other = suites.suite_apt(suite, state=downloads_dir() / "apt", reporter=reporter)
    versions = _closure(other, wanted) if other is not None else {}
    return (other, versions) if versions else (None, {})


def _closure(apt: Apt, wanted: Packaged) -> dict[str, str]:
    """Return the versions of the packages and of all their parts; none when one is not offered."""
    found = suites.closure(apt, wanted.packages, wanted.is_part)
    versions = {name: version for name, version in found.items() if version is not None}
    return versions if len(versions) == len(found) else {}

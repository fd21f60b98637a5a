# SPDX-License-Identifier: GPL-2.0-or-later
"""How the kernel's make is called: the same words and surroundings on every machine."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.host import paths, tools
from dynaccel.kbuild.compilers import Family

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.kbuild.compilers import Compiler

OBJECTS = ".dynaccel-build"
"""Where the objects go. Right below the tree Kbuild names sources ``../x.c``, so that neither the
objects nor ccache's hashes depend on where the tree lies."""

CCACHE_MAX_SIZE = "4G"

_WARNINGS_END_IT = re.compile(r"^KBUILD_CFLAGS\s*\+=\s*-Werror\s*$", re.MULTILINE)
"""A vendor's Makefile may say so whatever the configuration: the vendor's compiler finds nothing to
warn of, but another one does."""

_KEPT = ("PATH", "HOME", "TMPDIR")
_REPRODUCIBLE = {
    "KBUILD_BUILD_USER": "dynaccel",
    "KBUILD_BUILD_HOST": "dynaccel",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan 1 00:00:00 UTC 1970",
    "KBUILD_BUILD_VERSION": "1",
    # Set but empty: a tree in git gets no "+" behind its release.
    "LOCALVERSION": "",
    # What the tools of the build itself are compiled with: a newer compiler warns of older ones.
    "WERROR": "0",
}


def hermetic(*argv: str, **variables: str) -> list[str]:
    """Return a command line that runs ``argv`` with nothing of the caller's environment but paths.

    The kernel's build reads dozens of variables (ARCH, KCFLAGS, MAKEFLAGS of an outer make ...);
    any of them would make another kernel under the same name.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    settings = {**kept, "LC_ALL": "C", **variables}
    return ["env", "-i", *(f"{name}={value}" for name, value in settings.items()), *argv]


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """The kernel's make for one tree, compiler and architecture.

    Attributes:
        tree: The kernel tree; objects go to :data:`OBJECTS` below it.
        arch: The architecture.
        compiler: The C compiler.
    """

    tree: Path
    arch: Arch
    compiler: Compiler

    @property
    def objects(self) -> Path:
        """The directory of the objects."""
        return self.tree / OBJECTS

    @property
    def cached(self) -> bool:
        """Whether the compiler runs behind ccache."""
        return tools.find("ccache") is not None

    def argv(self, *words: str, **variables: str) -> list[str]:
        """Return the command line of a call with ``words`` (targets, options).

        Args:
            words: What make is given.
            variables: Variables of its environment.
        """
        return hermetic(
            *self._words(*words),
            **_REPRODUCIBLE,
            **self._ccache() if self.cached else {},
            **self._llvm(),
            **variables,
        )

    def allnoconfig(self, fragment: Path) -> list[str]:
        """Return the command line that makes a ``.config`` of a fragment, all else off."""
        return self.argv("allnoconfig", KCONFIG_ALLCONFIG=str(fragment))

    def reproduce(self, target: str) -> str:
        """Return a line for a person that makes ``target`` alone, with the commands in sight."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self._llvm().items()]
        return " ".join([*settings, *map(shlex.quote, self._words("V=1", target, cached=False))])

    def portable(self, tree: str) -> str:
        """Return a shell's line that calls make as here, for a tree that lies elsewhere.

        Args:
            tree: Path of that tree.
        """
        settings = {**_REPRODUCIBLE, "LC_ALL": "C"}
        kept = [f'{name}="${name}"' for name in ("PATH", "HOME")]
        fixed = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
        words = [word for word in self._words(cached=False) if word != str(self.tree)]
        words.insert(words.index("-C") + 1, tree)
        return " ".join(["env -i", *kept, *fixed, *map(shlex.quote, words)])

    def _words(self, *words: str, cached: bool | None = None) -> tuple[str, ...]:
        cached = self.cached if cached is None else cached
        command = "clang" if self.compiler.family is Family.CLANG else self.compiler.command
        settings = [f"O={OBJECTS}", f"ARCH={self.arch.make}"]
        if self.compiler.family is Family.CLANG:
            settings.append("LLVM=1")
        elif not self.arch.native:
            settings.append(f"CROSS_COMPILE={self.arch.triplet}-")
        host = self.compiler.host_command(self.arch)
        if host is not None:
            settings.append(f"HOSTCC={host}")
        settings.append(f"CC=ccache {command}" if cached else f"CC={command}")
        if self._ends_at_warnings():
            settings.append("KCFLAGS=-Wno-error")
        return ("make", "-C", str(self.tree), *settings, *words)

    def _ends_at_warnings(self) -> bool:
        """Return whether the tree's Makefile takes each warning for an error, unasked."""
        try:
            makefile = (self.tree / "Makefile").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return _WARNINGS_END_IT.search(makefile) is not None

    def _llvm(self) -> dict[str, str]:
        """Return the variables that put LLVM's programs before others of the same names."""
        if self.compiler.directory is None:
            return {}
        return {"PATH": f"{self.compiler.directory}{os.pathsep}{os.environ['PATH']}"}

    def _ccache(self) -> dict[str, str]:
        return {
            "CCACHE_DIR": str(paths.cache_dir() / "ccache"),
            "CCACHE_MAXSIZE": CCACHE_MAX_SIZE,
            "CCACHE_BASEDIR": str(self.tree),
            "CCACHE_NOHASHDIR": "1",
        }

# SPDX-License-Identifier: GPL-2.0-or-later
"""How the kernel's make is called: the same words and surroundings on every machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.host import paths, tools

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = ".dynaccel-build"
"""Where the objects go. Right below the tree Kbuild names sources ``../x.c``, so that neither the
objects nor ccache's hashes depend on where the tree lies."""

CCACHE_MAX_SIZE = "4G"

_KEPT = ("PATH", "HOME", "TMPDIR")
_REPRODUCIBLE = {
    "KBUILD_BUILD_USER": "dynaccel",
    "KBUILD_BUILD_HOST": "dynaccel",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan 1 00:00:00 UTC 1970",
    "KBUILD_BUILD_VERSION": "1",
    # Set but empty: a tree in git gets no "+" behind its release.
    "LOCALVERSION": "",
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
        arch: As ``uname -m`` says it.
        compiler: The C compiler's command.
    """

    tree: Path
    arch: str
    compiler: str

    @property
    def objects(self) -> Path:
        """The directory of the objects."""
        return self.tree / OBJECTS

    @property
    def cached(self) -> bool:
        """Whether the compiler runs behind ccache."""
        return tools.find("ccache") is not None

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a call with ``words`` (targets, options)."""
        command = f"ccache {self.compiler}" if self.cached else self.compiler
        return hermetic(
            *self._words(f"CC={command}", *words),
            **_REPRODUCIBLE,
            **self._ccache() if self.cached else {},
        )

    def merge_config(self, fragment: Path) -> list[str]:
        """Return the command line that makes a ``.config`` of a fragment, all else off."""
        return hermetic(
            "sh", "scripts/kconfig/merge_config.sh", "-n", "-O", OBJECTS, str(fragment),
            **_REPRODUCIBLE, ARCH=self.arch,
        )  # fmt: skip

    def reproduce(self, target: str) -> str:
        """Return a line for a person that makes ``target`` alone, with the commands in sight."""
        return " ".join(self._words("V=1", target))

    def _words(self, *words: str) -> tuple[str, ...]:
        return ("make", "-C", str(self.tree), f"O={OBJECTS}", f"ARCH={self.arch}", *words)

    def _ccache(self) -> dict[str, str]:
        return {
            "CCACHE_DIR": str(paths.cache_dir() / "ccache"),
            "CCACHE_MAXSIZE": CCACHE_MAX_SIZE,
            "CCACHE_BASEDIR": str(self.tree),
            "CCACHE_NOHASHDIR": "1",
        }

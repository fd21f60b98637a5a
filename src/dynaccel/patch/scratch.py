# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of just the files that the patch touches, on which git works.

git never runs in the user's tree: ``git apply`` behaves differently, and may silently skip files,
when it stands in a sub-directory of somebody's repository. Here it sees a repository of its own
and none of the user's settings, so the result is the same wherever the tree lies.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynaccel.host import process
from dynaccel.patch.defer_signals import signals_deferred
from dynaccel.patch.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DIFF = (
    "git", "diff-tree", "-p", "-r", "--full-index", "--no-renames", "--no-ext-diff",
    "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-U3",
    "--diff-algorithm=histogram",
)  # fmt: skip


class Scratch:
    """A directory of scratch copies; made by :func:`scratch`.

    Args:
        root: An empty directory.
    """

    def __init__(self, root: Path) -> None:
        self._work = root / "work"
        self._git = root / "git"
        self._work.mkdir()
        self._env = _environment(self._git, self._work)
        self._run("git", "init", "-q", "--template=")
        (self._git / "info").mkdir(exist_ok=True)
        # Hunk headers then name the C function, as in the kernel's own patches.
        (self._git / "info" / "attributes").write_text("*.c diff=cpp\n*.h diff=cpp\n")

    def read(self, path: str) -> bytes | None:
        """Return the content of a copy, None when there is none."""
        try:
            return (self._work / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, files: Mapping[str, bytes | None]) -> None:
        """Set the contents of copies; None removes one."""
        for path, data in files.items():
            copy = self._work / path
            if data is None:
                copy.unlink(missing_ok=True)
            else:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)

    def apply(self, diff: bytes, *, reverse: bool = False) -> str | None:
        """Apply a diff to the copies; return git's complaint when it does not fit, else None."""
        direction = ("--reverse",) if reverse else ()
        command = ("git", "apply", "--whitespace=nowarn", *direction, "-")
        done = self._run(*command, stdin=diff, check=False)
        if done.returncode == 0:
            return None
        return done.stderr.decode(errors="replace").strip() or "git apply failed"

    def diff(self, old: Mapping[str, bytes | None], new: Mapping[str, bytes | None]) -> bytes:
        """Return the difference between two states in git's format; one order, whole hashes."""
        trees = []
        for state in (old, new):
            self.write(state)
            self._run("git", "add", "--all", "--force", ".")
            trees.append(self._run("git", "write-tree").text)
        return self._run(*_DIFF, *trees).stdout

    def _run(self, *argv: str, stdin: bytes | None = None, check: bool = True) -> process.Completed:
        # A git that outlived Ctrl-C would write into the directory while it is being removed.
        with signals_deferred():
            return process.run(argv, cwd=self._work, env=self._env, stdin=stdin, check=check)


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Yield a place for scratch copies; it is gone after the block.

    Raises:
        MissingError: git is not there.
        InfrastructureError: The temporary directory cannot be written.
    """
    with temporary_directory("dynaccel-patch-") as root:
        yield Scratch(root)


def _environment(git: Path, work: Path) -> dict[str, str]:
    """Return variables that keep every setting of the caller's away from git."""
    settings = {
        "core.autocrlf": "false",
        "core.safecrlf": "false",
        "core.attributesFile": os.devnull,
        "core.excludesFile": os.devnull,
        "core.fileMode": "false",
        # What is gone in a minute needs neither to be small nor to outlive a power cut.
        "core.looseCompression": "0",
        "core.fsync": "none",
        "apply.ignoreWhitespace": "no",
    }
    numbered = {}
    for number, (key, value) in enumerate(settings.items()):
        numbered[f"GIT_CONFIG_KEY_{number}"] = key
        numbered[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        "GIT_DIR": str(git),
        "GIT_WORK_TREE": str(work),
        "GIT_INDEX_FILE": str(git / "index"),
        "GIT_OBJECT_DIRECTORY": str(git / "objects"),
        "GIT_COMMON_DIR": str(git),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DIFF_OPTS": "",
        "GIT_PREFIX": "",
        "LC_ALL": "C",
        **numbered,
    }

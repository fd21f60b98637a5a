# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that the repository keeps about itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dynaccel.patch import series

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "kernel" / "hooks"
MAX_LINES = 500

_HIDDEN = {"__pycache__", "node_modules"}
_UNMARKED = {
    ".gitignore",
    ".patch",
    ".lock",
    ".json",
    ".svg",
    ".png",
    ".cast",
    ".log",
    ".txt",
    ".typed",
}
"""Kinds of files without an SPDX line: no room for a comment, or not written by hand. A hook's
patch is a change of Linux's own files and under their licence."""


def tracked() -> list[Path]:
    """Return the repository's files; those of git's index, in a tarball all that are there."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
        names = done.stdout.decode().rstrip("\0").split("\0")
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    tops = ("src", "tests", "kernel", "guest", "docs", "benchmarks", "scenarios", "report")
    return [
        path
        for top in tops
        for path in sorted((ROOT / top).rglob("*"))
        if path.is_file() and not _HIDDEN & set(path.parts)
    ]


def text_files() -> list[Path]:
    return [path for path in tracked() if b"\0" not in path.read_bytes()[:4096]]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wanted_licence(path: Path) -> str:
    below_kernel = path.relative_to(ROOT).parts[0] == "kernel"
    return "GPL-2.0-only" if below_kernel else "GPL-2.0-or-later"


def has_wanted_licence(path: Path) -> bool:
    with path.open(encoding="utf-8") as stream:
        head = [stream.readline() for _ in range(2)]
    # A script's first line is for the system.
    line = head[1] if head[0].startswith("#!") else head[0]
    words = re.sub(r"\*/|-->|#}", "", line).split()
    return words[-2:] == ["SPDX-License-Identifier:", wanted_licence(path)]


def test_each_source_file_names_its_licence() -> None:
    bad = [
        f"{name(path)}: {wanted_licence(path)}"
        for path in text_files()
        if path.suffix not in _UNMARKED
        and path.name not in _UNMARKED
        and path.relative_to(ROOT).parts[0] != "LICENSES"
        and not has_wanted_licence(path)
    ]
    assert bad == []


def test_no_source_file_is_long() -> None:
    made = {".lock", ".patch", ".json", ".svg", ".cast", ".log"}
    long = {
        name(path): lines
        for path in text_files()
        if path.suffix not in made
        and path.relative_to(ROOT).parts[0] != "LICENSES"
        and (lines := path.read_bytes().count(b"\n")) > MAX_LINES
    }
    assert long == {}


def test_the_table_of_hooks_and_its_patches_belong_together() -> None:
    table = series.load(HOOKS)
    assert series.unnamed_patches(HOOKS, table) == []
    assert series.served(table) != []


def test_hooks_and_core_do_not_share_files() -> None:
    core = {str(path.relative_to(ROOT / "kernel/core")) for path in (ROOT / "kernel").rglob("*")
            if path.is_relative_to(ROOT / "kernel/core")}  # fmt: skip
    table = series.load(HOOKS)
    hooked = {
        diff.path
        for span in series.served(table)
        if span.first is not None
        for hook in series.select(table, HOOKS, span.first)
        for diff in hook.files
    }
    assert hooked
    assert hooked & core == set()


def test_core_files_can_be_told_as_ours() -> None:
    core = [path for path in (ROOT / "kernel/core").rglob("*") if path.is_file()]
    assert core
    assert [name(path) for path in core if b"dynaccel" not in path.read_bytes().lower()] == []


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--check", "--no-cache", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=" ".join,
)
def test_linters_are_content(command: tuple[str, ...]) -> None:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=places)
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

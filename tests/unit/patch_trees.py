# SPDX-License-Identifier: GPL-2.0-or-later
"""Small stand-ins for a kernel tree and for dynaccel's own ``kernel/`` directory."""

from __future__ import annotations

import difflib
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CLOCK = "kernel/time/clock.c"
TICK = "kernel/time/tick.c"
KBUILD = "kernel/time/Makefile"
HEADER = "include/linux/dynaccel.h"
SOURCE = "kernel/time/dynaccel.c"

CORE = {
    HEADER: "/* SPDX */\n#define DYNACCEL 1\n",
    SOURCE: "// SPDX\n#include <linux/dynaccel.h>\n",
}


def _function(name: str) -> list[str]:
    body = [f"\t{name}_step_{number}(device, {number});" for number in range(12)]
    return [f"int {name}(struct device *device)", "{", *body, "\treturn 0;", "}", ""]


CLOCK_TEXT = "\n".join(["#include <linux/device.h>", "", *_function("read"), *_function("program")])
TICK_TEXT = "\n".join(["#include <linux/tick.h>", "", *_function("tick"), *_function("idle")])
KBUILD_TEXT = "obj-y += clock.o\nobj-y += tick.o\n"

# The second change lies within the first one's context, as with two hooks at one place.
_CLOCK_1 = CLOCK_TEXT.replace("program_step_5(device, 5)", "program_step_5(device, dynaccel(5))")
_CLOCK_2 = _CLOCK_1.replace("program_step_6(device, 6)", "program_step_6(device, dynaccel(6))")
_TICK_1 = TICK_TEXT.replace("tick_step_1(", "dynaccel_tick_step_1(")
_KBUILD_1 = KBUILD_TEXT + "obj-y += dynaccel.o\n"

FILES = {CLOCK: CLOCK_TEXT, TICK: TICK_TEXT, KBUILD: KBUILD_TEXT}
PATCHED = {CLOCK: _CLOCK_2, TICK: _TICK_1, KBUILD: _KBUILD_1}

SERIES = """
[[hook]]
name = "events"
about = "events are programmed in real time"
  [[hook.variant]]
  patch = "events.patch"
  from = "6.0"
  to = "6.2"

[[hook]]
name = "minimum"
about = "so is the shortest one"
  [[hook.variant]]
  patch = "minimum.patch"

[[hook]]
name = "tick"
about = "the tick is real"
  [[hook.variant]]
  patch = "tick-old.patch"
  to = "5.0"
  [[hook.variant]]
  patch = "tick.patch"
  from = "5.0"
  to = "7.0"
  because = "0123456789ab (tick: move it)"
"""


def file_diff(path: str, old: str, new: str) -> str:
    """Return a unified diff as a hook's author would file it."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return f"diff --git a/{path} b/{path}\n" + "".join(lines)


def write(top: Path, files: Mapping[str, str]) -> None:
    """Write text files below ``top``."""
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(text.encode())


def make_tree(top: Path, version: str = "6.1.7") -> Path:
    """Make a small tree that looks like Linux; return its top."""
    major, minor, patch = version.split(".")
    makefile = f"VERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = {patch}\n"
    write(top, {"Makefile": makefile, "include/linux/tick.h": "\n", **FILES})
    return top


def make_kernel_dir(top: Path, core: Mapping[str, str] = CORE) -> Path:
    """Make a directory with a core and three hooks, two of them at one place; return it."""
    write(top / "core", core)
    tick = file_diff(TICK, TICK_TEXT, _TICK_1) + file_diff(KBUILD, KBUILD_TEXT, _KBUILD_1)
    hooks = {
        "series.toml": SERIES,
        "events.patch": "Why it is there.\n\n" + file_diff(CLOCK, CLOCK_TEXT, _CLOCK_1),
        "minimum.patch": file_diff(CLOCK, _CLOCK_1, _CLOCK_2),
        "tick.patch": tick,
        "tick-old.patch": tick,
    }
    write(top / "hooks", hooks)
    return top


def snapshot(tree: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, mode and time stamp of all files but git's own."""
    return {
        str(path.relative_to(tree)): (
            path.read_bytes(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in tree.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(tree).parts
    }


def contents(tree: Path) -> dict[str, bytes]:
    """Return the contents of all files but git's own."""
    return {path: data for path, (data, _, _) in snapshot(tree).items()}


def git(cwd: Path, *words: str) -> None:
    """Run git as a user would, without this machine's settings."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("GIT_")
    } | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip
    subprocess.run(["git", *words], cwd=cwd, env=environment, check=True, capture_output=True)

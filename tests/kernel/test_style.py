# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel code as the kernel's own checkpatch sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel.host import paths, process

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import PatchedTree

pytestmark = pytest.mark.kernel

IGNORED = (
    # One core serves many versions of Linux: in the compat headers, and nowhere else (see below).
    "LINUX_VERSION_CODE",
    "CONSTANT_COMPARISON",  # checkpatch takes LINUX_VERSION_CODE for the constant
    "EMBEDDED_FILENAME",  # kernel/time/Kconfig has to name the file beside it that it sources
    "FILE_PATH_CHANGES",  # MAINTAINERS is not ours to change
    "MACRO_ARG_REUSE",  # what declares something with an initializer names it twice
)


def checkpatch(tree: Path, *arguments: str | Path) -> str:
    argv: list[str | Path] = ["perl", tree / "scripts/checkpatch.pl", "--strict", "--terse"]
    argv += ["--no-summary", "--no-signoff", f"--ignore={','.join(IGNORED)}"]
    return process.run([*argv, *arguments], cwd=tree, check=False).text


def test_the_whole_patch_passes(patched: PatchedTree, tmp_path: Path) -> None:
    file = tmp_path / "dynaccel.patch"
    file.write_bytes(patched.diff)
    assert checkpatch(patched.top, file) == ""


def test_checkpatch_is_awake(patched: PatchedTree, tmp_path: Path) -> None:
    bad = tmp_path / "bad.c"
    bad.write_text("int main(void){return 0;}\n")
    assert checkpatch(patched.top, "--file", bad) != ""


def test_only_compat_headers_ask_for_the_version() -> None:
    core = paths.data_dir("kernel") / "core"
    files = (path for path in core.rglob("*") if path.is_file())
    asking = {path.name for path in files if "LINUX_VERSION_CODE" in path.read_text()}
    assert asking == {"dynaccel_compat.h", "dynaccel_compat_internal.h"}

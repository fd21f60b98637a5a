# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel code as the kernel's own checkpatch sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel.host import paths, process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

KERNEL = paths.data_dir("kernel")
CORE = sorted(
    str(path.relative_to(KERNEL / "core"))
    for path in (KERNEL / "core").rglob("*")
    if path.suffix in {".c", ".h"}
)
HOOKS = sorted(path.name for path in (KERNEL / "hooks").glob("*.patch"))


def checkpatch(tree: Path, *arguments: str | Path) -> str:
    argv: list[str | Path] = [
        "perl",
        tree / "scripts/checkpatch.pl",
        "--strict",
        "--terse",
        "--no-summary",
    ]
    return process.run([*argv, *arguments], cwd=tree, check=False).text


@pytest.mark.parametrize("name", CORE)
def test_core_file_passes_checkpatch(patched_tree: Path, name: str) -> None:
    assert checkpatch(patched_tree, "--file", name) == ""


@pytest.mark.parametrize("name", HOOKS)
def test_hook_passes_checkpatch(patched_tree: Path, name: str) -> None:
    # A hook is a bare diff: no author signs it, and kernel/time/Kconfig has to name the file
    # that it sources, which lies beside it.
    ignored = "--ignore=EMBEDDED_FILENAME,COMMIT_MESSAGE"
    assert checkpatch(patched_tree, "--no-signoff", ignored, KERNEL / "hooks" / name) == ""


def test_checkpatch_is_awake(patched_tree: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.c"
    bad.write_text("int main(void){return 0;}\n")
    assert checkpatch(patched_tree, "--file", bad) != ""

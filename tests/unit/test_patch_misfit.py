# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees that the patch does not fit: refused whole, with everything that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import patch_trees as trees
import pytest

from dynaccel.core.errors import TreeMismatchError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.patch import HookState, PatchRequest, apply, plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kernel_dir(tmp_path: Path) -> Path:
    return trees.make_kernel_dir(tmp_path / "data")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.make_tree(tmp_path / "linux")


def refusal(tree: Path, kernel_dir: Path) -> TreeMismatchError:
    before = trees.snapshot(tree)
    with pytest.raises(TreeMismatchError) as caught:
        apply(PatchRequest(tree=tree, kernel_dir=kernel_dir), reporter=NullReporter())
    assert trees.snapshot(tree) == before
    assert caught.value.exit_status == 2
    return caught.value


def change(tree: Path, path: str, old: str, new: str) -> None:
    text = (tree / path).read_text()
    assert old in text
    (tree / path).write_text(text.replace(old, new))


def test_all_hooks_without_a_place_are_told_at_once(tree: Path, kernel_dir: Path) -> None:
    change(tree, trees.CLOCK, "program_step_5(device, 5)", "program_step_five(device, 5UL)")
    (tree / trees.KBUILD).unlink()
    error = refusal(tree, kernel_dir)
    assert "3 of 3 hooks find no place; nothing was written" in error.message
    detail = str(error.detail)
    assert f"hook events: {trees.CLOCK}: hunk 1 of events.patch finds no place" in detail
    assert f"hook minimum: {trees.CLOCK}" in detail
    assert f"hook tick: {trees.KBUILD}: the tree has no such file" in detail
    assert f"hook tick: {trees.TICK}" not in detail
    assert "source" in str(error.hint)


def test_the_nearest_text_is_shown_with_its_line(tree: Path, kernel_dir: Path) -> None:
    change(tree, trees.CLOCK, "#include", "/* a line\n * more\n */\n#include")
    change(tree, trees.CLOCK, "program_step_5(device, 5)", "program_step_five(device, 5UL)")
    at = (tree / trees.CLOCK).read_text().split("\n").index("\tprogram_step_five(device, 5UL);") + 1
    found = plan(tree, kernel_dir=kernel_dir)
    misfit = found.misfits[0]
    assert "\tprogram_step_5(device, 5);" in misfit.expected
    assert misfit.nearest_line is not None
    assert misfit.nearest[at - misfit.nearest_line] == "\tprogram_step_five(device, 5UL);"
    detail = str(refusal(tree, kernel_dir).detail)
    assert "        - \tprogram_step_5(device, 5);\n" in detail
    assert f"  {at:5} + \tprogram_step_five(device, 5UL);\n" in detail
    assert [hook.state for hook in found.hooks] == [
        HookState.MISFIT, HookState.MISFIT, HookState.APPLIES,
    ]  # fmt: skip


def test_a_file_with_nothing_alike_says_so(tree: Path, kernel_dir: Path) -> None:
    (tree / trees.CLOCK).write_text("zzz\n" * 5)
    assert "nothing in the file is like it" in str(refusal(tree, kernel_dir).detail)
    (tree / trees.CLOCK).write_text("")
    assert "nothing in the file is like it" in str(refusal(tree, kernel_dir).detail)


def test_text_that_is_no_utf_8_can_be_shown(tree: Path, kernel_dir: Path) -> None:
    data = (tree / trees.CLOCK).read_bytes()
    (tree / trees.CLOCK).write_bytes(data.replace(b"program_step_5(device, 5)", b"\xe9\xff"))
    assert "\ufffd" in str(refusal(tree, kernel_dir).detail).encode().decode()


def test_crlf_is_named(tree: Path, kernel_dir: Path) -> None:
    data = (tree / trees.CLOCK).read_bytes()
    (tree / trees.CLOCK).write_bytes(data.replace(b"\n", b"\r\n"))
    error = refusal(tree, kernel_dir)
    assert "CRLF" in str(error.detail)
    assert "autocrlf false" in str(error.hint)


def test_another_versions_patch_is_blamed(tree: Path, kernel_dir: Path) -> None:
    apply(PatchRequest(tree=tree, kernel_dir=kernel_dir), reporter=NullReporter())
    change(tree, trees.CLOCK, "dynaccel(5)", "dynaccel_of_yore(5)")
    error = refusal(tree, kernel_dir)
    assert "start from a clean tree" in str(error.hint)
    assert "hook events" in str(error.detail)
    assert "hook tick" not in str(error.detail)


def test_links_are_refused(tree: Path, kernel_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.c"
    (tree / trees.CLOCK).rename(outside)
    (tree / trees.CLOCK).symlink_to(outside)
    (tree / trees.TICK).rename(tree / "tick.c")
    (tree / trees.TICK).symlink_to(tree / "tick.c")
    detail = str(refusal(tree, kernel_dir).detail)
    assert f"{trees.CLOCK} is a symbolic link to {outside}, outside the tree" in detail
    assert f"{trees.TICK} is a symbolic link to {tree / 'tick.c'}, within the tree" in detail
    assert outside.read_text() == trees.CLOCK_TEXT


def test_a_linked_directory_is_refused(tree: Path, kernel_dir: Path, tmp_path: Path) -> None:
    (tree / "include").rename(tmp_path / "include")
    (tree / "include").symlink_to(tmp_path / "include")
    assert "include is a symbolic link" in str(refusal(tree, kernel_dir).detail)
    assert not (tmp_path / "include/linux/dynaccel.h").exists()


def test_a_tree_named_by_a_link_is_fine(tree: Path, kernel_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    request = PatchRequest(tree=tmp_path / "link", kernel_dir=kernel_dir)
    assert apply(request, reporter=NullReporter()).plan.tree == tree


def test_a_directory_in_a_files_place_is_refused(tree: Path, kernel_dir: Path) -> None:
    (tree / trees.HEADER).mkdir()
    assert "not a regular file" in str(refusal(tree, kernel_dir).detail)


def test_a_file_in_a_directorys_place_is_refused(tree: Path, kernel_dir: Path) -> None:
    (tree / "include/linux/tick.h").unlink()
    (tree / "include/linux").rmdir()
    (tree / "include/linux").write_text("")
    assert "cannot be read: Not a directory" in str(refusal(tree, kernel_dir).detail)


@pytest.mark.parametrize(("version", "hooks"), [("5.9.9", "events"), ("7.0.0", "events, tick")])
def test_a_version_that_is_not_served_is_refused(
    version: str, hooks: str, tmp_path: Path, kernel_dir: Path
) -> None:
    error = refusal(trees.make_tree(tmp_path / "linux", version), kernel_dir)
    assert f"Linux {version} is not supported" in error.message
    assert f" {hooks} serves it" in error.message
    assert "versions that are served: [6.0.0, 6.2.0)" in error.message


def test_what_is_no_kernel_tree_is_refused(tmp_path: Path, kernel_dir: Path) -> None:
    with pytest.raises(UserError, match="not a kernel source tree"):
        plan(tmp_path, kernel_dir=kernel_dir)
    with pytest.raises(UserError, match="not a kernel source tree"):
        plan(tmp_path / "nowhere", kernel_dir=kernel_dir)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Patching a tree: plan, apply, second run, surroundings, failures on the way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import patch_trees as trees
import pytest

from dynaccel.core.errors import InfrastructureError, TreeMismatchError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.patch import (
    FileState,
    HookState,
    PatchRequest,
    PatchResult,
    apply,
    full_diff,
    plan,
    review_patch,
    write_patch_file,
)


@pytest.fixture
def kernel_dir(tmp_path: Path) -> Path:
    return trees.make_kernel_dir(tmp_path / "data")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.make_tree(tmp_path / "linux")


def run(tree: Path, kernel_dir: Path) -> PatchResult:
    return apply(PatchRequest(tree=tree, kernel_dir=kernel_dir), reporter=NullReporter())


def expected(tree: Path) -> dict[str, bytes]:
    new = {**trees.PATCHED, **trees.CORE}
    return {**trees.contents(tree), **{path: text.encode() for path, text in new.items()}}


def test_plan_reads_and_changes_nothing(tree: Path, kernel_dir: Path) -> None:
    before = trees.snapshot(tree)
    found = plan(tree, kernel_dir=kernel_dir)
    assert [hook.state for hook in found.hooks] == [HookState.APPLIES] * 3
    assert {file.path: file.state for file in found.files} == {
        trees.HEADER: FileState.ADD,
        trees.SOURCE: FileState.ADD,
        trees.CLOCK: FileState.CHANGE,
        trees.TICK: FileState.CHANGE,
        trees.KBUILD: FileState.CHANGE,
    }
    assert found.misfits == ()
    assert trees.snapshot(tree) == before


def _plain(top: Path) -> Path:
    return trees.make_tree(top / "linux")


def _inside_a_repository(top: Path) -> Path:
    trees.git(top, "init", "-q")
    return trees.make_tree(top / "vendor" / "linux")


def _repository(top: Path) -> Path:
    tree = trees.make_tree(top / "linux")
    trees.git(tree, "init", "-q")
    trees.git(tree, "add", ".")
    trees.git(tree, "commit", "-q", "-m", "Linux")
    return tree


def _worktree(top: Path) -> Path:
    trees.git(_repository(top), "worktree", "add", "-q", "--detach", str(top / "other"))
    return top / "other"


@pytest.mark.parametrize("make", [_plain, _inside_a_repository, _repository, _worktree])
@pytest.mark.parametrize("inside", [False, True])
def test_the_surroundings_do_not_matter(
    make: object,
    inside: bool,
    tmp_path: Path,
    kernel_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert callable(make)
    tree: Path = make(tmp_path)
    wanted = expected(tree)
    monkeypatch.chdir(tree / "kernel" if inside else tmp_path)
    result = run(Path("..") if inside else tree, kernel_dir)
    assert trees.contents(tree) == wanted
    assert set(result.written) == {*trees.PATCHED, *trees.CORE}


def test_settings_of_the_caller_do_not_matter(
    tree: Path, kernel_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clean = full_diff(plan(tree, kernel_dir=kernel_dir))
    config = tmp_path / "gitconfig"
    config.write_text(
        "[core]\n\tautocrlf = true\n\tabbrev = 5\n[diff]\n\tnoprefix = true\n\tcontext = 9\n"
        "[color]\n\tui = always\n[apply]\n\twhitespace = error-all\n"
    )
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_DIR": str(tmp_path / "nowhere"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_DIFF_OPTS": "-u9",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_DEFAULT_HASH": "sha256",
    }.items():
        monkeypatch.setenv(name, value)
    wanted = expected(tree)
    assert run(tree, kernel_dir).diff == clean
    assert trees.contents(tree) == wanted
    assert not (tmp_path / "index").exists()


def test_a_second_run_is_recognised_and_touches_nothing(tree: Path, kernel_dir: Path) -> None:
    first = run(tree, kernel_dir)
    before = trees.snapshot(tree)
    second = run(tree, kernel_dir)
    assert {hook.state for hook in second.plan.hooks} == {HookState.APPLIED}
    assert second.plan.changes == ()
    assert second.written == ()
    assert trees.snapshot(tree) == before
    assert second.diff == first.diff


def test_a_patched_tree_with_changes_elsewhere_stays(tree: Path, kernel_dir: Path) -> None:
    run(tree, kernel_dir)
    clock = tree / trees.CLOCK
    clock.write_text("/* mine */\n\n" + clock.read_text())
    before = trees.snapshot(tree)
    assert run(tree, kernel_dir).written == ()
    assert trees.snapshot(tree) == before


def test_an_older_core_is_updated(tree: Path, kernel_dir: Path, tmp_path: Path) -> None:
    old = trees.make_kernel_dir(
        tmp_path / "old", {trees.HEADER: "/* dynaccel of yore */\n", trees.SOURCE: "// Dynaccel\n"}
    )
    run(tree, old)
    result = run(tree, kernel_dir)
    assert set(result.written) == set(trees.CORE)
    assert {file.state for file in result.plan.core} == {FileState.UPDATE}
    assert trees.contents(tree) == expected(tree)


def test_a_file_of_somebody_else_is_not_replaced(tree: Path, kernel_dir: Path) -> None:
    trees.write(tree, {trees.HEADER: "/* a vendor's */\n"})
    before = trees.snapshot(tree)
    with pytest.raises(TreeMismatchError, match="1 new file cannot be put in") as caught:
        run(tree, kernel_dir)
    assert f"{trees.HEADER}: the tree has a file of its own" in str(caught.value.detail)
    assert trees.snapshot(tree) == before


@pytest.mark.parametrize("done", range(6))
def test_a_patching_that_was_killed_is_completed(
    done: int, tree: Path, kernel_dir: Path, tmp_path: Path
) -> None:
    other = trees.make_tree(tmp_path / "other")
    paths = run(other, kernel_dir).written
    for path in paths[:done]:  # renames are atomic, so a kill leaves some files new, others old
        trees.write(tree, {path: (other / path).read_text()})
    assert run(tree, kernel_dir).written == paths[done:]
    assert trees.contents(tree) == trees.contents(other)


def test_modes_stay_and_new_files_are_plain(tree: Path, kernel_dir: Path) -> None:
    (tree / trees.CLOCK).chmod(0o751)
    run(tree, kernel_dir)
    assert (tree / trees.CLOCK).stat().st_mode & 0o777 == 0o751
    assert (tree / trees.HEADER).stat().st_mode & 0o777 == 0o644


def test_hard_links_to_another_tree_are_cut(tree: Path, kernel_dir: Path, tmp_path: Path) -> None:
    twin = tmp_path / "clock.c"
    twin.hardlink_to(tree / trees.CLOCK)
    run(tree, kernel_dir)
    assert twin.read_text() == trees.CLOCK_TEXT


@pytest.mark.parametrize("command", [("git", "apply"), ("patch", "-s", "-p1", "-i")])
def test_the_written_patch_does_what_apply_does(
    command: tuple[str, ...], tree: Path, kernel_dir: Path, tmp_path: Path
) -> None:
    found = plan(tree, kernel_dir=kernel_dir)
    file = tmp_path / "new" / "dynaccel.patch"
    write_patch_file(file, review_patch(found, full_diff(found)))
    copy = trees.make_tree(tmp_path / "copy")
    subprocess.run([*command, str(file)], cwd=copy, check=True)
    run(tree, kernel_dir)
    assert trees.contents(copy) == trees.contents(tree)
    header = file.read_text().partition("diff --git")[0]
    assert "Linux 6.1.7" in header
    assert all(hook.name in header and hook.about in header for hook in found.hooks)
    again = plan(tree, kernel_dir=kernel_dir)
    assert review_patch(again, full_diff(again)) == file.read_bytes()


@pytest.mark.parametrize("failing", range(5))
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), OSError(28, "full")])
def test_an_end_in_the_midst_leaves_the_tree_untouched(
    failing: int,
    error: BaseException,
    tree: Path,
    kernel_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = trees.snapshot(tree)
    directories = {path for path in tree.rglob("*") if path.is_dir()}
    real, calls = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing + 1:
            raise error
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    kind = InfrastructureError if isinstance(error, OSError) else type(error)
    with pytest.raises(kind):
        run(tree, kernel_dir)
    assert trees.snapshot(tree) == before
    assert {path for path in tree.rglob("*") if path.is_dir()} == directories


def test_a_full_disk_before_the_renames_leaves_the_tree_untouched(
    tree: Path, kernel_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trees.snapshot(tree)

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(InfrastructureError, match="No space left on device; nothing was changed"):
        run(tree, kernel_dir)
    assert trees.snapshot(tree) == before


def test_an_unwritable_tree_is_refused(
    tree: Path, kernel_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trees.snapshot(tree)
    # The user who runs the tests may be root, to whom every directory is writable.
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "time")
    with pytest.raises(UserError, match=r"no permission to write in .*/kernel/time") as caught:
        run(tree, kernel_dir)
    assert "-o FILE.patch" in str(caught.value.hint)
    assert trees.snapshot(tree) == before


def test_missing_directories_of_core_files_are_made(tree: Path, tmp_path: Path) -> None:
    core = {**trees.CORE, "drivers/new/deep/dynaccel.c": "// dynaccel\n"}
    run(tree, trees.make_kernel_dir(tmp_path / "data", core))
    assert (tree / "drivers/new/deep/dynaccel.c").read_text() == "// dynaccel\n"


def test_a_patch_file_is_not_written_over_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory"):
        write_patch_file(tmp_path, b"")
    with pytest.raises(InfrastructureError, match="cannot write"):
        write_patch_file(Path("/proc/dynaccel.patch"), b"")


def test_a_pipe_is_written_straight(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        write_patch_file(pipe, b"text")
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_hook_that_is_left_out_changes_nothing(tree: Path, kernel_dir: Path) -> None:
    before = trees.contents(tree)
    request = PatchRequest(tree=tree, kernel_dir=kernel_dir, without=("tick",))
    result = apply(request, reporter=NullReporter())
    assert [hook.name for hook in result.plan.hooks] == ["events", "minimum"]
    after = trees.contents(tree)
    assert {path: after[path] for path in (trees.TICK, trees.KBUILD)} == {
        path: before[path] for path in (trees.TICK, trees.KBUILD)
    }
    assert after[trees.CLOCK] == trees.PATCHED[trees.CLOCK].encode()
    assert after[trees.SOURCE] == trees.CORE[trees.SOURCE].encode()


def test_hooks_cannot_be_left_out_of_a_patched_tree(tree: Path, kernel_dir: Path) -> None:
    run(tree, kernel_dir)
    with pytest.raises(TreeMismatchError, match="clean tree"):
        plan(tree, kernel_dir=kernel_dir, without=("tick",))


def test_a_hook_to_leave_out_that_is_not_there_is_told(tree: Path, kernel_dir: Path) -> None:
    with pytest.raises(UserError, match="no hook tock") as caught:
        plan(tree, kernel_dir=kernel_dir, without=("tick", "tock"))
    assert caught.value.hint == "hooks: events, minimum, tick"

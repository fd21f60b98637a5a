# SPDX-License-Identifier: GPL-2.0-or-later
"""Vendors' trees: hooks are merged where one place only can be meant, and come out again."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import patch_trees as trees
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dynaccel.core.errors import TreeMismatchError
from dynaccel.core.events import NullReporter
from dynaccel.patch import HookState, PatchRequest, apply, full_diff, plan, review_patch
from dynaccel.patch.merge_hunks import merge
from dynaccel.patch.parse_diff import parse_diff

FILE = "kernel/time/vendor.c"
_FUNCTIONS = ("begin", "middle", "end")
_LENGTH = 14


def function(name: str) -> list[str]:
    """A function in which lines 3 and 10 are those of all others."""
    body = [f"\t{name}_step({number});" for number in range(_LENGTH)]
    body[3] = body[10] = "\tcommon_step(1);"
    return [f"static int {name}(struct device *device)", "{", *body, "\treturn 0;", "}", ""]


BASE = ["#include <linux/device.h>", "", *(line for name in _FUNCTIONS for line in function(name))]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def git_diff(old: str, new: str, path: str = FILE) -> str:
    """Return a diff with the names of functions in its headers, as the kernel's tree has them."""
    with tempfile.TemporaryDirectory() as name:
        trees.write(Path(name), {f"a/{path}": old, f"b/{path}": new, ".gitattributes": ""})
        trees.git(Path(name), "init", "-q")
        (Path(name) / ".git/info").mkdir(exist_ok=True)
        (Path(name) / ".git/info/attributes").write_text("*.c diff=cpp\n")
        done = subprocess.run(
            ["git", "diff", "--no-index", "--no-prefix", f"a/{path}", f"b/{path}"],
            cwd=name, capture_output=True, text=True, check=False,
        )  # fmt: skip
    return done.stdout


def kernel_dir(top: Path, steps: list[str]) -> Path:
    """Make a directory with a hook for each step from one text of the file to the next."""
    series = ""
    patches = {}
    for number in range(len(steps) - 1):
        patches[f"{number}.patch"] = git_diff(steps[number], steps[number + 1])
        series += f'[[hook]]\nname = "h{number}"\nabout = "x"\n'
        series += f'[[hook.variant]]\npatch = "{number}.patch"\n'
    trees.write(top / "hooks", {**patches, "series.toml": series})
    trees.write(top / "core", {"kernel/dynaccel.c": "/* dynaccel */\n"})
    return top


def changed(old: str, new: str, lines: list[str] = BASE) -> list[str]:
    assert lines.count(old) == 1
    return [new if line == old else line for line in lines]


HOOKED = changed("\tmiddle_step(6);", "\tdynaccel_step(6);")


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    return kernel_dir(tmp_path / "data", [text(BASE), text(HOOKED)])


def vendor(tmp_path: Path, lines: list[str]) -> Path:
    tree = trees.make_tree(tmp_path / "linux")
    trees.write(tree, {FILE: text(lines)})
    return tree


def run(tree: Path, hooks: Path) -> None:
    apply(PatchRequest(tree=tree, kernel_dir=hooks), reporter=NullReporter())


def test_a_change_two_lines_away_is_merged_and_told(tmp_path: Path, hooks: Path) -> None:
    tree = vendor(tmp_path, changed("\tmiddle_step(4);", "\tvendor_step(4);"))
    found = plan(tree, kernel_dir=hooks)
    assert [hook.state for hook in found.hooks] == [HookState.MERGES]
    (place,) = found.merged
    at = BASE.index("\tmiddle_step(6);") + 1
    assert (place.hook, place.path, place.line, place.context) == ("h0", FILE, at, 4)
    assert f"{FILE}: line {at}" in review_patch(found, full_diff(found)).decode()
    run(tree, hooks)
    assert (tree / FILE).read_text() == text(
        changed("\tmiddle_step(4);", "\tvendor_step(4);", HOOKED)
    )


def test_a_merged_tree_is_recognised(tmp_path: Path, hooks: Path) -> None:
    tree = vendor(tmp_path, changed("\tmiddle_step(4);", "\tvendor_step(4);"))
    clean = plan(tree, kernel_dir=hooks)
    run(tree, hooks)
    before = trees.snapshot(tree)
    again = plan(tree, kernel_dir=hooks)
    assert [hook.state for hook in again.hooks] == [HookState.APPLIED]
    assert again.merged == clean.merged
    assert again.changes == ()
    run(tree, hooks)
    assert trees.snapshot(tree) == before


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(changed("\tmiddle_step(5);", "\tvendor_step(5);"), id="right before it"),
        pytest.param(changed("\tmiddle_step(7);", "\tvendor_step(7);"), id="right after it"),
        pytest.param(changed("\tmiddle_step(6);", "\tmiddle_step(60);"), id="the line itself"),
        pytest.param(
            [line.replace("int middle(", "int centre(") for line in BASE if "_step(4)" not in line],
            id="another function",
        ),
    ],
)
def test_a_conflict_is_refused_whole(lines: list[str], tmp_path: Path, hooks: Path) -> None:
    tree = vendor(tmp_path, lines)
    before = trees.snapshot(tree)
    with pytest.raises(TreeMismatchError) as caught:
        run(tree, hooks)
    assert trees.snapshot(tree) == before
    assert f"hook h0: {FILE}: hunk 1 of 0.patch finds no place" in str(caught.value.detail)
    assert "dynaccel kernel port" in str(caught.value.hint)


def test_a_place_that_is_there_twice_is_refused(tmp_path: Path, hooks: Path) -> None:
    at = BASE.index("\tmiddle_step(6);")
    lines = changed("\tmiddle_step(4);", "\tvendor_step(4);")
    twice = [*lines[: at + 2], *lines[at - 1 : at + 2], *lines[at + 2 :]]
    tree = vendor(tmp_path, twice)
    with pytest.raises(TreeMismatchError) as caught:
        run(tree, hooks)
    meant = f"its change could be meant for line {at + 1} or {at + 4}"
    assert meant in str(caught.value.detail)


def test_the_same_lines_in_another_function_are_no_place(tmp_path: Path) -> None:
    data = kernel_dir(
        tmp_path / "data", [text(BASE), text(_at("middle", 3, "\tdynaccel_common(1);"))]
    )
    # The lines are gone where they are meant, and are there where they are not.
    at = BASE.index("\tmiddle_step(2);")
    lines = [*BASE[: at + 1], *BASE[at + 2 :]]
    assert "\tcommon_step(1);" in lines
    with pytest.raises(TreeMismatchError):
        run(vendor(tmp_path, lines), data)


def _at(name: str, number: int, new: str) -> list[str]:
    at = BASE.index(f"static int {name}(struct device *device)") + 2 + number
    return [*BASE[:at], new, *BASE[at + 1 :]]


def test_a_file_with_dynaccel_of_another_kind_is_not_merged_into(
    tmp_path: Path, hooks: Path
) -> None:
    lines = changed("\tmiddle_step(4);", "\tdynaccel_of_yore(4);")
    with pytest.raises(TreeMismatchError):
        run(vendor(tmp_path, lines), hooks)


def test_a_file_without_a_last_line_end_is_not_merged_into() -> None:
    (diff,) = parse_diff(git_diff(text(BASE), text(HOOKED)).encode())
    lines = changed("\tmiddle_step(4);", "\tvendor_step(4);")
    assert merge(diff, text(lines).encode()).content is not None
    assert merge(diff, text(lines).encode().rstrip()).content is None


@st.composite
def edits(draw: st.DrawFn, word: str, lines: list[str]) -> list[str]:
    """Replace, insert and take out some lines of functions' bodies."""
    result = list(lines)
    for number in range(draw(st.integers(1, 3))):
        places = [at for at, line in enumerate(result) if line.startswith("\t")]
        at = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(("replace", "insert", "delete")))
        if kind == "delete" and word == "vendor":
            del result[at]
        else:
            result[at : at + (kind == "replace")] = [f"\t{word}_step({number}, {at});"]
    return result


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_merged_is_what_git_merges_and_comes_out_again(data: st.DataObject) -> None:
    steps = [BASE]
    for _ in range(data.draw(st.integers(1, 2))):
        steps.append(data.draw(edits("dynaccel", steps[-1])))
        assume(steps[-1] != steps[-2])
    theirs = data.draw(edits("vendor", BASE))
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        hooks = kernel_dir(top / "data", [text(step) for step in steps])
        tree = vendor(top, theirs)
        before = trees.snapshot(tree)
        try:
            run(tree, hooks)
        except TreeMismatchError:
            assert trees.snapshot(tree) == before
            return
        again = plan(tree, kernel_dir=hooks)
        assert {hook.state for hook in again.hooks} == {HookState.APPLIED}
        assert again.changes == ()
        assert [file.pristine for file in again.hooked] == [text(theirs).encode()]
        states = {"base": BASE, "hooked": steps[-1]}
        trees.write(top, {key: text(lines) for key, lines in states.items()})
        trees.write(top, {"theirs": text(theirs)})
        done = subprocess.run(
            ["git", "merge-file", "-p", "hooked", "base", "theirs"],
            cwd=top, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            assert (tree / FILE).read_text() == done.stdout

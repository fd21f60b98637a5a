# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of hooks and the patches beside it."""

from __future__ import annotations

from difflib import unified_diff
from itertools import pairwise
from typing import TYPE_CHECKING

import patch_trees as trees
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaccel.core.errors import InfrastructureError, TreeMismatchError, UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.patch.parse_diff import parse_diff
from dynaccel.patch.series import Hook, Series, Variant, load, select, served, unnamed_patches

if TYPE_CHECKING:
    from pathlib import Path

BELOW = " below series.toml's directory"
PATCH = trees.file_diff(trees.CLOCK, trees.CLOCK_TEXT, trees.PATCHED[trees.CLOCK])


def mistakes(directory: Path, text: str) -> list[str]:
    trees.write(directory, {"series.toml": text, "good.patch": PATCH})
    with pytest.raises(UserError) as caught:
        load(directory)
    assert str(directory / "series.toml") in caught.value.message
    return str(caught.value.detail).splitlines()


def test_each_version_gets_its_variant(tmp_path: Path) -> None:
    hooks = trees.make_kernel_dir(tmp_path) / "hooks"
    series = load(hooks)
    chosen = select(series, hooks, KernelVersion(6, 1, 192))
    assert [(hook.name, hook.patch) for hook in chosen] == [
        ("events", "events.patch"), ("minimum", "minimum.patch"), ("tick", "tick.patch"),
    ]  # fmt: skip
    assert [diff.path for diff in chosen[2].files] == [trees.TICK, trees.KBUILD]
    assert series.hooks[2].variants[1].because == "0123456789ab (tick: move it)"


def test_all_mistakes_come_at_once_with_their_places(tmp_path: Path) -> None:
    text = """
colour = "red"
[[hook]]
name = "first"
about = "two\\nlines"
  [[hook.variant]]
  patch = "/x.patch"
  from = "six"
  [[hook.variant]]
  patch = "good.patch"
  to = 7.0
  until = "8.0"
[[hook]]
about = "no name, no variant"
"""
    assert mistakes(tmp_path, text) == [
        "hook 'first', about: one line of text is wanted",
        "hook 'first', variant 1, patch: '/x.patch' is not the name of a .patch file" + BELOW,
        "hook 'first', variant 1, from: 'six' is not a version in quotes, such as \"6.1\"",
        "hook 'first', variant 2, to: 7.0 is not a version in quotes, such as \"6.1\"",
        "hook 'first', variant 2, until: Unexpected keyword argument",
        "hook 2, name: Field required",
        "hook 2, variant: Field required",
        "colour: Unexpected keyword argument",
    ]


def test_contradictions_come_at_once(tmp_path: Path) -> None:
    hook = '[[hook]]\nname = "{}"\nabout = "x"\n'
    variant = '[[hook.variant]]\npatch = "{}"\nfrom = "{}"\nto = "{}"\n'
    trees.write(tmp_path, {"bad.patch": "nothing\n", "spare.patch": PATCH})
    text = (
        hook.format("a") + variant.format("good.patch", "6.1", "6.3")
        + variant.format("bad.patch", "6.2", "6.4")
        + hook.format("a") + variant.format("missing.patch", "6.4", "6.2")
    )  # fmt: skip
    assert mistakes(tmp_path, text) == [
        "hook 'a': the name is there 2 times",
        "hook 'a': good.patch and bad.patch serve the same versions",
        "hook 'a', missing.patch: the range [6.4.0, 6.2.0) is empty",
        "bad.patch: it changes no file",
        "missing.patch: No such file or directory",
    ]


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    assert "line 1" in mistakes(tmp_path, "[[hook\n")[0]
    assert mistakes(tmp_path, "") == ["hook: Field required"]


def test_a_missing_table_is_a_broken_installation(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot read the table of hooks"):
        load(tmp_path)


def test_patches_that_nobody_names_are_found(tmp_path: Path) -> None:
    hooks = trees.make_kernel_dir(tmp_path) / "hooks"
    (hooks / "spare.patch").write_text(PATCH)
    assert unnamed_patches(hooks, load(hooks)) == ["spare.patch"]


HUNK = "@@ -1,2 +1,2 @@\n same\n-old\n+new\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("words\n", "it changes no file"),
        ("--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+x\n", "line 1: '/dev/null' is not a path"),
        ("--- a/x.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "line 2: '/dev/null' is not a path"),
        (f"--- a/../x.c\n+++ b/../x.c\n{HUNK}", "line 1: 'a/../x.c' is not a path"),
        (f"--- a//etc/x\n+++ b//etc/x\n{HUNK}", "line 1: 'a//etc/x' is not a path"),
        (f"--- a/x.c\n+++ b/y.c\n{HUNK}", "line 2: the old and the new name differ"),
        ("--- a/x.c\n+++ b/x.c\n", "line 3: x.c has no hunk"),
        (f"--- a/x.c\n+++ b/x.c\n{HUNK}--- a/x.c\n+++ b/x.c\n{HUNK}", "x.c comes twice"),
        (f"--- a/x.c\n+++ b/x.c\n{HUNK}\n@@ -9 +9 @@\n", "line 8: a hunk that belongs to no file"),
        ("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n", "line 3: the hunk is not as long"),
        ("--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-b\n+c\n", "line 3: a hunk without context"),
        ("--- a/x.c\n+++ b/x.c\n@@ one @@\n", "line 3: a damaged hunk header"),
        ("rename from a.c\nrename to b.c\n", "line 1: 'rename from a.c'"),
        ("--- a/x.c\n+++ b/x.c\n" + HUNK.replace("\n", "\r\n"), "line 3: the hunk is not as long"),
    ],
)
def test_damaged_patches_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        parse_diff(text.encode())
    assert message in str(caught.value)


_line = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=8)
_text = st.lists(_line, min_size=4, max_size=30).map(lambda lines: "\n".join(["top", *lines, ""]))


@given(old=_text, new=_text)
def test_what_difflib_writes_is_read_whole(old: str, new: str) -> None:
    rows = [part + "\n" for part in old.split("\n")[:-1]]
    others = [part + "\n" for part in new.split("\n")[:-1]]
    text = "".join(unified_diff(rows, others, "a/x.c", "b/x.c"))
    if rows == others:
        return
    (found,) = parse_diff(text.encode())
    assert found.data == text.encode()
    for hunk in found.hunks:
        at = hunk.start - 1
        assert tuple(row[:-1] for row in rows[at : at + len(hunk.old)]) == hunk.old


_versions = st.builds(KernelVersion, st.integers(4, 7), st.integers(0, 3))


@given(data=st.data())
def test_served_says_what_select_does(data: st.DataObject) -> None:
    hooks = []
    for number in range(data.draw(st.integers(1, 3))):
        edges = data.draw(st.lists(st.none() | _versions, min_size=1, max_size=4))
        cuts = sorted({edge for edge in edges if edge is not None})
        spans = list(zip([None, *cuts], [*cuts, None], strict=True))
        kept = data.draw(st.lists(st.sampled_from(spans), min_size=1, unique=True))
        variants = tuple(Variant(patch="x.patch", first=first, end=end) for first, end in kept)
        hooks.append(Hook(name=f"h{number}", about="x", variants=variants))
    series = Series(hooks=tuple(hooks))
    version = data.draw(_versions)
    wanted = all(any(version in item.versions for item in hook.variants) for hook in hooks)
    assert any(version in span for span in served(series)) == wanted
    ends = [(span.first, span.end) for span in served(series)]
    assert all(end != first for (_, end), (first, _) in pairwise(ends))


def test_select_names_the_hooks_without_a_variant(tmp_path: Path) -> None:
    hooks = trees.make_kernel_dir(tmp_path) / "hooks"
    with pytest.raises(TreeMismatchError, match=r"the hook events serves it.*\[6\.0\.0, 6\.2\.0\)"):
        select(load(hooks), hooks, KernelVersion(6, 2))

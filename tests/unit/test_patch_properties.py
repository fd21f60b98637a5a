# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for any hooks and any tree that they fit."""

from __future__ import annotations

import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import patch_trees as trees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynaccel.core.events import NullReporter
from dynaccel.patch import HookState, PatchRequest, apply, full_diff, plan, review_patch

_PATHS = ("kernel/time/a.c", "kernel/b.c", "mm/c.c")
_LENGTH = 25


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, list[str]]]:
    """States of a few files, each hook a step from one to the next."""
    state = {
        path: [f"{path} {draw(st.integers(0, 3))}-{n}" for n in range(_LENGTH)] for path in _PATHS
    }
    states = [state]
    for step in range(draw(st.integers(1, 3))):
        state = {path: list(lines) for path, lines in state.items()}
        edits = draw(
            st.lists(
                st.tuples(st.sampled_from(_PATHS), st.integers(1, _LENGTH - 2), st.booleans()),
                min_size=1, max_size=3,
            )
        )  # fmt: skip
        for number, (path, at, insert) in enumerate(edits):
            state[path][at : at + (not insert)] = [f"dynaccel {step} {number}"]
        states.append(state)
    return states


def _texts(state: dict[str, list[str]]) -> dict[str, str]:
    return {path: "".join(f"{line}\n" for line in lines) for path, lines in state.items()}


def _kernel_dir(top: Path, states: list[dict[str, list[str]]]) -> Path:
    series = ""
    for number, (old, new) in enumerate(pairwise(states)):
        before, after = _texts(old), _texts(new)
        parts = [
            trees.file_diff(path, before[path], after[path])
            for path in _PATHS
            if before[path] != after[path]
        ]
        trees.write(top / "hooks", {f"{number}.patch": "".join(parts)})
        series += f'[[hook]]\nname = "h{number}"\nabout = "x"\n'
        series += f'[[hook.variant]]\npatch = "{number}.patch"\n'
    trees.write(top, {"hooks/series.toml": series, "core/kernel/dynaccel.c": "/* dynaccel */\n"})
    return top


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(states=histories(), data=st.data())
def test_plan_apply_plan(states: list[dict[str, list[str]]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        kernel_dir = _kernel_dir(top / "data", states)
        tree, twin = (trees.make_tree(top / place) for place in ("tree", "twin"))
        for place in (tree, twin):
            trees.write(place, _texts(states[0]))

        clean = plan(tree, kernel_dir=kernel_dir)
        assert {hook.state for hook in clean.hooks} == {HookState.APPLIES}
        patch = review_patch(clean, full_diff(clean))

        # A tree in which some files are at an earlier step of the series is completed.
        early = states[data.draw(st.integers(0, len(states) - 1))]
        some = data.draw(st.sets(st.sampled_from(_PATHS)))
        trees.write(tree, {path: text for path, text in _texts(early).items() if path in some})
        result = apply(PatchRequest(tree=tree, kernel_dir=kernel_dir), reporter=NullReporter())
        assert {path: (tree / path).read_text() for path in _PATHS} == _texts(states[-1])

        again = plan(tree, kernel_dir=kernel_dir)
        assert {hook.state for hook in again.hooks} == {HookState.APPLIED}
        assert again.changes == ()
        assert review_patch(again, full_diff(again)) == patch
        assert patch.endswith(result.diff)

        subprocess.run(["git", "apply", "-"], cwd=twin, input=patch, check=True)
        assert trees.contents(twin) == trees.contents(tree)

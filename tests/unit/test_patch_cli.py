# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel kernel patch`` as scripts and people see it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import patch_trees as trees
import pytest
from click.testing import CliRunner

from dynaccel.cli.kernel_patch import patch
from dynaccel.core.errors import TreeMismatchError
from dynaccel.host import paths

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    kernel_dir = trees.make_kernel_dir(tmp_path / "data")
    monkeypatch.setattr(paths, "data_dir", lambda _name: kernel_dir)
    return trees.make_tree(tmp_path / "linux")


def run(*words: object) -> Result:
    return CliRunner().invoke(patch, [str(word) for word in words])


def test_dry_run_lists_and_writes_nothing(tree: Path) -> None:
    before = trees.snapshot(tree)
    result = run(tree, "--dry-run", "-o", tree / "new.patch")
    assert result.exit_code == 0
    assert f"Linux 6.1.7 in {tree}" in result.stdout
    assert f"events   applies          {trees.CLOCK}\n" in result.stdout
    assert f"add        {trees.HEADER}\n" in result.stdout
    assert "nothing was written: 2 to add, 3 to change, 0 unchanged" in result.stdout
    assert trees.snapshot(tree) == before


def test_patching_twice(tree: Path) -> None:
    assert "patched: 2 added, 3 changed, 0 unchanged" in run(tree).stdout
    before = trees.snapshot(tree)
    result = run(tree)
    assert result.exit_code == 0
    assert "the tree is patched already; nothing was changed" in result.stdout
    assert "events   already applied" in result.stdout
    assert trees.snapshot(tree) == before


def test_the_patch_goes_to_a_file_and_the_tree_stays(tree: Path, tmp_path: Path) -> None:
    before = trees.snapshot(tree)
    file = tmp_path / "out.patch"
    result = run(tree, "-o", file)
    assert f"wrote {file}; the tree is as it was" in result.stdout
    assert trees.snapshot(tree) == before
    assert run(tree, "-o", "-").stdout_bytes == file.read_bytes()
    subprocess.run(["git", "apply", str(file)], cwd=tree, check=True)
    assert "patched already" in run(tree).stdout


def test_json(tree: Path, tmp_path: Path) -> None:
    data = json.loads(run(tree, "--dry-run", "--json").stdout)
    assert data["kernel_version"] == "6.1.7"
    assert data["outcome"] == "dry_run"
    assert data["hooks"][0] == {
        "name": "events",
        "about": "events are programmed in real time",
        "patch": "events.patch",
        "state": "applies",
        "files": [trees.CLOCK],
    }
    assert {"path": trees.HEADER, "state": "add"} in data["files"]
    file = tmp_path / "out.patch"
    data = json.loads(run(tree, "-o", file, "--json").stdout)
    assert (data["outcome"], data["output"]) == ("patch_written", str(file))
    assert json.loads(run(tree, "--json").stdout)["outcome"] == "patched"
    assert json.loads(run(tree, "--json").stdout)["outcome"] == "unchanged"


@pytest.mark.parametrize("words", [(), ("--dry-run",), ("-o", "out.patch"), ("--json",)])
def test_a_misfit_is_an_error_whatever_is_asked_for(
    words: tuple[str, ...], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    (tree / trees.CLOCK).write_text("int nothing;\n")
    before = trees.snapshot(tree)
    result = run(tree, *words)
    assert isinstance(result.exception, TreeMismatchError)
    assert trees.snapshot(tree) == before
    if words == ("--dry-run",):
        assert "events   does not fit" in result.stdout
    elif words == ("--json",):
        data = json.loads(result.stdout)
        assert data["outcome"] == "refused"
        assert {misfit["hook"] for misfit in data["misfits"]} == {"events", "minimum"}
    else:
        assert result.stdout == ""


def test_two_things_for_standard_output_are_refused(tree: Path) -> None:
    result = run(tree, "-o", "-", "--json")
    assert result.exit_code == 2
    assert "both want standard output" in result.output


def test_merged_places_are_listed_for_a_person_to_look_at(tree: Path) -> None:
    # A vendor's line, two above the hook's, in a file without functions.
    kernel_dir = paths.data_dir("kernel")
    old = "".join(f"obj-y += {name}.o\n" for name in "abcdefgh")
    new = old.replace("d.o\n", "d.o\nobj-y += dynaccel.o\n")
    patch_file = kernel_dir / "hooks/events.patch"
    patch_file.write_text(trees.file_diff(trees.KBUILD, old, new))
    text = (kernel_dir / "hooks/series.toml").read_text()
    (kernel_dir / "hooks/series.toml").write_text(text[: text.index('[[hook]]\nname = "minimum"')])
    (tree / trees.KBUILD).write_text(old.replace("b.o", "vendor.o"))
    listed = run(tree, "--dry-run").stdout
    assert "events  merges           kernel/time/Makefile" in listed
    assert "merged, have a look at them:\n  hook events: kernel/time/Makefile: line 5" in listed
    data = json.loads(run(tree, "--dry-run", "--json").stdout)
    assert data["merged"] == [
        {"hook": "events", "path": trees.KBUILD, "line": 5, "hunk": 1, "context": 5}
    ]
    assert data["hooks"][0]["state"] == "merges"
    assert run(tree).exit_code == 0
    assert (tree / trees.KBUILD).read_text() == new.replace("b.o", "vendor.o")
    assert "already applied" in run(tree, "--dry-run").stdout

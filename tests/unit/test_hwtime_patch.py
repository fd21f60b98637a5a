# SPDX-License-Identifier: GPL-2.0-or-later
"""Hardware time as a part of patching: trees, second runs, the command, the border."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import hwtime_rules as small
import patch_trees as trees
import pytest
from click.testing import CliRunner

from dynaccel.cli.kernel import kernel
from dynaccel.cli.kernel_patch import patch
from dynaccel.core.errors import UserError
from dynaccel.core.events import NullReporter
from dynaccel.host import paths
from dynaccel.patch import FileState, PatchRequest, PatchResult, apply, full_diff, plan

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from dynaccel.kbuild import Patcher

DRIVER = "drivers/net/card.c"
FILES = {
    DRIVER: "void f(struct x *x)\n{\n\tmsleep(1);\n\tx->end = jiffies;\n\tx->n = sched_clock();\n"
    "\tmod_timer(&x->late, 1);\n}\n",
    "drivers/net/card.h": "struct x {\n\tunsigned long jiffies;\n};\n",
    "drivers/net/stats.c": "void s(struct y *y)\n{\n\ty->last_rx = jiffies;\n}\n",
    "drivers/net/soft/loop.c": "void s(void)\n{\n\tmsleep(3);\n}\n",
    "drivers/net/notes.txt": "msleep(1);\n",
    "kernel/other.c": "void o(struct x *x)\n{\n\tmsleep(1);\n\tif (time_after(jiffies, x->end))\n"
    "\t\tg();\n\ttimer_setup(&x->late, g, 0);\n}\n",
}
TABLE = (
    small.TABLE
    + f"""
[[hardware]]
path = "{trees.CLOCK}"
about = "a file that hooks change too"
"""
)
CHANGED = {DRIVER, trees.CLOCK}


@pytest.fixture
def kernel_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = trees.make_kernel_dir(tmp_path / "data")
    small.write(directory / "hwtime", table=TABLE)
    monkeypatch.setattr(paths, "data_dir", lambda _name: directory)
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    return directory


@pytest.fixture
def tree(tmp_path: Path, kernel_dir: Path) -> Path:
    assert kernel_dir.is_dir()
    top = trees.make_tree(tmp_path / "linux")
    trees.write(top, FILES)
    source = (top / trees.CLOCK).read_text() + "\nvoid late(void)\n{\n\tmsleep(5);\n}\n"
    trees.write(top, {trees.CLOCK: source})
    return top


def run(tree: Path, *, hwtime: bool = True) -> PatchResult:
    return apply(PatchRequest(tree=tree, hwtime=hwtime), reporter=NullReporter())


def command(*words: object) -> Result:
    return CliRunner().invoke(patch, [str(word) for word in words])


def test_hardware_paths_are_converted_and_nothing_else(tree: Path) -> None:
    before = trees.contents(tree)
    result = run(tree)
    after = trees.contents(tree)
    assert after[DRIVER] == before[DRIVER].replace(b"msleep", b"hwtime_msleep").replace(
        b"jiffies", b"hwtime_jiffies"
    )
    assert b"hwtime_msleep(5)" in after[trees.CLOCK]
    assert b"dynaccel(5)" in after[trees.CLOCK]
    touched = CHANGED | set(trees.PATCHED) | set(trees.CORE)
    assert {path for path in after if after[path] != before.get(path)} == touched
    assert set(result.written) == touched


def test_a_converted_tree_is_recognised(tree: Path) -> None:
    first = run(tree)
    before = trees.snapshot(tree)
    second = run(tree)
    assert second.written == ()
    assert second.diff == first.diff
    assert trees.snapshot(tree) == before


def test_the_diff_is_that_of_the_clean_tree(tree: Path) -> None:
    wanted = full_diff(plan(tree))
    assert b"+\thwtime_msleep(1);" in wanted
    run(tree)
    assert full_diff(plan(tree)) == wanted


@pytest.mark.parametrize("kept", [DRIVER, trees.CLOCK])
def test_a_patching_that_was_killed_is_completed(kept: str, tree: Path) -> None:
    before = (tree / kept).read_bytes()
    run(tree)
    wanted = trees.contents(tree)
    (tree / kept).write_bytes(before)
    assert run(tree).written == (kept,)
    assert trees.contents(tree) == wanted


def test_another_table_is_put_in_place_of_the_old_one(tree: Path, kernel_dir: Path) -> None:
    before = (tree / DRIVER).read_bytes()
    run(tree)
    small.write(
        kernel_dir / "hwtime",
        table=TABLE + '[[virtual]]\npath = "drivers/net/card.c"\nreason = "after all"\n',
    )
    assert run(tree).written == (DRIVER,)
    assert (tree / DRIVER).read_bytes() == before


def test_hardware_time_can_be_left_out_and_taken_out(tree: Path) -> None:
    before = (tree / DRIVER).read_bytes()
    plain = run(tree, hwtime=False)
    assert plain.plan.hwtime is None
    assert (tree / DRIVER).read_bytes() == before
    hooked = trees.contents(tree)
    assert set(run(tree).written) == CHANGED
    assert set(run(tree, hwtime=False).written) == CHANGED
    assert trees.contents(tree) == hooked
    assert run(tree, hwtime=False).written == ()


def test_a_file_that_cannot_be_read_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_bytes(self: Path) -> bytes:
        if self.name == "card.c":
            raise PermissionError(13, "Permission denied")
        with self.open("rb") as stream:
            return stream.read()

    monkeypatch.setattr("pathlib.Path.read_bytes", read_bytes)
    with pytest.raises(UserError, match=r"cannot read .*card\.c: Permission denied"):
        plan(tree)


def test_symbolic_links_are_left_alone(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.c"
    outside.write_text("void f(void) { msleep(1); }\n")
    (tree / "drivers/net/link.c").symlink_to(outside)
    result = run(tree)
    assert result.plan.hwtime is not None
    assert "hwtime" not in outside.read_text()


def test_what_is_found_is_counted_by_path_and_reason(tree: Path) -> None:
    found = plan(tree).hwtime
    assert found is not None
    net = next(path for path in found.paths if path.path == "drivers/net")
    assert (net.files, net.found, net.converted) == (1, 6, 2)
    assert dict(net.left) == {
        "virtual on purpose": 2,
        "a name of its own": 1,
        "never converted": 1,
    }
    assert found.groups == {"sleep": 2, "jiffies": 1}
    assert {state.state for state in plan(tree).waiting} == {FileState.CHANGE}
    assert "include/poll.h" in found.absent


def test_the_command_shows_a_table(tree: Path) -> None:
    result = command(tree, "--dry-run")
    assert result.exit_code == 0
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("  drivers/net ")]
    assert row.split() == ["drivers/net", "1", "6", "2", "2", "0", "1", "1", "0"]
    (total,) = [line for line in result.stdout.splitlines() if line.startswith("  in all")]
    assert total.split()[2:5] == ["2", "7", "3"]


def test_the_report_and_json_name_every_place(tree: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    data = json.loads(command(tree, "--dry-run", "--json", "--report", report).stdout)["hwtime"]
    assert (data["files"], data["found"], data["converted"]) == (2, 7, 3)
    assert {(item["path"], item["line"], item["name"], item["kind"]) for item in data["left"]} == {
        (DRIVER, 5, "sched_clock", "never converted"),
        ("drivers/net/card.h", 2, "jiffies", "a name of its own"),
        ("drivers/net/stats.c", 3, "jiffies", "virtual on purpose"),
        ("drivers/net/soft/loop.c", 3, "msleep", "virtual on purpose"),
    }
    borders = {item["name"]: item for item in data["borders"]}
    assert set(borders) == {"end", "late"}
    assert borders["end"]["converted"] == [f"{DRIVER}:4"]
    assert borders["end"]["unconverted"] == ["kernel/other.c:4"]
    assert borders["late"]["unconverted"] == ["kernel/other.c:6"]
    text = report.read_text()
    assert "drivers/net/stats.c:3 jiffies  programs see it" in text
    assert "    virtual time:  kernel/other.c:6" in text


def test_no_hwtime_converts_nothing(tree: Path) -> None:
    data = json.loads(command(tree, "--no-hwtime", "--json").stdout)
    assert data["outcome"] == "patched"
    assert data["hwtime"] is None
    assert "hwtime" not in (tree / DRIVER).read_text()
    result = command(tree, "--no-hwtime", "--report", "x")
    assert result.exit_code == 2


def test_a_second_look_reads_no_code_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan(tree)
    monkeypatch.setattr("dynaccel.patch.hwtime.convert.own_places", None)
    second = plan(tree)
    assert second == first
    (tree / DRIVER).write_bytes((tree / DRIVER).read_bytes() + b"\n")
    with pytest.raises(TypeError):
        plan(tree)


def test_a_build_without_hardware_time_is_another_and_says_so(
    tree: Path, kernel_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Patcher] = []

    def build(_request: object, *, patcher: Patcher, reporter: object) -> SimpleNamespace:
        assert reporter is not None
        seen.append(patcher)
        return SimpleNamespace(directory="kernel")

    monkeypatch.setattr("dynaccel.kbuild.build", build)
    for words in ([], ["--no-hwtime"], ["--no-hwtime", "--without-hook", "tick"]):
        assert CliRunner().invoke(kernel, ["build", *words]).exit_code == 0
    assert [patcher.without for patcher in seen] == [(), ("hwtime",), ("tick", "hwtime")]
    assert b"hwtime_msleep" not in seen[1].apply(tree)
    (kernel_dir / "hwtime" / "table" / "all.toml").write_text(TABLE + "# another\n")
    assert CliRunner().invoke(kernel, ["build"]).exit_code == 0
    assert len({patcher.key for patcher in seen}) == 4
    refused = CliRunner().invoke(kernel, ["build", "--no-patch", "--no-hwtime"])
    assert refused.exit_code == 2

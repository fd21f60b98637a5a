# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from kernel_fakes import Machine, make_tarball

from dynaccel.cli.main import dynaccel_command
from dynaccel.kbuild import space

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


def call(*words: str) -> Result:
    return CliRunner().invoke(dynaccel_command, ["kernel", *words])


@pytest.fixture
def kernel_id(machine: Machine, tmp_path: Path) -> str:
    assert machine
    (tmp_path / "tar").mkdir()
    result = call("build", "--no-patch", "--source", str(make_tarball(tmp_path / "tar")))
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip().rsplit("/", 1)[-1]


def test_build_prints_the_directory_of_the_result(machine: Machine, kernel_id: str) -> None:
    assert (machine.cache / "kernels" / kernel_id / "manifest.json").is_file()


def test_list_says_so_when_there_is_none(machine: Machine) -> None:
    assert machine
    assert "dynaccel kernel build" in call("list").stdout
    assert json.loads(call("list", "--json").stdout) == []


def test_list_shows_the_kernels(kernel_id: str) -> None:
    head, row = call("list").stdout.splitlines()
    assert head.split() == ["ID", "RELEASE", "ACCELERATED", "SOURCE", "SIZE", "CREATED"]
    assert row.split()[:3] == [kernel_id, "6.1.7-dynaccel", "no"]
    (entry,) = json.loads(call("list", "--json").stdout)
    assert entry["id"].startswith(kernel_id)
    assert entry["size_bytes"] > 0


def test_list_names_the_hooks_that_were_left_out(machine: Machine, kernel_id: str) -> None:
    manifest = machine.cache / "kernels" / kernel_id / "manifest.json"
    facts = {**json.loads(manifest.read_text()), "accelerated": True, "without": ["b", "a"]}
    manifest.write_text(json.dumps(facts))
    assert "  without b, a  " in call("list").stdout
    (entry,) = json.loads(call("list", "--json").stdout)
    assert entry["without"] == ["b", "a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--without-hook", "tock"), "there is no hook tock"),
        (("--without-hook", "clockevents", "--no-patch"), "--without-hook has no meaning"),
    ],
)
def test_what_cannot_be_left_out_is_told_before_the_build(
    machine: Machine, words: tuple[str, ...], said: str
) -> None:
    result = call("build", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert machine.read("calls") == []


@pytest.mark.parametrize("form", ["start", "short", "whole", "all"])
def test_rm_takes_an_id_in_any_length(machine: Machine, kernel_id: str, form: str) -> None:
    (entry,) = json.loads(call("list", "--json").stdout)
    word = {"start": kernel_id[:4], "short": kernel_id, "whole": entry["id"], "all": "--all"}[form]
    result = call("rm", word)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("deleted 1 kernel, ")
    assert list((machine.cache / "kernels").iterdir()) == []


def test_rm_of_an_unknown_id_deletes_nothing(machine: Machine, kernel_id: str) -> None:
    result = call("rm", kernel_id, "zzz", "6.1")
    assert result.exit_code == 2
    assert "no kernels fit 'zzz'; no kernels fit '6.1'" in result.stderr
    assert (machine.cache / "kernels" / kernel_id).is_dir()


def test_a_damaged_kernel_can_be_deleted(machine: Machine, kernel_id: str) -> None:
    (machine.cache / "kernels" / kernel_id / "manifest.json").write_text("{")
    assert call("rm", kernel_id).exit_code == 0
    assert not (machine.cache / "kernels" / kernel_id).exists()


@pytest.mark.parametrize("words", [(), ("--all", "abc")])
def test_rm_wants_ids_or_all(machine: Machine, words: tuple[str, ...]) -> None:
    assert machine
    assert call("rm", *words).exit_code == 2


def test_clean_tells_what_is_free_again(machine: Machine, kernel_id: str) -> None:
    assert call("clean").stdout.endswith("freed\n")
    assert [path for path in (machine.cache / "work").iterdir() if path.is_dir()] == []
    assert (machine.cache / "kernels" / kernel_id).is_dir()


def test_a_failed_build_ends_with_the_status_of_a_failed_stage(
    machine: Machine, tmp_path: Path
) -> None:
    machine.set_mode("error")
    result = call("build", "--no-patch", "--source", str(make_tarball(tmp_path)))
    assert result.exit_code == 4
    assert "'jiffie' undeclared" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_patch_command_belongs_to_the_group() -> None:
    assert "TREE" in call("patch", "--help").stdout


def test_a_tree_that_the_patch_does_not_fit_is_refused_before_the_build(
    machine: Machine, tmp_path: Path
) -> None:
    result = call("build", "--source", str(make_tarball(tmp_path)))
    assert result.exit_code == 2
    assert "the patch does not fit Linux 6.1.7" in result.stderr
    assert machine.read("calls") == []


@pytest.mark.parametrize("command", [["kernel", "build", "--source", "/nowhere"], ["doctor"]])
def test_a_missing_spatch_is_told_before_anything_is_done(
    command: list[str], machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.bin / "spatch").unlink()
    for name in ("tar", "xz", "git"):
        (machine.bin / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(machine.bin))
    result = CliRunner().invoke(dynaccel_command, command)
    assert result.exit_code == 3
    assert "a kernel build needs spatch, which this machine lacks" in result.output
    assert "apt-get install coccinelle" in result.output
    assert machine.read("calls") == []


def test_an_interrupted_build_says_how_it_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    assert machine
    monkeypatch.setattr("dynaccel.kbuild.build", interrupt)
    result = call("build")
    assert result.exit_code == 130
    assert "the same command goes on" in result.stderr

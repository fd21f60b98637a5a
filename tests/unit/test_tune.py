# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings for accelerated time: written into a root, taken out again, packed."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from dynaccel.cli import tune as command
from dynaccel.cli.main import dynaccel_command
from dynaccel.core.events import NullReporter
from dynaccel.packaging.tune import (
    Action,
    deb_package,
    plan_apply,
    plan_undo,
    rpm_package,
    tune_files,
    write,
)
from dynaccel.packaging.tune.settings import span

MANAGER = "etc/systemd/system.conf.d/60-dynaccel.conf"
SYSCTL = "etc/sysctl.d/60-dynaccel.conf"
SSHD = "etc/ssh/sshd_config.d/60-dynaccel.conf"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc/ssh/sshd_config.d").mkdir(parents=True)
    return tmp_path / "root"


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(dynaccel_command, ["tune", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def below(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def directories(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_dir()}


class UnitFile(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr  # systemd's words have capitals


def units(text: str) -> dict[str, dict[str, str]]:
    parser = UnitFile(interpolation=None, strict=False)
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def xml(text: str | bytes) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  (our own)


def test_every_template_is_used_and_each_file_has_a_place_of_its_own() -> None:
    files = tune_files(1000)
    assert len({file.local for file in files}) == len({file.vendor for file in files}) == len(files)
    templates = Path(__file__).resolve().parents[2] / "packaging/tune/templates"
    table = (templates.parent / "settings.toml").read_text()
    assert [t.name for t in templates.iterdir() if f'"{t.stem}"' not in table] == []
    assert table.count("[[setting]]") == table.count("template = ")


def test_no_drop_in_of_a_service_hides_the_one_for_all_services() -> None:
    names = [file.local for file in tune_files(1000)]
    (for_all,) = [path.name for path in names if path.parent.name == "service.d"]
    assert [p for p in names if p.parent.name.endswith(".service.d") and p.name == for_all] == []


@pytest.mark.parametrize(
    ("ratio", "start", "watchdog", "auth"),
    [(1, "90s", "3min", "30000"), (200, "5h", "10h", "6000000"), (1000, "25h", "50h", "30000000")],
)
def test_limits_grow_with_the_ratio(ratio: int, start: str, watchdog: str, auth: str) -> None:
    texts = {str(file.local): file.text for file in tune_files(ratio)}
    assert units(texts[MANAGER])["Manager"]["DefaultTimeoutStartSec"] == start
    journald = texts["etc/systemd/system/systemd-journald.service.d/61-dynaccel-watchdog.conf"]
    assert units(journald)["Service"]["WatchdogSec"] == watchdog
    limits = xml(texts["etc/dbus-1/system.d/dynaccel.conf"])
    assert limits.findtext("limit[@name='auth_timeout']") == auth


def test_each_unit_file_says_what_it_is_in_systemds_words() -> None:
    for file in tune_files(1000):
        if "systemd" in file.local.parts:
            assert units(file.text), file.local


def test_spans() -> None:
    assert [span(n) for n in (90, 120, 3600, 90_000, 5400)] == ["90s", "2min", "1h", "25h", "90min"]


def test_written_twice_is_written_once_and_undone_without_a_trace(root: Path) -> None:
    before = below(root), directories(root)
    status, output = run("--root", root)
    assert (status, "+ " in output) == (0, True)
    written = below(root)
    assert set(written) == {str(file.local) for file in tune_files(1000)}
    assert {oct((root / name).stat().st_mode & 0o777) for name in written} == {"0o644"}
    # What is written for D-Bus must still be XML with the line that tells whose it is.
    xml(written["etc/dbus-1/system.d/dynaccel.conf"])

    status, output = run("--root", root)
    assert (status, output.splitlines()[-1]) == (0, "nothing to do")
    assert below(root) == written

    assert run("--root", root, "--undo")[0] == 0
    assert below(root) == before[0]
    left = directories(root) - before[1]
    assert [name for name in left if "systemd" in name and name.endswith(".d")] == []


def test_another_ratio_replaces_the_files_and_undo_finds_those_of_any(root: Path) -> None:
    run("--root", root, "--up-to", "50")
    changes = plan_apply(tune_files(1000), root)
    assert {change.action for change in changes} >= {Action.UPDATE, Action.KEEP}
    run("--root", root)
    assert "25h" in (root / MANAGER).read_text()
    run("--root", root, "--up-to", "3", "--undo")
    assert below(root) == {}


def test_a_dry_run_writes_nothing(root: Path) -> None:
    status, output = run("--root", root, "--dry-run")
    assert status == 0
    assert f"{len(tune_files(1000))} files would change; nothing was written" in output
    assert below(root) == {}


@pytest.mark.parametrize("own", ["kernel.accel = 7\n", "", "\xff"])
def test_a_users_own_file_stays(root: Path, own: str) -> None:
    (root / SYSCTL).parent.mkdir()
    (root / SYSCTL).write_bytes(own.encode("latin-1"))
    status, output = run("--root", root)
    assert status == 0
    assert f"! {root / SYSCTL}" in output
    assert "left alone" in output
    run("--root", root, "--undo")
    assert below(root) == {SYSCTL: own.encode("latin-1")}


def test_what_a_user_changed_stays(root: Path) -> None:
    run("--root", root)
    changed = (root / SYSCTL).read_text().replace("#kernel.accel", "kernel.accel")
    (root / SYSCTL).write_text(changed)
    assert "left alone" in run("--root", root)[1]
    output = run("--root", root, "--undo")[1]
    assert f"! {root / SYSCTL}" in output
    assert below(root) == {SYSCTL: changed.encode()}


def test_a_link_of_the_user_stays(root: Path) -> None:
    path = root / "etc/systemd/system/dynaccel-ratio.service"
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")
    run("--root", root)
    assert path.is_symlink()
    run("--root", root, "--undo")
    assert path.is_symlink()


def test_nothing_is_written_through_a_link_out_of_the_root(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "etc/systemd").symlink_to(tmp_path / "elsewhere")
    status, output = run("--root", root)
    assert (status, "outside of" in output) == (2, True)
    assert below(tmp_path / "elsewhere") == {}


def test_what_the_system_does_not_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert "left out" in run("--root", tmp_path)[1]
    assert not (tmp_path / SSHD).exists()


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("--root", "/dev"), 2, "no system's root"),
        (("--root", "/nonexistent"), 2, "does not exist"),
        (("--up-to", "0"), 2, "whole number"),
        (("--up-to", "1001"), 2, "whole number"),
        (("--package", "deb"), 2, "belong together"),
        (("--output", "x"), 2, "belong together"),
        (("--package", "apk", "--output", "x"), 2, "no such format"),
        (("--package", "deb", "--output", "x", "--undo"), 2, "writes into no system"),
    ],
)
def test_bad_usage(words: tuple[str, ...], status: int, text: str) -> None:
    code, output = run(*words)
    assert (code, text in output) == (status, True), output


def test_no_permission_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> None:
        del data
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("dynaccel.packaging.tune.system.write_atomic", refuse)
    code, output = run("--root", root)
    assert (code, "no permission" in output, "sudo dynaccel tune" in output) == (2, True, True)


def test_a_machine_that_runs_is_told_to_read_its_files_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n')
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(command, "RUNS_SYSTEMD", root)
    monkeypatch.setattr(command, "THIS_MACHINE", root)
    assert "daemon-reload" in run()[1]
    assert "nothing to do" in run()[1]
    assert (tmp_path / "calls").read_text() == "daemon-reload\n"


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_the_deb_is_the_same_each_time_and_puts_files_where_vendors_do(tmp_path: Path) -> None:
    files = tune_files(1000)
    first = deb_package(files, 1000, tmp_path / "1")
    again = deb_package(files, 1000, tmp_path / "2")
    assert first.read_bytes() == again.read_bytes()
    subprocess.run(["dpkg-deb", "-R", first, tmp_path / "x"], check=True)
    found = below(tmp_path / "x")
    for file in files:
        assert found[str(file.vendor)] == file.text.encode()
    conffiles = found["DEBIAN/conffiles"].decode().split()
    assert sorted(conffiles) == sorted(f"/{n}" for n in found if n.startswith("etc/"))
    assert re.search(r"^Architecture: all$", found["DEBIAN/control"].decode(), re.MULTILINE)


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpmbuild is not installed")
def test_the_rpm_has_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    files = tune_files(1000)
    package = rpm_package(files, 1000, tmp_path, reporter=NullReporter())
    assert package.name.endswith(".noarch.rpm")
    query: list[str | Path] = [
        "rpm",
        "-q",
        "-p",
        "--qf",
        "[%{FILENAMES} %{FILEMODES:octal} %{FILEFLAGS}\n]",
        package,
    ]
    listed = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    rows = {name: (mode, flags) for name, mode, flags in map(str.split, listed.splitlines())}
    for file in files:
        mode, flags = rows[f"/{file.vendor}"]
        assert (mode, bool(int(flags) & 1)) == ("100644", file.conffile), file.vendor


def test_write_takes_only_what_was_planned(root: Path) -> None:
    changes = plan_apply(tune_files(10), root)
    write(changes[:1], root)
    assert list(below(root)) == [MANAGER]
    assert [change.action for change in plan_undo(tune_files(10), root)] == [Action.REMOVE]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The root file system that is put together of Debian's packages, on a fake apt and dpkg."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.arches import ARM64
from dynaccel.core.errors import InfrastructureError, MissingError
from dynaccel.core.events import NullReporter
from dynaccel.host import suites
from dynaccel.vm.debian_root import PACKAGES, debian_root

if TYPE_CHECKING:
    from pathlib import Path

APT_GET = """#!/bin/sh
echo "$@" >>"$TEST_LOG"
for word; do
    case $word in
    -oDir::Cache::archives=*) archives=${word#*=} ;;
    -oDir::State::Lists=*) lists=${word#*=} ;;
    -oAPT::Architecture=*) arch=${word#*=} ;;
    esac
done
case "$*" in
indextargets*) cat "$TEST_MIRRORS" ;;
*update) echo >"$lists/mirror_Packages" ;;
*) [ -e "$TEST_MIRRORS.down" ] && { echo "E: no route" >&2; exit 100; }
   for name in base-passwd dash mawk; do echo >"$archives/${name}_1_$arch.deb"; done ;;
esac
"""
# As packages of today bring them: all below /usr, and the shell's short name in it.
DPKG_DEB = """#!/bin/sh
[ "$1" = --extract ] || exit 9
mkdir -p "$3/usr/bin" "$3/usr/sbin" "$3/usr/lib" "$3/usr/share/base-passwd" "$3/etc"
case $2 in
*/base-passwd_*) echo "root:*:0:0" >"$3/usr/share/base-passwd/passwd.master"
                 echo "root:*:0:" >"$3/usr/share/base-passwd/group.master" ;;
*/dash_*) echo >"$3/usr/bin/dash"; ln -s dash "$3/usr/bin/sh" ;;
*/mawk_*) echo >"$3/usr/bin/mawk" ;;
esac
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fakes on PATH; what the fake apt-get was told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-get": APT_GET, "dpkg-deb": DPKG_DEB}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "mirrors").write_text("http://debian.example/debian/ Debian\n")
    (tmp_path / "keyring").touch()
    monkeypatch.setattr(suites, "KEYRING", tmp_path / "keyring")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TEST_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("TEST_MIRRORS", str(tmp_path / "mirrors"))
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path / "log"


@pytest.mark.usefixtures("log")
def test_the_root_has_what_programs_need_to_run() -> None:
    root = debian_root(ARM64, reporter=NullReporter())
    assert (root / "bin/sh").resolve() == root / "usr/bin/dash"
    assert (root / "usr/bin/awk").resolve() == root / "usr/bin/mawk"
    assert (root / "etc/passwd").read_text() == "root:*:0:0\n"
    assert (root / "etc/group").read_text() == "root:*:0:\n"
    assert str((root / "etc/mtab").readlink()) == "/proc/self/mounts"
    assert not list(root.rglob("*.deb"))


def test_it_is_fetched_once_for_its_architecture(log: Path) -> None:
    root = debian_root(ARM64, reporter=NullReporter())
    *_, fetched = log.read_text().splitlines()
    assert "-oAPT::Architecture=arm64" in fetched
    assert fetched.endswith(" ".join(PACKAGES))
    log.unlink()
    assert debian_root(ARM64, reporter=NullReporter()) == root
    assert not log.exists()


def test_a_failed_download_leaves_nothing(log: Path, tmp_path: Path) -> None:
    down = tmp_path / "mirrors.down"
    down.touch()
    with pytest.raises(InfrastructureError) as caught:
        debian_root(ARM64, reporter=NullReporter())
    assert caught.value.detail == "E: no route"
    assert [path.name for path in (tmp_path / "cache/roots").iterdir()] == ["apt"]
    down.unlink()
    log.unlink()
    assert debian_root(ARM64, reporter=NullReporter()).is_dir()


@pytest.mark.usefixtures("log")
def test_a_machine_without_a_mirror_of_debian_is_told_what_else_it_can_do(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text("http://other.example/ Other\n")
    with pytest.raises(MissingError) as caught:
        debian_root(ARM64, reporter=NullReporter())
    assert "--root DIR" in (caught.value.hint or "")

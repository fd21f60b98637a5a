# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, Recorder, make_tarball, make_tree, write_program

from dynaccel.core.errors import InfrastructureError, MissingError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.host import suites
from dynaccel.kbuild import debian, source, space

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()
APT_CACHE = """#!/bin/sh
[ -e "$(dirname "$0")/unknown" ] && { echo 'E: No packages found' >&2; exit 100; }
printf 'Package: linux-source-6.1\\nVersion: 6.1.9-1\\n'
"""
APT_GET = """#!/bin/sh
case "$*" in *download*) ;; *) exit ;; esac
echo "$@" >>"$(dirname "$0")/fetched"
: >linux-source-6.1_6.1.9-1_all.deb
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/src"
cp "$(dirname "$0")/packaged" "$3/usr/src/linux-source-6.1.tar.xz"
"""

OTHER_APT_GET = """#!/bin/sh
echo "$*" >>{calls}
case "$*" in
*indextargets*)
    echo "http://security.invalid/ Debian-Security"
    echo "http://mirror.invalid/debian/ Debian"
    ;;
*update*)
    for word; do case $word in *Lists=*) : >"${{word#*=}}/mirror_Packages" ;; esac; done
    ;;
esac
"""
OTHER_APT_CACHE = """#!/bin/sh
case "$*" in
*SourceList=*) printf 'Package: linux-source-6.1\\nVersion: 6.1.99-1\\n' ;;
*) printf 'Package: linux-source-6.12\\nVersion: 6.12.9-1\\n' ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(debian, "INSTALLED", tmp_path / "usr-src")
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


def names(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


@pytest.mark.parametrize("top", ["linux-6.1.7", "."])
def test_a_tarball_is_unpacked_with_or_without_a_top_directory(
    machine: Machine, tmp_path: Path, top: str
) -> None:
    place = tmp_path / "tar"
    place.mkdir()
    if top == ".":
        make_tree(place / "t")
        archive = place / "flat.tar"
        subprocess.run(["tar", "-C", place / "t", "-cf", archive, "."], check=True)
    else:
        archive = make_tarball(place)
    found = source.resolve(str(archive), reporter=QUIET)
    source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert "kernel/time/timer.c" in names(machine.cache / "out")


def test_the_identity_of_a_tarball_is_its_content(machine: Machine, tmp_path: Path) -> None:
    assert machine
    archive = make_tarball(tmp_path)
    copy = tmp_path / "other-name.tar"
    copy.write_bytes(archive.read_bytes())
    first = source.resolve(str(archive), reporter=QUIET).identity
    assert source.resolve(str(copy), reporter=QUIET).identity == first
    copy.write_bytes(archive.read_bytes() + b"\0")
    assert source.resolve(str(copy), reporter=QUIET).identity != first


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"this is no archive" * 100, "damaged, or not a tarball"), (None, "holds no kernel source")],
)
def test_a_bad_tarball_leaves_nothing(
    machine: Machine, tmp_path: Path, content: bytes | None, words: str
) -> None:
    archive = tmp_path / "x.tar"
    if content is None:
        (tmp_path / "file").write_text("no kernel")
        subprocess.run(["tar", "-C", tmp_path, "-cf", archive, "file"], check=True)
    else:
        archive.write_bytes(content)
    found = source.resolve(str(archive), reporter=QUIET)
    with pytest.raises(UserError, match=words):
        source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert os.listdir(machine.cache) == []  # noqa: PTH208


def test_a_full_disk_while_unpacking_is_told_as_such(machine: Machine, tmp_path: Path) -> None:
    found = source.resolve(str(make_tarball(tmp_path)), reporter=QUIET)
    write_program(
        machine.bin / "tar",
        "#!/bin/sh\necho 'tar: x: Cannot write: No space left on device' >&2\nexit 2\n",
    )
    with pytest.raises(InfrastructureError, match="the disk ran full; free are"):
        source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert os.listdir(machine.cache) == []  # noqa: PTH208


def test_too_little_room_is_told_before_unpacking(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1 << 60)
    found = source.resolve(str(make_tarball(tmp_path)), reporter=QUIET)
    with pytest.raises(InfrastructureError, match="a kernel build needs"):
        source.unpack(found, machine.cache / "out", reporter=QUIET)


def test_a_plain_tree_is_copied_without_git_and_build_products(
    machine: Machine, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path / "linux")
    for name in (".git/config", "kernel/fork.o", "kernel/.fork.o.cmd", "vmlinux", "modules.order"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    (tree / "link").symlink_to("Makefile")
    found = source.resolve(str(tree), reporter=QUIET)
    source.unpack(found, machine.cache / "out", reporter=QUIET)
    copied = names(machine.cache / "out")
    assert "init/main.c" in copied
    assert (machine.cache / "out/link").is_symlink()
    assert not {"kernel/fork.o", "vmlinux", ".git/config", "modules.order"} & set(copied)
    assert machine.read("targets") == []


def test_a_tree_that_was_built_in_place_is_cleaned_in_the_copy_alone(
    machine: Machine, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path / "linux")
    (tree / ".config").touch()
    (tree / "include/config").mkdir(parents=True)
    (tree / "include/config/auto.conf").touch()
    before = names(tree)
    found = source.resolve(str(tree), reporter=QUIET)
    source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert machine.read("targets") == ["mrproper"]
    assert not (machine.cache / "out/.config").exists()
    assert names(tree) == before


def test_of_a_git_tree_what_is_tracked_or_new_counts(machine: Machine, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "linux")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y.example", "-C", str(tree)]
    (tree / ".gitignore").write_text("*.log\n")
    (tree / "gone.c").touch()
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "all"], check=True)
    (tree / "gone.c").unlink()
    (tree / "build.log").touch()
    (tree / "new.c").touch()
    found = source.resolve(str(tree), reporter=QUIET)
    assert {"new.c", ".gitignore", "Makefile"} <= set(found.files)
    assert not {"gone.c", "build.log"} & set(found.files)
    source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert names(machine.cache / "out") == sorted(found.files)


def test_the_identity_of_a_tree_is_its_content_not_its_place(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine
    trees = [make_tree(tmp_path / name) for name in ("a", "b")]
    first, second = (source.resolve(str(tree), reporter=QUIET).identity for tree in trees)
    assert first == second
    (trees[1] / "init/main.c").write_text("int other;\n")
    assert source.resolve(str(trees[1]), reporter=QUIET).identity != first


def test_a_directory_that_is_no_kernel_is_refused(machine: Machine, tmp_path: Path) -> None:
    assert machine
    with pytest.raises(UserError, match="not a kernel source tree"):
        source.resolve(str(tmp_path), reporter=QUIET)
    with pytest.raises(UserError, match="there is no kernel source"):
        source.resolve("redhat:8", reporter=QUIET)
    with pytest.raises(UserError, match="not a source of Linux"):
        source.resolve("debian:bookworm", reporter=QUIET)


def test_the_installed_package_is_used_as_it_is(machine: Machine, tmp_path: Path) -> None:
    assert machine
    (tmp_path / "usr-src").mkdir()
    installed = tmp_path / "usr-src/linux-source-6.1.tar.xz"
    installed.write_bytes(b"x")
    found = source.resolve("debian:6.1", reporter=QUIET)
    assert (found.label, found.path) == ("debian:6.1", installed)


def with_apt(machine: Machine, tmp_path: Path) -> None:
    write_program(machine.bin / "apt-cache", APT_CACHE)
    write_program(machine.bin / "apt-get", APT_GET)
    write_program(machine.bin / "dpkg-deb", DPKG_DEB)
    (machine.bin / "packaged").write_bytes(make_tarball(tmp_path).read_bytes())


def test_a_package_is_fetched_without_root_and_once(machine: Machine, tmp_path: Path) -> None:
    with_apt(machine, tmp_path)
    reporter = Recorder()
    first = source.resolve("debian:6.1", reporter=reporter)
    assert first.path == machine.cache / "src/linux-source-6.1_6.1.9-1.tar.xz"
    assert source.resolve("debian:6.1", reporter=reporter) == first
    assert machine.read("fetched") == ["download linux-source-6.1=6.1.9-1"]
    assert reporter.lines == ["fetching linux-source-6.1 6.1.9-1"]
    assert [path.name for path in (machine.cache / "src").iterdir()] == [first.path.name]


def test_a_package_that_apt_does_not_know_is_missing(machine: Machine, tmp_path: Path) -> None:
    with_apt(machine, tmp_path)
    (machine.bin / "unknown").touch()
    with pytest.raises(MissingError, match=r"linux-source-6\.1 is neither installed") as caught:
        source.resolve("debian:6.1", reporter=QUIET)
    assert caught.value.hint is not None
    assert "apt-get update" in caught.value.hint


def test_what_debian_has_is_told_where_it_has_not_what_was_asked_for(
    machine: Machine, tmp_path: Path
) -> None:
    with_apt(machine, tmp_path)
    write_program(
        machine.bin / "apt-cache",
        "#!/bin/sh\n[ $1 = search ] && echo 'linux-source-9.0 - Linux kernel source'\nexit 0\n",
    )
    (tmp_path / "usr-src").mkdir()
    (tmp_path / "usr-src/linux-source-4.19.tar.xz").touch()
    with pytest.raises(MissingError) as caught:
        source.resolve("debian:9.9", reporter=QUIET)
    assert caught.value.detail == (
        "there are debian:4.19, debian:5.10, debian:6.1, debian:6.12, debian:7.2, debian:7.3,"
        " debian:9.0"
    )


def test_a_failed_download_tells_why_and_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    with_apt(machine, tmp_path)
    write_program(machine.bin / "apt-get", "#!/bin/sh\necho 'Err: no route' >&2\nexit 100\n")
    with pytest.raises(InfrastructureError, match="cannot fetch") as caught:
        source.resolve("debian:6.1", reporter=QUIET)
    assert caught.value.detail == "Err: no route"
    assert list((machine.cache / "src").iterdir()) == []


def test_another_release_of_debian_is_asked_when_this_one_has_no_such_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    calls = tmp_path / "calls"
    write_program(tools / "apt-get", OTHER_APT_GET.format(calls=calls))
    write_program(tools / "apt-cache", OTHER_APT_CACHE)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(suites, "KEYRING", keyring)
    monkeypatch.setattr(debian, "INSTALLED", tmp_path / "nowhere")
    # The fake delivers no package: what matters is whom it was asked for.
    with pytest.raises(InfrastructureError):
        debian.find_archive("6.1", cache=tmp_path / "cache", reporter=QUIET)
    listed = (tmp_path / "cache/apt/bookworm-security+bookworm/sources.list").read_text()
    assert listed.splitlines() == [
        f"deb [signed-by={keyring}] http://security.invalid/ bookworm-security main",
        f"deb [signed-by={keyring}] http://mirror.invalid/debian/ bookworm main",
    ]
    said = calls.read_text().splitlines()
    assert any(line.endswith("download linux-source-6.1=6.1.99-1") for line in said)

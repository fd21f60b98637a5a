# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images and directories with a Debian, made by fakes of the programs that make them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.arches import ARM64
from dynaccel.core.errors import (
    DynaccelError,
    InfrastructureError,
    MissingError,
    StageError,
    UserError,
)
from dynaccel.core.events import NullReporter, Progress
from dynaccel.host import suites
from dynaccel.vm import debian_bootstrap
from dynaccel.vm.debian_image import (
    DEFAULT_SIZE,
    SYSTEM,
    Debian,
    DebianImage,
    debian_directory,
    debian_image,
    debian_image_if_made,
)
from dynaccel.vm.machine import ImageFormat, ImageRoot
from dynaccel.vm.root import find_root

if TYPE_CHECKING:
    from pathlib import Path

MIRRORS = "http://debian.example/debian/ Debian\nhttp://debian.example/security/ Debian-Security\n"
APT_CONFIG = """\
APT::Architecture "amd64";
Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://me:secret@proxy.example:3128";
Acquire::https::Proxy "";
Acquire::Languages:: "none";
"""
ACCESS = """\
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://me:secret@proxy.example:3128";
"""
FAKES = {
    "apt-get": '[ "$1" = indextargets ] && cat "$TEST_PLACE/mirrors"',
    "apt-config": '[ "$1" = dump ] && cat "$TEST_PLACE/apt-config"',
    "unshare": """
        echo "unshare $*" >>"$TEST_PLACE/log"
        [ -e "$TEST_PLACE/no-users" ] && { echo "unshare failed: no mapping" >&2; exit 1; }
        while [ "$1" != -- ]; do shift; done
        shift
        exec "$@" """,
    "newuidmap": "exit 1",
    "arch-test": 'echo "$1: not supported on this machine/kernel"; exit 1',
    "mmdebstrap": """
        for word; do case $word in --aptopt=*) access=${word#*=} ;; esac; done
        while case $1 in --*) ;; *) false ;; esac; do shift; done
        root=$2
        mkdir -p "$root/etc/apt/apt.conf.d" "$root/etc/dpkg/dpkg.cfg.d" "$root/usr/bin"
        echo $$ >"$TEST_PLACE/pid"
        echo "I: running apt-get update..." >&2
        [ -e "$TEST_PLACE/hang" ] && exec sleep 1000
        [ -e "$TEST_PLACE/said" ] && { cat "$TEST_PLACE/said" >&2; exit 1; }
        cp "$access" "$TEST_PLACE/access"
        cp "$access" "$root/etc/apt/apt.conf.d/99mmdebstrap"
        touch "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$root/usr/bin/program"
        echo machine >"$root/etc/hostname"
        echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
        """,
    "dpkg-query": 'echo "installed base-files 12.4"; echo "config-files gone 1"',
    # The image is a list of what went into it.
    "mke2fs": """
        [ -e "$TEST_PLACE/unpacked" ] && { cat "$TEST_PLACE/unpacked" >&2; exit 1; }
        [ "$1 $2 $3 $4" = "-q -t ext4 -d" ] || exit 9
        cd "$5" && { echo "$7"; find . -type f | sort; } >"$6" """,
    "qemu-img": '[ "$1 $2 $3" = "convert -O qcow2" ] && cp "$4" "$5"',
}


@dataclass(frozen=True)
class Place:
    """Where the fakes look for how to behave, and what came of it."""

    path: Path

    def log(self) -> list[str]:
        log = self.path / "log"
        return log.read_text().splitlines() if log.exists() else []

    def bootstraps(self) -> list[str]:
        return [line for line in self.log() if " mmdebstrap " in line]

    def images(self) -> list[str]:
        return sorted(
            path.name
            for path in (self.path / "cache/images").iterdir()
            if not path.name.endswith(".lock")
        )


@pytest.fixture(params=["root", "user"])
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "mirrors").write_text(MIRRORS)
    (tmp_path / "apt-config").write_text(APT_CONFIG)
    (tmp_path / "keyring").touch()
    monkeypatch.setattr(suites, "KEYRING", tmp_path / "keyring")
    monkeypatch.setattr(debian_bootstrap, "is_root", lambda: request.param == "root")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TEST_PLACE", str(tmp_path))
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    return Place(tmp_path)


as_root = pytest.mark.parametrize("place", ["root"], indirect=True)
as_user = pytest.mark.parametrize("place", ["user"], indirect=True)


def image(*packages: str, size_bytes: int = DEFAULT_SIZE) -> Path:
    request = DebianImage(packages=packages, size_bytes=size_bytes)
    return debian_image(request, reporter=NullReporter())


def test_an_image_holds_the_system_and_says_what_is_in_it(place: Place) -> None:
    disk = image("nginx", size_bytes=1 << 30)
    assert disk.parent.parent == place.path / "cache/images"
    assert disk.read_text().splitlines() == [
        "1048576k",
        "./etc/hostname",
        "./etc/hosts",
        "./usr/bin/program",
    ]
    assert sorted(path.name for path in disk.parent.iterdir()) == ["disk.qcow2", "manifest.json"]
    manifest = json.loads((disk.parent / "manifest.json").read_text())
    assert manifest.pop("made") > "2020"
    assert manifest == {
        "suite": "bookworm", "arch": "amd64", "asked_for": ["nginx"], "finish": "",
        "packages": {"base-files": "12.4"}, "size_bytes": 1 << 30,
    }  # fmt: skip
    assert place.images() == [disk.parent.name]


def test_apt_is_led_to_this_machines_mirror_in_its_way(place: Place) -> None:
    image("nginx", "cron")
    (line,) = place.bootstraps()
    packages = ",".join(sorted({*SYSTEM, "nginx"}))
    assert f" --include={packages} " in line
    assert " --architectures=amd64 " in line
    keyring = place.path / "keyring"
    assert line.endswith(
        f" deb [signed-by={keyring}] http://debian.example/debian/ bookworm main"
        f" deb [signed-by={keyring}] http://debian.example/security/ bookworm-security main"
    )
    assert (place.path / "access").read_text() == ACCESS
    assert "secret" not in line


def test_a_system_of_the_required_packages_alone_asks_for_no_more(place: Place) -> None:
    debian_image(DebianImage(base=()), reporter=NullReporter())
    (line,) = place.bootstraps()
    assert "--include" not in line


@as_root
def test_root_needs_no_name_space_of_users(place: Place) -> None:
    image()
    assert {line.partition(" -- ")[0] for line in place.log()} == {
        "unshare --mount --uts --pid --fork --kill-child"
    }


@as_user
def test_a_user_is_root_in_a_name_space_of_users(place: Place) -> None:
    image()
    assert {line.partition(" -- ")[0] for line in place.log()} == {
        "unshare --map-root-user --map-auto --mount --uts --pid --fork --kill-child"
    }


@as_user
def test_a_user_without_other_users_is_told_how_to_get_some(place: Place) -> None:
    (place.path / "no-users").touch()
    with pytest.raises(MissingError) as caught:
        image()
    assert caught.value.detail == "unshare failed: no mapping"
    assert "usermod --add-subuids" in (caught.value.hint or "")


def test_what_is_made_is_made_once(place: Place) -> None:
    request = DebianImage(packages=("nginx", "cron"))
    assert debian_image_if_made(request) is None
    disk = debian_image(request, reporter=NullReporter())
    (place.path / "log").unlink()
    assert debian_image_if_made(request) == disk
    assert image("nginx") == disk, "cron is part of the system anyway"
    assert place.log() == []


@pytest.mark.usefixtures("place")
def test_what_differs_has_places_of_its_own() -> None:
    requests = [
        DebianImage(),
        DebianImage(suite="trixie"),
        DebianImage(packages=("nginx",)),
        DebianImage(base=()),
        DebianImage(size_bytes=1 << 30),
        DebianImage(finish=lambda _: None, finish_key="tuned"),
    ]
    disks = {debian_image(request, reporter=NullReporter()) for request in requests}
    assert len(disks) == len(requests)


@pytest.mark.usefixtures("place")
def test_a_caller_finishes_the_system_before_it_is_packed() -> None:
    def finish(root: Path) -> None:
        (root / "etc/tuned").write_text("")

    request = DebianImage(finish=finish, finish_key="tuned 1000")
    disk = debian_image(request, reporter=NullReporter())
    assert "./etc/tuned" in disk.read_text().splitlines()
    assert json.loads((disk.parent / "manifest.json").read_text())["finish"] == "tuned 1000"
    with pytest.raises(ValueError, match="finish_key"):
        DebianImage(finish=finish)


@as_root
def test_a_directory_is_made_once_and_serves_the_image_too(place: Place) -> None:
    root = debian_directory(Debian(packages=("nginx",)), reporter=NullReporter())
    assert (root / "etc/hostname").read_text() == "debian\n"
    assert "127.0.0.1\tlocalhost\n" in (root / "etc/hosts").read_text()
    assert root.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in root.parent.iterdir()) == ["manifest.json", "root"]
    assert debian_directory(Debian(packages=("nginx",)), reporter=NullReporter()) == root
    assert "./usr/bin/program" in image("nginx").read_text().splitlines()
    assert (root / "usr/bin/program").is_file()
    assert len(place.bootstraps()) == 1


@as_user
@pytest.mark.usefixtures("place")
def test_a_user_cannot_have_a_directory() -> None:
    with pytest.raises(UserError, match="only root"):
        debian_directory(Debian(), reporter=NullReporter())


CONFLICT = "The following packages have unmet dependencies:\n exim4 : Conflicts: postfix"
BROKEN = "dpkg: error processing package nginx (--configure)"
LAST_WORDS = """\
E: setup failed: E: apt-get -o DPkg::Chroot-Directory=/x --yes install exim4 postfix failed
I: main() received signal PIPE: waiting for setup...
E: mmdebstrap failed to run
"""
SAID: dict[str, tuple[type[DynaccelError], str, str]] = {
    "no package": (
        UserError,
        "no package nosuch, other",
        """\
E: Unable to locate package nosuch
E: Package 'other' has no installation candidate
E: setup failed: E: apt-get --yes install nosuch other failed
""",
    ),
    "packages that exclude each other": (
        UserError,
        "cannot be installed together",
        f"Reading package lists...\n{CONFLICT}\n{LAST_WORDS}",
    ),
    "no suite": (
        UserError,
        "has no http://debian.example/debian bookworm",
        "E: The repository 'http://debian.example/debian bookworm Release' does not have a Release",
    ),
    "no answer": (
        InfrastructureError,
        "does not answer",
        "E: Failed to fetch http://debian.example/  Could not connect to debian.example:80\n",
    ),
    "no room": (
        InfrastructureError,
        "disk ran full",
        "E: Failed to fetch http://debian.example/  Error writing (28: No space left on device)\n",
    ),
    "a package that fails": (
        StageError,
        "mmdebstrap failed",
        f"{BROKEN}\n{LAST_WORDS}",
    ),
}
DETAILS = {"packages that exclude each other": CONFLICT, "a package that fails": BROKEN}


@pytest.mark.parametrize("case", SAID)
def test_a_failure_is_named_and_leaves_nothing(place: Place, case: str) -> None:
    kind, message, said = SAID[case]
    (place.path / "said").write_text(said)
    with pytest.raises(DynaccelError, match=message) as caught:
        image("nosuch")
    assert type(caught.value) is kind
    assert caught.value.hint
    assert caught.value.detail == DETAILS.get(case, caught.value.detail)
    assert place.images() == []
    (place.path / "said").unlink()
    assert image("nosuch").is_file()


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("mke2fs: Could not allocate block in ext2 filesystem", UserError, "does not fit"),
        ("mke2fs: No space left on device", InfrastructureError, "disk ran full"),
        ("mke2fs: something else", StageError, "failed with status 1"),
    ],
)
def test_a_disk_that_cannot_be_written_leaves_nothing(
    place: Place, said: str, kind: type[DynaccelError], message: str
) -> None:
    (place.path / "unpacked").write_text(said)
    with pytest.raises(kind, match=message) as caught:
        image()
    assert said in (caught.value.detail or "")
    assert place.images() == []


class Interrupting(NullReporter):
    """Ctrl-C at the first sign of progress."""

    def progress(self, progress: Progress) -> None:
        assert progress.message == "running apt-get update"
        raise KeyboardInterrupt


def test_an_interruption_leaves_nothing(place: Place) -> None:
    (place.path / "hang").touch()
    with pytest.raises(KeyboardInterrupt):
        debian_image(DebianImage(), reporter=Interrupting())
    assert place.images() == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((place.path / "pid").read_text()), 0)


@pytest.mark.usefixtures("place")
def test_what_one_left_that_was_killed_is_taken_away() -> None:
    disk = image()
    left = disk.parent.with_name(f".{disk.parent.name}.abcdefgh")
    disk.parent.rename(left)
    assert image() == disk
    assert not left.exists()


@pytest.mark.parametrize("program", ["mmdebstrap", "qemu-img"])
def test_a_missing_program_is_named_with_its_package(
    place: Place, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (place.path / "bin" / program).unlink()
    monkeypatch.setenv("PATH", str(place.path / "bin"))
    with pytest.raises(MissingError, match=program) as caught:
        image()
    package = {"qemu-img": "qemu-utils"}.get(program, program)
    assert caught.value.hint == f"sudo apt-get install {package}"


def test_a_machine_without_a_mirror_of_debian_is_told(place: Place) -> None:
    (place.path / "mirrors").write_text("http://other.example/ Other\n")
    with pytest.raises(MissingError, match="no mirror"):
        image()
    assert place.images() == []


def test_programs_of_another_architecture_must_run(place: Place) -> None:
    with pytest.raises(MissingError, match="arm64") as caught:
        debian_image(DebianImage(arch=ARM64), reporter=NullReporter())
    assert "qemu-user-static" in (caught.value.hint or "")
    assert place.bootstraps() == []


@pytest.mark.parametrize("name", ["", "nginx-", "./nginx.deb", "?essential", "Nginx", "a b", "a,b"])
def test_a_name_that_apt_would_take_for_more_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="not the name of a Debian package"):
        DebianImage(packages=(name,))


def test_a_bad_suite_and_a_small_disk_are_refused(place: Place) -> None:
    with pytest.raises(UserError, match="not the name of a Debian release"):
        DebianImage(suite="../x")
    with pytest.raises(UserError, match="too small"):
        image(size_bytes=1 << 20)
    assert place.log() == []


class Listening(NullReporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, message: str) -> None:
        self.warnings.append(message)


def test_a_root_is_named_with_its_packages(place: Place) -> None:
    reporter = Listening()
    arch = DebianImage().arch
    found = find_root("debian-system:nginx, cron", arch=arch, reporter=reporter)
    assert found == ImageRoot(path=image("nginx"), format=ImageFormat.QCOW2)
    assert len(reporter.warnings) == 1
    assert find_root("debian-system:nginx,", arch=arch, reporter=reporter) == found
    assert find_root("debian-system", arch=arch, reporter=Listening()) != found
    assert len(reporter.warnings) == 1
    assert len(place.bootstraps()) == 2

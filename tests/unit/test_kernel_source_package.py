# SPDX-License-Identifier: GPL-2.0-or-later
"""Source packages are made here by the tools of their distributions, of a tiny tree and a patch."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, make_tarball, make_tree

from dynaccel.core.errors import MissingError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.kbuild import source, space

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()
PATCH = """\
--- a/init/main.c
+++ b/init/main.c
@@ -1 +1 @@
-int main;
+int vendors;
"""
SPEC = """\
Name: kernel
Version: 6.1.7
Release: 1.vendor
Summary: a tiny kernel
License: GPL-2.0-only
Source0: linux.tar.gz
Patch1: vendor.patch
BuildRequires: a-compiler-of-the-vendor
%description
Tiny.
%prep
{prep}
"""
ONE_TREE = """\
%setup -q -n linux-6.1.7
%patch1 -p1
touch .config"""
TWO_TREES = """\
%setup -q -c -n kernel-6.1.7
cp -r linux-6.1.7 vanilla-6.1.7
cd linux-6.1.7
%patch1 -p1"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


def make_srpm(directory: Path, prep: str) -> Path:
    """Pack the tiny tree and the patch as a vendor does."""
    sources = directory / "SOURCES"
    sources.mkdir(parents=True)
    make_tarball(directory).rename(sources / "linux.tar.gz")
    (sources / "vendor.patch").write_text(PATCH)
    spec = directory / "kernel.spec"
    spec.write_text(SPEC.format(prep=prep))
    subprocess.run(
        ["rpmbuild", "-bs", "--nodeps", f"--define=_topdir {directory}", spec],
        check=True, capture_output=True,
    )  # fmt: skip
    (package,) = (directory / "SRPMS").iterdir()
    return package


def make_dsc(directory: Path) -> Path:
    """Pack the tiny tree and the patch as Debian does."""
    tree = make_tree(directory / "linux-6.1.7")
    subprocess.run(
        ["tar", "-C", directory, "-czf", directory / "linux_6.1.7.orig.tar.gz", tree.name],
        check=True,
    )
    for name, text in {
        "control": "Source: linux\nMaintainer: A <a@b.example>\n\nPackage: linux\n"
        "Architecture: all\nDescription: tiny\n",
        "changelog": "linux (6.1.7-1) unstable; urgency=low\n\n  * Tiny.\n\n"
        " -- A <a@b.example>  Thu, 01 Jan 1970 00:00:00 +0000\n",
        "source/format": "3.0 (quilt)\n",
        "patches/series": "vendor.patch\n",
        "patches/vendor.patch": PATCH,
    }.items():
        (tree / "debian" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "debian" / name).write_text(text)
    subprocess.run(
        ["dpkg-source", "--build", tree.name], cwd=directory, check=True, capture_output=True
    )
    return directory / "linux_6.1.7-1.dsc"


def unpacked(machine: Machine, package: Path) -> Path:
    found = source.resolve(str(package), reporter=QUIET)
    assert found.label == str(package)
    source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert sorted(os.listdir(machine.cache)) == ["out"]  # noqa: PTH208
    return machine.cache / "out"


@pytest.mark.parametrize("prep", [ONE_TREE, TWO_TREES], ids=["one-tree", "two-trees"])
def test_an_srpm_is_unpacked_with_its_vendors_patches(
    machine: Machine, tmp_path: Path, prep: str
) -> None:
    tree = unpacked(machine, make_srpm(tmp_path / "rpm", prep))
    assert (tree / "init/main.c").read_text() == "int vendors;\n"
    assert (tree / "kernel/time/timer.c").is_file()


def test_what_prep_configures_is_taken_back(machine: Machine, tmp_path: Path) -> None:
    tree = unpacked(machine, make_srpm(tmp_path / "rpm", ONE_TREE))
    assert machine.read("targets") == ["mrproper"]
    assert not (tree / ".config").exists()


def test_a_package_of_debian_is_unpacked_with_its_patches(machine: Machine, tmp_path: Path) -> None:
    tree = unpacked(machine, make_dsc(tmp_path / "deb"))
    assert (tree / "init/main.c").read_text() == "int vendors;\n"


@pytest.mark.parametrize(
    ("prep", "words"),
    [
        ("exit 3", "rpmbuild failed"),
        ("%setup -q -c -T -n empty", "holds no kernel source"),
        ("%setup -q -c -n k\ncp -r linux-6.1.7 linux-two", "holds several: k/linux-6"),
    ],
)
def test_a_bad_srpm_is_refused_and_leaves_nothing(
    machine: Machine, tmp_path: Path, prep: str, words: str
) -> None:
    package = make_srpm(tmp_path / "rpm", prep)
    found = source.resolve(str(package), reporter=QUIET)
    with pytest.raises(UserError, match=words) as caught:
        source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert caught.value.hint is not None
    assert os.listdir(machine.cache) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "start", "package"),
    [
        ("kernel.src.rpm", b"\xed\xab\xee\xdb", "rpm"),
        ("linux.dsc", b"Format: 3.0", "dpkg-dev"),
        ("linux.tar.zst", b"\x28\xb5\x2f\xfd", "zstd"),
        ("linux.tar", b"\xfd7zXZ\0", "xz-utils"),
    ],
)
def test_what_unpacks_a_source_is_named_where_it_is_missing(
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    name: str,
    start: bytes,
    package: str,
) -> None:
    (machine.bin / "tar").symlink_to("/bin/tar")
    monkeypatch.setenv("PATH", str(machine.bin))
    (tmp_path / name).write_bytes(start + b"...")
    found = source.resolve(str(tmp_path / name), reporter=QUIET)
    with pytest.raises(MissingError) as caught:
        source.unpack(found, machine.cache / "out", reporter=QUIET)
    assert caught.value.hint == f"sudo apt-get install {package}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and templates of a kernel's packages, and the scripts that travel in its source package."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynaccel.core import arches
from dynaccel.core.errors import UserError
from dynaccel.core.kernels import BuiltTree, Kernel, KernelManifest
from dynaccel.packaging.kernel import Naming
from dynaccel.packaging.kernel.rpm import spec

if TYPE_CHECKING:
    from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "packaging/kernel"


def script(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    found = importlib.util.spec_from_loader(loader.name, loader)
    assert found is not None
    module = importlib.util.module_from_spec(found)
    loader.exec_module(module)
    return module


def built(
    tmp_path: Path, *, release: str, version: str = "6.1.7", modular: bool = True
) -> BuiltTree:
    manifest = KernelManifest(
        id="0123456789abcdef",
        release=f"{version}-dynaccel",
        arch="x86_64",
        accelerated=True,
        source="/home/me/secret/linux-6.1.7.tar.xz",
        compiler="gcc (Debian 12.2.0) 12.2.0",
        created="2026-11-22T10:11:12+00:00",
        build_seconds=1.0,
    )
    return BuiltTree(
        kernel=Kernel(directory=tmp_path, manifest=manifest),
        release=release,
        version=version,
        objects=tmp_path / "linux/.dynaccel-build",
        image="arch/x86/boot/bzImage",
        target="bzImage",
        make=("make", "-C", str(tmp_path)),
        portable="env -i LC_ALL=C make -C linux O=.dynaccel-build",
        modular=modular,
    )


def test_an_epoch_beats_a_higher_version_for_both_tools() -> None:
    naming = Naming(release="1", arch=arches.X86_64)
    tree = built(Path("/x"), release="6.1.7-1.dynaccel-amd64")
    ours = naming.deb_version(tree)
    assert ours == "1:6.1.7-1.dynaccel"
    subprocess.run(["dpkg", "--compare-versions", ours, "gt", "7.99.1-1"], check=True)


@pytest.mark.parametrize("release", ["", "-1", "1_2", "a b", "1-2", "1/..", "x" * 33, "é"])
def test_a_release_that_no_package_can_have_is_refused(release: str) -> None:
    with pytest.raises(UserError, match="cannot be a package's release"):
        Naming(release=release, arch=arches.X86_64)


@pytest.mark.parametrize(
    ("arch", "rpm", "deb"),
    [
        (arches.X86_64, "-394.el8.dynaccel.x86_64", "-394.el8.dynaccel-amd64"),
        (arches.ARM64, "-394.el8.dynaccel.aarch64", "-394.el8.dynaccel-arm64"),
    ],
)
def test_the_kernels_release_is_as_in_each_distributions(
    arch: arches.Arch, rpm: str, deb: str
) -> None:
    naming = Naming(release="394.el8", arch=arch)
    assert (naming.rpm_localversion, naming.deb_localversion) == (rpm, deb)


def test_a_candidate_sorts_before_its_release() -> None:
    naming = Naming(release="1", arch=arches.X86_64)
    tree = built(Path("/x"), version="7.4.0", release="7.4.0-rc3-1.dynaccel-amd64")
    assert naming.deb_version(tree) == "1:7.4.0~rc3-1.dynaccel"
    subprocess.run(
        ["dpkg", "--compare-versions", naming.deb_version(tree), "lt", "1:7.4.0-1.dynaccel"],
        check=True,
    )


@pytest.mark.parametrize("modular", [True, False])
def test_rpm_reads_the_spec_and_finds_the_packages_of_a_distribution(
    tmp_path: Path, modular: bool
) -> None:
    naming = Naming(release="394.el8", arch=arches.X86_64)
    tree = built(tmp_path, release="6.1.7-394.el8.dynaccel.x86_64", modular=modular)
    text = spec(tree, naming, source_name="linux-6.1.7.tar.xz")
    assert "secret" not in text
    assert ("modules_install" in text) is modular
    path = tmp_path / "kernel.spec"
    path.write_text(text)
    form = "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}\n"
    done = subprocess.run(
        ["rpmspec", "--query", "--qf", form, path], capture_output=True, text=True, check=True
    )
    names = ["", "-core", "-devel", "-headers", "-modules", "-modules-extra"]
    assert sorted(done.stdout.splitlines()) == [
        f"kernel{name} 1:6.1.7-394.el8.dynaccel" for name in names
    ]


def test_who_makes_packages_can_answer_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBFULLNAME", "A Tester")
    monkeypatch.setenv("DEBEMAIL", "tester@example.org")
    tree = built(tmp_path, release="6.1.7-1.dynaccel.x86_64")
    text = spec(tree, Naming(release="1", arch=arches.X86_64), source_name="linux.tar.xz")
    assert "Packager: A Tester <tester@example.org>\n" in text
    assert re.search(r"^\* \w+ \w+ \d+ \d+ A Tester <tester@example.org> - ", text, re.MULTILINE)


def test_a_module_lies_in_no_package_above_one_that_needs_it() -> None:
    divide = script("split-modules").divide
    needs = {
        "kernel/fs/ext4/ext4.ko": ["kernel/misc/odd.ko", "kernel/net/sctp/sctp.ko"],
        "kernel/misc/odd.ko": [],
        "kernel/net/sctp/sctp.ko": [],
        "kernel/net/can/can.ko": [],
        "kernel/sound/snd.ko": ["kernel/net/can/raw.ko"],
        "kernel/net/can/raw.ko": [],
    }
    assert divide(needs) == {
        "kernel/fs/ext4/ext4.ko": 0,
        "kernel/misc/odd.ko": 0,
        "kernel/net/sctp/sctp.ko": 0,
        "kernel/net/can/can.ko": 2,
        "kernel/sound/snd.ko": 1,
        "kernel/net/can/raw.ko": 1,
    }


def test_the_lists_of_modules_together_are_all_of_them(tmp_path: Path) -> None:
    directory = tmp_path / "lib/modules/6.1.7"
    directory.mkdir(parents=True)
    modules = ["kernel/fs/xfs/xfs.ko.xz", "kernel/sound/snd.ko.xz", "kernel/net/tipc/tipc.ko.xz"]
    (directory / "modules.dep").write_text("".join(f"{module}:\n" for module in modules))
    subprocess.run([SCRIPTS / "split-modules", tmp_path, "6.1.7", tmp_path], check=True)
    found = [(tmp_path / f"{name}.list").read_text().split() for name in
             ("core", "modules", "modules-extra")]  # fmt: skip
    assert found == [[f"/lib/modules/6.1.7/{module}"] for module in modules]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Makefile", True),
        ("fs/ext4/Kconfig", True),
        ("fs/ext4/inode.c", False),
        ("include/linux/sched.h", True),
        ("scripts/.gitignore", False),
        ("arch/x86/include/asm/io.h", True),
        ("arch/arm64/include/asm/io.h", False),
        ("arch/arm64/Makefile", False),
        ("arch/x86/kernel/setup.c", False),
        ("tools/perf/Makefile", False),
    ],
)
def test_of_the_source_goes_what_a_module_needs(path: str, wanted: bool) -> None:
    assert script("install-devel").from_tree(path, "x86") is wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".config", True),
        ("Module.symvers", True),
        ("scripts/mod/modpost", True),
        ("scripts/mod/modpost.o", False),
        ("scripts/mod/.modpost.cmd", False),
        ("include/generated/autoconf.h", True),
        ("include/config/auto.conf", True),
        ("include/config/EXT4_FS", False),
        ("certs/signing_key.pem", False),
        ("vmlinux", False),
        ("tools/objtool/objtool", True),
    ],
)
def test_of_the_objects_goes_what_a_module_needs(path: str, wanted: bool) -> None:
    assert script("install-devel").from_objects(path, "x86") is wanted

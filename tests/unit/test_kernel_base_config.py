# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels with a distribution's configuration: where it comes from, and their modules."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, Recorder, make_tree

from dynaccel.core import arches
from dynaccel.core.errors import BuildError, MissingError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.host import kernels
from dynaccel.kbuild import BuildRequest, base_config, build, debian, space

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()
CONFIG = """\
#
# Automatically generated file; DO NOT EDIT.
CONFIG_X86_64=y
CONFIG_LOCALVERSION="-theirs"
CONFIG_PVH=y
CONFIG_VIRTIO_PCI=m
# CONFIG_NET_9P is not set
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


def request_of(tmp_path: Path, text: str = CONFIG) -> BuildRequest:
    file = tmp_path / "their.config.xz"
    file.write_bytes(lzma.compress(text.encode()))
    tree = tmp_path / "linux"
    if not tree.exists():
        make_tree(tree)
    return BuildRequest(source=str(tree), base_config=str(file), jobs=2)


def test_what_it_says_stays_but_for_what_a_guest_needs(machine: Machine, tmp_path: Path) -> None:
    kernel = build(request_of(tmp_path), patcher=None, reporter=QUIET)
    lines = (kernel.directory / "config").read_text().splitlines()
    assert {"CONFIG_X86_64=y", "CONFIG_VIRTIO_PCI=m"} <= set(lines)
    assert {"CONFIG_NET_9P=m", 'CONFIG_LOCALVERSION="-dynaccel"'} <= set(lines)
    assert "# CONFIG_NET_9P is not set" not in lines
    # Nothing of the shipped configuration, which a guest's kernel starts from otherwise.
    assert not [line for line in lines if "CONFIG_PRINTK" in line]
    assert not [call for call in machine.read("calls") if "allnoconfig" in call]


def test_its_modules_are_built_and_filed_with_it(machine: Machine, tmp_path: Path) -> None:
    kernel = build(request_of(tmp_path), patcher=None, reporter=QUIET)
    calls = [call.split(" [")[0] for call in machine.read("calls")]
    assert calls[-2].endswith(" -j2 vmlinux modules")
    assert calls[-1].endswith(" INSTALL_MOD_STRIP=1 DEPMOD=depmod modules_install")
    assert kernel.modules == kernel.directory / "modules" / "6.1.7-dynaccel"
    assert (kernel.modules / "kernel/9p.ko").read_text() == "module\n"
    assert not (kernel.modules / "build").is_symlink()
    assert kernels.resolve(str(kernel.image)) == kernel, "its file alone names it, too"


def test_a_kernel_without_modules_has_none(machine: Machine, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "linux")
    kernel = build(BuildRequest(source=str(tree)), patcher=None, reporter=QUIET)
    assert kernel.modules is None
    assert not (kernel.directory / "modules").exists()
    assert not [
        call
        for call in machine.read("calls")
        if call.split(" [")[0].endswith((" modules", " modules_install"))
    ]


def test_another_configuration_makes_another_kernel(machine: Machine, tmp_path: Path) -> None:
    first = build(request_of(tmp_path), patcher=None, reporter=QUIET)
    machine.read("calls")
    assert build(request_of(tmp_path), patcher=None, reporter=QUIET) == first
    assert not machine.read("calls")
    other = request_of(tmp_path, CONFIG + "CONFIG_BTRFS_FS=m\n")
    assert build(other, patcher=None, reporter=QUIET).manifest.id != first.manifest.id


def test_modules_that_cannot_be_installed_leave_no_kernel(machine: Machine, tmp_path: Path) -> None:
    machine.set_mode("uninstallable")
    with pytest.raises(BuildError, match="modules cannot be installed") as caught:
        build(request_of(tmp_path), patcher=None, reporter=QUIET)
    assert "write error" in str(caught.value.detail)
    assert not kernels.installed()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"CONFIG_ARM64=y\n", "not a whole configuration for x86_64"),
        (b"int main;\n", "is not a kernel configuration"),
        (b"\xfd7zXZ\0cut off", "cannot read the configuration"),
        (b"\x1f\x8bcut off", "cannot read the configuration"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        base_config.resolve(str(file), arch=arches.X86_64, cache=tmp_path, reporter=QUIET)


def test_debians_are_named_as_debian_names_its_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "linux-config-6.1"
    directory.mkdir()
    for name in ("none_amd64", "none_cloud-amd64", "rt_amd64"):
        text = f"{CONFIG}CONFIG_{name.upper().replace('-', '_')}=y\n"
        (directory / f"config.amd64_{name}.xz").write_bytes(lzma.compress(text.encode()))
    monkeypatch.setattr(debian, "INSTALLED", tmp_path)

    def symbol(flavour: str) -> str:
        found = base_config.resolve(
            f"debian:6.1/{flavour}", arch=arches.X86_64, cache=tmp_path, reporter=QUIET
        )
        return list(found.config.symbols)[-1]

    assert symbol("amd64") == "NONE_AMD64"
    assert symbol("cloud-amd64") == "NONE_CLOUD_AMD64"
    assert symbol("rt-amd64") == "RT_AMD64"
    with pytest.raises(UserError, match="no configuration 'armmp'") as caught:
        symbol("armmp")
    assert caught.value.hint == "there are amd64, cloud-amd64, rt-amd64"


def test_debians_package_that_is_nowhere_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "INSTALLED", tmp_path)
    monkeypatch.setattr(debian, "find_offer", lambda *_args, **_options: (None, None))
    with pytest.raises(MissingError, match=r"linux-config-6\.1 is neither installed nor known"):
        base_config.resolve(
            "debian:6.1/amd64", arch=arches.X86_64, cache=tmp_path / "c", reporter=Recorder()
        )

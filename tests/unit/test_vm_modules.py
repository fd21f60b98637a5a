# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs of a kernel whose drivers are modules."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.errors import UserError
from dynaccel.core.events import NullReporter
from dynaccel.core.kernels import Kernel, KernelManifest
from dynaccel.vm import modules
from dynaccel.vm.guest_image import pack

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()
FILES = {
    "virtio_pci": "virtio virtio_ring",
    "virtio": "",
    "virtio_ring": "virtio",
    "virtio_console": "virtio_ring virtio",
    "9pnet_virtio": "9pnet virtio_ring virtio",
    "9pnet": "",
    "9p": "9pnet",
    "pvpanic-pci": "pvpanic",
    "pvpanic": "",
}


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    directory = tmp_path / "kernel"
    place = directory / "modules" / "6.1.7"
    place.mkdir(parents=True)
    lines = []
    for name, needs in FILES.items():
        (place / f"{name}.ko").write_text(f"module {name}\n")
        lines.append(f"{name}.ko:{''.join(f' {need}.ko' for need in needs.split())}\n")
    (place / "modules.dep").write_text("".join(lines))
    (place / "modules.builtin").write_text("kernel/fs/overlayfs/overlay.ko\nkernel/fs/ext4.ko\n")
    manifest = KernelManifest(
        id="a" * 64, release="6.1.7", arch="x86_64", accelerated=True, source="", compiler="",
        created="", build_seconds=1.0, modules=True,
    )  # fmt: skip
    return Kernel(directory=directory, manifest=manifest)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "init").write_text("the agent\n")
    image = tmp_path / "agent.cpio"
    image.write_bytes(pack(tmp_path, ["init"]))
    return image


def test_each_module_comes_behind_those_it_needs(kernel: Kernel) -> None:
    assert kernel.modules is not None
    order = modules.load_order(kernel.modules, modules.NEEDED, modules.WELCOME)
    names = [name.removesuffix(".ko") for name in order]
    assert sorted(names) == sorted(FILES)
    for name, needs in FILES.items():
        assert all(names.index(need) < names.index(name) for need in needs.split())


def test_the_archive_has_the_agent_and_the_modules_in_their_order(
    kernel: Kernel, agent: Path, tmp_path: Path
) -> None:
    image = modules.initramfs_for(kernel, agent, reporter=QUIET)
    content = image.read_bytes()
    assert content.startswith(agent.read_bytes())
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    rest = content.removeprefix(agent.read_bytes())
    subprocess.run(["cpio", "-id", "--quiet"], cwd=unpacked, input=rest, check=True)
    found = sorted((unpacked / "modules").iterdir())
    assert found[0].name == "000-virtio.ko"
    assert [path.read_text().split()[1] for path in found] == [
        path.name[4:].removesuffix(".ko") for path in found
    ]
    assert modules.initramfs_for(kernel, agent, reporter=QUIET) == image


def test_a_kernel_without_modules_boots_with_the_agent_alone(kernel: Kernel, agent: Path) -> None:
    built_in = KernelManifest(
        id="b" * 64, release="6.1.7", arch="x86_64", accelerated=True, source="", compiler="",
        created="", build_seconds=1.0,
    )  # fmt: skip
    plain = Kernel(directory=kernel.directory, manifest=built_in)
    assert modules.initramfs_for(plain, agent, reporter=QUIET) == agent


def test_a_kernel_that_cannot_be_a_guest_is_refused(kernel: Kernel, agent: Path) -> None:
    assert kernel.modules is not None
    (kernel.modules / "modules.builtin").write_text("")
    with pytest.raises(UserError, match="it has no overlay") as caught:
        modules.initramfs_for(kernel, agent, reporter=QUIET)
    assert "--config" in str(caught.value.hint)
    (kernel.modules / "modules.dep").unlink()
    with pytest.raises(UserError, match="are of no use: No such file"):
        modules.initramfs_for(kernel, agent, reporter=QUIET)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which kernel a word means where there are some of several architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel.core.arches import ARM64, X86_64, Arch
from dynaccel.core.errors import MissingError, UserError
from dynaccel.core.kernels import MANIFEST, KernelManifest
from dynaccel.host import kernels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def on_x86_64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def file_kernel(kernel_id: str, arch: Arch, *, release: str = "6.1.7-dynaccel", hour: int) -> None:
    directory = kernels.store_dir() / kernel_id[:12]
    directory.mkdir(parents=True)
    (directory / "image").write_bytes(b"kernel")
    manifest = KernelManifest(
        id=kernel_id,
        release=release,
        arch=arch.name,
        accelerated=True,
        source="debian:6.1",
        compiler="gcc",
        created=f"2026-01-01T{hour:02}:00:00+00:00",
        build_seconds=1.0,
        image="image",
    )
    (directory / MANIFEST).write_bytes(kernels.dump(manifest))


def chosen(reference: str | None, arch: Arch | None = None) -> str:
    return kernels.resolve(reference, arch=arch).manifest.id


def test_the_default_is_one_that_this_machine_runs() -> None:
    file_kernel("a" * 64, X86_64, hour=1)
    file_kernel("b" * 64, ARM64, hour=2)
    assert chosen(None) == chosen("6.1") == chosen(None, X86_64) == "a" * 64
    assert chosen(None, ARM64) == chosen("6.1", ARM64) == "b" * 64


def test_a_release_that_is_there_for_another_architecture_alone_means_that() -> None:
    file_kernel("a" * 64, X86_64, hour=1)
    file_kernel("b" * 64, ARM64, release="6.12.1-dynaccel", hour=2)
    assert chosen("6.12") == chosen("bbbb") == "b" * 64


def test_without_any_of_an_architecture_the_hint_builds_one() -> None:
    file_kernel("b" * 64, ARM64, hour=1)
    with pytest.raises(MissingError) as caught:
        chosen(None)
    assert caught.value.hint == "dynaccel kernel build"
    with pytest.raises(UserError, match="is for aarch64, not for x86_64"):
        chosen("bbbb", X86_64)
    kernels.delete(kernels.resolve("bbbb"))
    with pytest.raises(MissingError) as caught:
        chosen(None, ARM64)
    assert caught.value.hint == "dynaccel kernel build --arch arm64"


def elf(machine: int) -> bytes:
    return b"\x7fELF\2\1\1".ljust(18, b"\0") + machine.to_bytes(2, "little") + b"\0" * 100


@pytest.mark.parametrize(
    ("content", "arch"),
    [
        (elf(62), X86_64),
        (elf(183), ARM64),
        (b"MZ".ljust(0x202, b"\0") + b"HdrS", X86_64),
        (b"MZ".ljust(56, b"\0") + b"ARM\x64", ARM64),
        (b"what is this?", X86_64),
    ],
    ids=["vmlinux", "vmlinux of arm64", "bzImage", "Image", "unknown"],
)
def test_an_image_file_says_what_it_is_for(tmp_path: Path, content: bytes, arch: Arch) -> None:
    image = tmp_path / "image"
    image.write_bytes(content)
    assert kernels.resolve(str(image)).manifest.arch == arch.name

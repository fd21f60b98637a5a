# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of architectures: by which names they are found, and that it holds together."""

from __future__ import annotations

import pytest

from dynaccel.core import arches
from dynaccel.core.arches import ARCHES, ARM64, X86_64
from dynaccel.core.errors import UserError
from dynaccel.host import paths


@pytest.mark.parametrize(
    ("name", "arch"),
    [("x86_64", X86_64), ("amd64", X86_64), ("aarch64", ARM64), ("arm64", ARM64)],
)
def test_linux_and_debian_name_the_same(name: str, arch: arches.Arch) -> None:
    assert arches.parse(name) is arch


def test_an_unknown_one_is_refused_with_the_known() -> None:
    with pytest.raises(UserError, match="'vax'") as caught:
        arches.parse("vax")
    assert caught.value.hint == "one of amd64, arm64"


def test_no_name_means_two() -> None:
    names = [{arch.name, arch.debian, arch.source, arch.make} for arch in ARCHES]
    assert not set.intersection(*names)


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_the_configuration_of_each_is_shipped(arch: arches.Arch) -> None:
    shipped = paths.data_dir("kernel") / "configs"
    assert all((shipped / name).is_file() for name in arch.fragments)


def test_a_machine_compiles_for_itself_without_a_cross_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert arches.native() is ARM64
    assert (ARM64.native, ARM64.compiler) == (True, "gcc")
    assert ARM64.compiler_packages == ("gcc", "libc6-dev")
    assert X86_64.compiler == "x86_64-linux-gnu-gcc"
    assert X86_64.compiler_packages == ("gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels of other versions, architectures and compilers than this machine's."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, Recorder, fake_compiler, make_tarball, make_tree, write_program

from dynaccel.core import arches
from dynaccel.core.errors import BuildError, MissingError
from dynaccel.core.events import NullReporter
from dynaccel.kbuild import BuildRequest, build, compilers, space

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


def test_where_qemu_cannot_enter_the_elf_image_the_packed_one_is_built_and_filed(
    machine: Machine, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path / "linux")
    (tree / "unknown").write_text("CONFIG_PVH\n")
    (tree / "Makefile").write_text((tree / "Makefile").read_text().replace("6\n", "4\n"))
    kernel = build(BuildRequest(source=str(tree)), patcher=None, reporter=QUIET)
    assert kernel.manifest.image == "bzImage"
    assert kernel.image.is_file()
    assert machine.read("calls")[-1].split(" [")[0].endswith(" bzImage")


def test_a_kernel_for_another_architecture_is_built_with_its_compiler(
    machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "tar").mkdir()
    request = BuildRequest(
        source=str(make_tarball(tmp_path / "tar")), arch=arches.ARM64, compiler=None
    )
    write_program(machine.bin / "aarch64-linux-gnu-ld", "#!/bin/sh\n")
    banner = "aarch64-linux-gnu-gcc (Fake) 12.2.0"
    write_program(machine.bin / "aarch64-linux-gnu-gcc", fake_compiler(banner))
    kernel = build(request, patcher=None, reporter=QUIET)
    assert (kernel.manifest.arch, kernel.manifest.compiler) == ("aarch64", banner)
    assert (
        machine.read("calls")[-1]
        .split(" [")[0]
        .endswith(
            " ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- CC=ccache aarch64-linux-gnu-gcc -j2 Image"
        )
    )


def test_a_named_clang_brings_the_rest_of_llvm(machine: Machine, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "linux")
    with (tree / "Makefile").open("a") as makefile:
        makefile.write("ifneq ($(LLVM),)\nendif\n")
    directory = tmp_path / "llvm-14/bin"
    directory.mkdir(parents=True)
    for name in compilers.LLVM_PROGRAMS:
        write_program(directory / name, fake_compiler("Debian clang version 14.0.6"))
    request = BuildRequest(source=str(tree), compiler=str(directory / "clang"))
    kernel = build(request, patcher=None, reporter=QUIET)
    assert kernel.manifest.compiler == "Debian clang version 14.0.6"
    call = machine.read("calls")[-1]
    assert " ARCH=x86_64 LLVM=1 CC=ccache clang -j" in call
    assert machine.read("paths")[-1].split(":")[0] == str(directory)
    (directory / "ld.lld").unlink()
    with pytest.raises(MissingError, match=r"needs ld\.lld in") as caught:
        build(replace(request, force=True), patcher=None, reporter=QUIET)
    assert caught.value.hint == "sudo apt-get install clang-14 lld-14 llvm-14"


def test_what_was_made_for_another_configuration_is_not_told_as_done(
    machine: Machine, tmp_path: Path
) -> None:
    request = BuildRequest(source=str(make_tarball(tmp_path)))
    machine.set_mode("error")
    with pytest.raises(BuildError):
        build(request, patcher=None, reporter=QUIET)
    (objects,) = {path.parent for path in tmp_path.glob("**/.config")}
    made = [*objects.glob("**/.*.cmd")]
    assert len(made) > 0
    machine.set_mode("ok")
    fragment = tmp_path / "other.config"
    fragment.write_text("CONFIG_OTHER=y\n")
    for path in made:
        os.utime(path, (0, 0))
    reporter = Recorder()
    build(replace(request, fragments=(fragment,)), patcher=None, reporter=reporter)
    assert reporter.steps[0].done == 1


def test_a_symbol_of_other_versions_is_not_demanded_of_this_one(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine
    tree = make_tree(tmp_path / "linux")
    (tree / "unknown").write_text("CONFIG_LATER\n")
    fragment = tmp_path / "my.config"
    fragment.write_text(
        "#: from 6.2\nCONFIG_LATER=y\n#: from 6.2\nCONFIG_BACKPORT=y\n#: to 6.1\nCONFIG_GONE=y\n"
    )
    request = BuildRequest(source=str(tree), fragments=(fragment,))
    config = (build(request, patcher=None, reporter=QUIET).directory / "config").read_text()
    assert "CONFIG_BACKPORT=y\n" in config
    assert "LATER" not in config
    assert "GONE" not in config

# SPDX-License-Identifier: GPL-2.0-or-later
"""A filed kernel's build, taken up again."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, fake_compiler, make_tarball, make_tree, write_program

from dynaccel.core.errors import MissingError, ProcessError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.host import kernels, tools
from dynaccel.kbuild import BuildRequest, Patcher, build, reopened, space

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

QUIET = NullReporter()
DIFF = b"""\
diff --git a/init/main.c b/init/main.c
--- a/init/main.c
+++ b/init/main.c
@@ -1 +1 @@
-int main;
+int dynaccel;
"""


def apply(tree: Path) -> bytes:
    (tree / "init/main.c").write_text("int dynaccel;\n")
    return DIFF


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_tarball(tmp_path)


@pytest.fixture
def kernel(machine: Machine, source: Path) -> Kernel:
    del machine
    request = BuildRequest(source=str(source))
    return build(request, patcher=Patcher(key="x", apply=apply), reporter=QUIET)


def test_another_release_is_built_of_the_same_source_and_patch(kernel: Kernel) -> None:
    with reopened(kernel, reporter=QUIET) as shop:
        tree = shop.build("-7.test.x86_64")
        assert 'CONFIG_LOCALVERSION="-7.test.x86_64"' in (tree.objects / ".config").read_text()
        assert (tree.tree / "init/main.c").read_text() == "int dynaccel;\n"
        assert (tree.objects / tree.image).is_file()
        assert tree.version == "6.1.7"
    filed = (kernel.directory / "config").read_text()
    assert 'CONFIG_LOCALVERSION="-dynaccel"' in filed, "the store does not change"


def test_it_can_be_done_when_the_work_directory_is_gone(kernel: Kernel, machine: Machine) -> None:
    subprocess.run(["rm", "-rf", machine.cache / "work"], check=True)
    with reopened(kernel, reporter=QUIET) as shop:
        tree = shop.build("-1")
        assert (tree.tree / "init/main.c").read_text() == "int dynaccel;\n"


def test_make_for_another_machine_names_no_path_of_this_one(
    kernel: Kernel, machine: Machine
) -> None:
    with reopened(kernel, reporter=QUIET) as shop:
        portable = shop.build("-1").portable
    assert str(machine.cache) not in portable
    assert "ccache" not in portable
    assert " -C linux " in portable
    assert "KBUILD_BUILD_TIMESTAMP=" in portable


def test_the_pristine_source_is_the_tarball_itself(kernel: Kernel, source: Path) -> None:
    with reopened(kernel, reporter=QUIET) as shop, shop.pristine() as archive:
        assert archive == source


def test_a_tree_is_packed_as_it_was_before_the_patch(machine: Machine, tmp_path: Path) -> None:
    del machine
    top = make_tree(tmp_path / "vendor")
    request = BuildRequest(source=str(top))
    found = build(request, patcher=Patcher(key="x", apply=apply), reporter=QUIET)
    with reopened(found, reporter=QUIET) as shop, shop.pristine() as archive:
        with tarfile.open(archive) as packed:
            member = packed.extractfile("linux-6.1.7/init/main.c")
            assert member is not None
            assert member.read() == b"int main;\n"
        first = archive.read_bytes()
    with reopened(found, reporter=QUIET) as shop, shop.pristine() as archive:
        assert archive.read_bytes() == first


def test_another_compiler_is_refused(kernel: Kernel, machine: Machine) -> None:
    write_program(machine.bin / "gcc", fake_compiler("gcc (Fake 2.0) 13.1.0"))
    with (
        pytest.raises(UserError, match=r"made by gcc \(Fake 1\.0\)") as caught,
        reopened(kernel, reporter=QUIET),
    ):
        pass
    assert "--compiler" in (caught.value.hint or "")


def test_another_source_under_the_same_name_is_refused(kernel: Kernel, source: Path) -> None:
    (source.parent / "linux-6.1.7/init/main.c").write_text("int main; \n")
    subprocess.run(["tar", "-C", source.parent, "-czf", source, "linux-6.1.7"], check=True)
    with pytest.raises(UserError, match="not any more"), reopened(kernel, reporter=QUIET):
        pass


def test_what_the_caller_needs_is_looked_for_before_anything_is_built(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = tools.find
    monkeypatch.setattr(tools, "find", lambda name: None if name == "rsync" else look(name))
    with (
        pytest.raises(MissingError, match="needs rsync") as caught,
        reopened(kernel, programs=("make", "rsync"), reporter=QUIET),
    ):
        pass
    assert caught.value.hint == "sudo apt-get install rsync"


def test_an_image_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(b"\x7fELF")
    image = kernels.resolve(str(tmp_path / "vmlinux"))
    with pytest.raises(UserError, match="image alone"), reopened(image, reporter=QUIET):
        pass


def test_a_damaged_patch_leaves_a_tree_that_is_made_anew(
    kernel: Kernel, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaccel.kbuild.reopen._require_same", lambda *_: None)
    damaged = replace(kernel, directory=machine.cache / "damaged")
    subprocess.run(["cp", "-r", kernel.directory, damaged.directory], check=True)
    (damaged.directory / "dynaccel.patch").write_bytes(DIFF.replace(b"int main", b"int other"))
    with pytest.raises(ProcessError), reopened(damaged, reporter=QUIET):
        pass
    with reopened(kernel, reporter=QUIET) as shop:
        assert (shop.build("-1").tree / "init/main.c").read_text() == "int dynaccel;\n"

# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kernel_fakes import (
    STEPS,
    Machine,
    Recorder,
    fake_compiler,
    make_tarball,
    make_tree,
    write_program,
)

from dynaccel.core import arches
from dynaccel.core.errors import BuildError, InfrastructureError, MissingError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.host import kernels, lock, process
from dynaccel.kbuild import BuildRequest, Patcher, build, clean, space, workspace
from dynaccel.kbuild import source as sources

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.events import Progress
    from dynaccel.core.kernels import Kernel

QUIET = NullReporter()
MARK = b"int dynaccel;\n"
DIFF = """\
diff --git a/init/main.c b/init/main.c
--- a/init/main.c
+++ b/init/main.c
@@ -1 +1 @@
-int main;
+int {name};
"""


def patcher(name: str = "dynaccel", calls: list[Path] | None = None) -> Patcher:
    def apply(tree: Path) -> bytes:
        assert (tree / "init/main.c").read_text() == "int main;\n", "the tree is not pristine"
        (tree / "init/main.c").write_text(f"int {name};\n")
        if calls is not None:
            calls.append(tree)
        return DIFF.format(name=name).encode()

    return Patcher(key=name, apply=apply)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(space, "UNPACKED_BYTES", 1)
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1)
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    (tmp_path / "tar").mkdir()
    return BuildRequest(source=str(make_tarball(tmp_path / "tar")), jobs=2)


def work(machine: Machine) -> Path:
    (found,) = (path for path in (machine.cache / "work").iterdir() if path.is_dir())
    return found


def files(kernel: Kernel) -> set[str]:
    return {path.name for path in kernel.directory.iterdir()}


def test_a_built_kernel_is_filed_with_all_that_belongs_to_it(
    machine: Machine, request_: BuildRequest
) -> None:
    reporter = Recorder()
    kernel = build(request_, patcher=patcher(), reporter=reporter)
    assert files(kernel) == {
        "vmlinux", "config", "dynaccel.patch", "build.log", "manifest.json", "recipe",
    }  # fmt: skip
    assert kernel.directory == machine.cache / "kernels" / kernel.manifest.id[:12]
    assert kernel.image.read_text().split() == list(STEPS)
    assert (kernel.directory / "dynaccel.patch").read_bytes() == DIFF.format(
        name="dynaccel"
    ).encode()
    assert "CONFIG_DYNACCEL=y\n" in (kernel.directory / "config").read_text()
    assert "  CC      kernel/fork.o" in (kernel.directory / "build.log").read_text()
    facts = kernel.manifest
    assert (facts.release, facts.accelerated) == ("6.1.7-dynaccel", True)
    assert facts.compiler == "gcc (Fake 1.0) 12.2.0"
    assert kernels.resolve(None) == kernel
    assert [p.done for p in reporter.steps] == [1, 2, 3, 4, 5, 5]


def test_make_is_called_reproducibly_and_out_of_the_callers_environment(
    machine: Machine, request_: BuildRequest
) -> None:
    build(request_, patcher=patcher(), reporter=QUIET)
    call = machine.read("calls")[-1]
    tree = work(machine) / "linux"
    assert call == (
        f"-C {tree} O=.dynaccel-build ARCH=x86_64 CC=ccache gcc -j2 vmlinux"
        " [MAKEFLAGS=] [USER=dynaccel] [WERROR=0]"
    )


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("KBUILD_CFLAGS   += -Werror", True),
        ("KBUILD_CFLAGS-$(CONFIG_WERROR) += -Werror", False),
        ("KBUILD_CFLAGS   += -Werror=date-time", False),
    ],
)
def test_warnings_do_not_end_a_build_whose_makefile_says_so_unasked(
    machine: Machine, request_: BuildRequest, tmp_path: Path, line: str, kept: bool
) -> None:
    tree = make_tree(tmp_path / "vendor")
    with (tree / "Makefile").open("a") as makefile:
        makefile.write(f"{line}\n")
    build(replace(request_, source=str(tree)), patcher=patcher(), reporter=QUIET)
    assert (" KCFLAGS=-Wno-error " in machine.read("calls")[-1]) is kept


def test_without_ccache_it_builds_all_the_same(
    machine: Machine, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.bin / "ccache").unlink()
    monkeypatch.setenv("PATH", f"{machine.bin}:/usr/bin:/bin")
    monkeypatch.setattr("dynaccel.kbuild.make.Make.cached", False)
    reporter = Recorder()
    build(request_, patcher=patcher(), reporter=reporter)
    assert " CC=gcc -j2 vmlinux" in machine.read("calls")[-1]
    assert any("ccache is not installed" in line for line in reporter.lines)


def test_what_is_built_is_not_built_again(machine: Machine, request_: BuildRequest) -> None:
    first = build(request_, patcher=patcher(), reporter=QUIET)
    machine.read("calls")
    reporter = Recorder()
    assert build(request_, patcher=patcher(), reporter=reporter) == first
    assert machine.read("calls") == []
    assert reporter.lines == [f"kernel {first.short_id} is built already (6.1.7-dynaccel)"]


def test_force_builds_all_of_it_anew_and_takes_the_old_ones_place(
    machine: Machine, request_: BuildRequest
) -> None:
    first = build(request_, patcher=patcher(), reporter=QUIET)
    (first.directory / "vmlinux").write_text("old")
    machine.read("compiled")
    again = build(replace(request_, force=True), patcher=patcher(), reporter=QUIET)
    assert machine.read("compiled") == list(STEPS)
    assert again.manifest.id == first.manifest.id
    assert again.image.read_text() != "old"
    assert len(kernels.installed()) == 1


def test_an_unpatched_kernel_has_no_patch_and_no_acceleration(
    machine: Machine, request_: BuildRequest
) -> None:
    plain = build(request_, patcher=None, reporter=QUIET)
    assert not plain.manifest.accelerated
    assert "dynaccel.patch" not in files(plain)
    config = (plain.directory / "config").read_text()
    assert "CONFIG_DYNACCEL" not in config
    assert "SPEEDUP_RATIO" not in config
    assert build(request_, patcher=patcher(), reporter=QUIET).manifest.id != plain.manifest.id
    assert machine.cache.exists()


def test_the_id_follows_from_source_patch_configuration_and_compiler(
    machine: Machine, request_: BuildRequest, tmp_path: Path
) -> None:
    fragment = tmp_path / "my.config"
    fragment.write_text("CONFIG_PLAIN=y\n")
    other = make_tree(tmp_path / "other")
    (other / "kernel/time/timer.c").write_text("int other;\n")
    ids = [
        build(request_, patcher=patcher(), reporter=QUIET).manifest.id,
        build(request_, patcher=patcher("other"), reporter=QUIET).manifest.id,
        build(
            replace(request_, fragments=(fragment,)), patcher=patcher(), reporter=QUIET
        ).manifest.id,
        build(replace(request_, source=str(other)), patcher=patcher(), reporter=QUIET).manifest.id,
    ]
    write_program(machine.bin / "gcc", fake_compiler("gcc (Fake 2.0) 13.1.0"))
    ids.append(build(request_, patcher=patcher(), reporter=QUIET).manifest.id)
    assert len(set(ids)) == len(ids)


def test_users_options_override_the_shipped_ones(
    machine: Machine, request_: BuildRequest, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.config", tmp_path / "two.config"
    one.write_text("CONFIG_NR_CPUS=8\nCONFIG_PLAIN=y\n")
    two.write_text("CONFIG_NR_CPUS=16\n")
    kernel = build(replace(request_, fragments=(one, two)), patcher=patcher(), reporter=QUIET)
    lines = (kernel.directory / "config").read_text().splitlines()
    assert "CONFIG_NR_CPUS=16" in lines
    assert "CONFIG_PLAIN=y" in lines
    assert machine.cache.exists()


def test_symbols_that_did_not_get_in_are_named_with_the_cause(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine
    tree = make_tree(tmp_path / "linux")
    (tree / "unknown").write_text("CONFIG_NEEDY\nCONFIG_NOWHERE\n")
    fragment = tmp_path / "my.config"
    fragment.write_text("CONFIG_PLAIN=y\nCONFIG_NEEDY=y\nCONFIG_NOWHERE=y\n")
    with pytest.raises(BuildError, match=r"^2 of \d+ symbols did not get into") as caught:
        build(BuildRequest(source=str(tree), fragments=(fragment,)), patcher=None, reporter=QUIET)
    assert caught.value.detail is not None
    assert caught.value.detail.splitlines() == [
        (
            "CONFIG_NEEDY: y was asked for, off came out; it depends on ABSENT_BUS && PLAIN"
            " (Kconfig:6); off are ABSENT_BUS"
        ),
        "CONFIG_NOWHERE: y was asked for, off came out; this tree has no such symbol",
    ]
    assert kernels.installed() == []


def test_a_compiler_error_tells_the_file_the_error_and_the_log(
    machine: Machine, request_: BuildRequest
) -> None:
    machine.set_mode("error")
    with pytest.raises(BuildError, match=r"at kernel/time/timer\.o$") as caught:
        build(request_, patcher=patcher(), reporter=QUIET)
    error = caught.value
    log = work(machine) / "build.log"
    assert error.detail is not None
    assert error.detail.splitlines()[0].endswith("error: 'jiffie' undeclared")
    assert error.detail.splitlines()[-1] == f"the whole log: {log}"
    assert "late15.a" in log.read_text()
    tree = work(machine) / "linux"
    assert error.hint == (
        "see the command that failed: "
        f"make -C {tree} O=.dynaccel-build ARCH=x86_64 CC=gcc V=1 kernel/time/timer.o"
    )
    assert kernels.installed() == []


@pytest.mark.parametrize(
    ("mode", "words"), [("full", "the disk ran full; free are"), ("memory", "memory ran out")]
)
def test_want_of_room_is_the_surroundings_fault_and_the_build_goes_on_after_it(
    machine: Machine, request_: BuildRequest, mode: str, words: str
) -> None:
    machine.set_mode(mode)
    with pytest.raises(InfrastructureError, match=words):
        build(request_, patcher=patcher(), reporter=QUIET)
    machine.set_mode("ok")
    machine.read("compiled")
    build(request_, patcher=patcher(), reporter=QUIET)
    assert machine.read("compiled") == list(STEPS[2:])


def test_too_little_room_is_told_before_anything_is_done(
    machine: Machine, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "OBJECTS_BYTES", 1 << 60)
    with pytest.raises(InfrastructureError, match="a kernel build needs"):
        build(request_, patcher=patcher(), reporter=QUIET)
    assert machine.read("calls") == []


class Interrupting(Recorder):
    """Ctrl-C while a certain file compiles."""

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if progress.message == "stuck.o":
            raise KeyboardInterrupt


def test_an_interrupted_build_ends_its_children_and_goes_on_where_it_was(
    machine: Machine, request_: BuildRequest
) -> None:
    calls: list[Path] = []
    machine.set_mode("stuck")
    with pytest.raises(KeyboardInterrupt):
        build(request_, patcher=patcher(calls=calls), reporter=Interrupting())
    assert machine.read("signals") == ["TERM"]
    assert kernels.installed() == []
    machine.set_mode("ok")
    assert machine.read("compiled") == list(STEPS[:3])
    reporter = Recorder()
    kernel = build(request_, patcher=patcher(calls=calls), reporter=reporter)
    assert machine.read("compiled") == list(STEPS[2:])
    # Nothing was unpacked, patched or configured again.
    assert [line.split(",")[0] for line in reporter.lines] == [
        f"kernel {kernel.short_id}: Linux 6.1.7-dynaccel"
    ]
    assert reporter.steps[0].done == 3
    assert len(calls) == 1
    log = (kernel.directory / "build.log").read_text()
    assert log.index("kernel/fork.o") < log.index("mm/slub.o")


def test_an_interrupted_patching_starts_from_a_pristine_tree(
    machine: Machine, request_: BuildRequest
) -> None:
    def cut_off(tree: Path) -> bytes:
        (tree / "init/main.c").write_text("half\n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(request_, patcher=Patcher(key="dynaccel", apply=cut_off), reporter=QUIET)
    kernel = build(request_, patcher=patcher(), reporter=QUIET)
    assert kernel.manifest.accelerated
    assert (work(machine) / "linux/init/main.c").read_bytes() == MARK


def test_a_new_patch_takes_the_old_ones_place_and_objects_stay(
    machine: Machine, request_: BuildRequest
) -> None:
    build(request_, patcher=patcher("one"), reporter=QUIET)
    machine.read("compiled")
    reporter = Recorder()
    kernel = build(request_, patcher=patcher("two"), reporter=reporter)
    assert not any("unpacking" in line for line in reporter.lines)
    assert (work(machine) / "linux/init/main.c").read_text() == "int two;\n"
    assert b"int two" in (kernel.directory / "dynaccel.patch").read_bytes()
    assert machine.read("compiled") == []


def test_what_the_new_patch_leaves_as_it_is_is_not_compiled_again(
    machine: Machine, request_: BuildRequest
) -> None:
    build(request_, patcher=patcher("one"), reporter=QUIET)
    patched = work(machine) / "linux" / "init/main.c"
    os.utime(patched, (1000, 1000))
    same = replace(patcher("one"), key="other key, same patch")
    build(replace(request_, force=True), patcher=same, reporter=QUIET)
    assert patched.stat().st_mtime == 1000
    build(request_, patcher=patcher("two"), reporter=QUIET)
    assert patched.stat().st_mtime > 1000


def test_a_kernel_without_a_hook_says_so_and_is_taken_by_name_alone(
    machine: Machine, request_: BuildRequest
) -> None:
    assert machine
    broken = build(request_, patcher=replace(patcher("less"), without=("a",)), reporter=QUIET)
    assert broken.manifest.without == ("a",)
    for reference in (None, "6.1"):
        with pytest.raises((MissingError, UserError)):
            kernels.resolve(reference)
    whole = build(request_, patcher=patcher(), reporter=QUIET)
    assert whole.manifest.without == ()
    newer = replace(broken.manifest, created="9999-01-01T00:00:00+00:00")
    (broken.directory / "manifest.json").write_bytes(kernels.dump(newer))
    assert kernels.installed()[0].manifest.id == broken.manifest.id
    assert kernels.resolve(None) == kernels.resolve("6.1") == whole
    assert kernels.resolve(broken.short_id).manifest == newer
    assert kernels.resolve(str(broken.directory)).manifest == newer


def test_a_tree_whose_old_patch_cannot_be_taken_out_is_unpacked_again(
    machine: Machine, request_: BuildRequest
) -> None:
    build(request_, patcher=patcher("one"), reporter=QUIET)
    (work(machine) / "linux/init/main.c").write_text("changed by hand\n")
    build(request_, patcher=patcher("two"), reporter=QUIET)
    assert (work(machine) / "linux/init/main.c").read_text() == "int two;\n"


def test_a_second_build_of_the_same_waits_and_takes_the_result(
    machine: Machine, request_: BuildRequest
) -> None:
    waiting = threading.Event()
    results: list[Kernel] = []

    class Waiter(Recorder):
        def info(self, message: str) -> None:
            super().info(message)
            if "waiting" in message:
                waiting.set()

    second = Waiter()

    def build_second() -> None:
        results.append(build(request_, patcher=patcher(), reporter=second))

    thread = threading.Thread(target=build_second)

    class Starter(Recorder):
        def progress(self, progress: Progress) -> None:
            if not self.steps:
                thread.start()
                assert waiting.wait(60)
            super().progress(progress)

    first = build(request_, patcher=patcher(), reporter=Starter())
    thread.join(60)
    assert results == [first]
    assert "builds from the same source; waiting" in second.lines[0]
    assert machine.read("compiled") == list(STEPS)


def test_the_lock_lives_as_long_as_a_child_that_has_it(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    with lock.exclusive(file, on_wait=lambda _: None) as handle:
        child = process.start(["sleep", "60"], pass_fds=(handle,))
        child.__enter__()
    try:
        with lock.if_free(file) as free:
            assert not free
    finally:
        child.__exit__(None, None, None)
    with lock.if_free(file) as free:
        assert free


def test_all_missing_tools_are_named_in_one_command(
    machine: Machine, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flex", "bison", "bc"):
        (machine.bin / name).unlink()
    (machine.headers / "gelf.h").unlink()
    monkeypatch.setenv("PATH", str(machine.bin))
    for name in ("tar", "xz"):
        (machine.bin / name).symlink_to("/bin/true")
    with pytest.raises(MissingError) as caught:
        build(request_, patcher=patcher(), reporter=QUIET)
    assert caught.value.hint == "sudo apt-get install flex bison bc libelf-dev"


def test_headers_are_asked_for_when_the_configuration_needs_them(
    machine: Machine, request_: BuildRequest, tmp_path: Path
) -> None:
    assert machine
    fragment = tmp_path / "my.config"
    fragment.write_text("CONFIG_MODULE_SIG=y\n")
    with pytest.raises(MissingError, match="openssl") as caught:
        build(replace(request_, fragments=(fragment,)), patcher=None, reporter=QUIET)
    assert caught.value.hint == "sudo apt-get install libssl-dev"


def test_output_gets_a_copy_that_can_be_booted_and_replaced(
    machine: Machine, request_: BuildRequest, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    for name in ("one", "two"):
        kernel = build(replace(request_, output=output), patcher=patcher(name), reporter=QUIET)
        assert kernels.load(output).manifest == kernel.manifest
        assert {path.name for path in output.iterdir()} == files(kernel)
    assert machine.cache.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_output_directory_with_other_things_is_refused_before_the_build(
    machine: Machine, request_: BuildRequest, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").touch()
    with pytest.raises(UserError, match="is not empty"):
        build(replace(request_, output=tmp_path / "out"), patcher=patcher(), reporter=QUIET)
    assert machine.read("calls") == []


def test_clean_leaves_the_kernels_and_what_a_build_uses(
    machine: Machine, request_: BuildRequest
) -> None:
    kernel = build(request_, patcher=patcher(), reporter=QUIET)
    directory = work(machine)
    reporter = Recorder()
    with lock.exclusive(workspace.work_dir() / f"{directory.name}.lock", on_wait=lambda _: None):
        clean(reporter=reporter)
    assert directory.is_dir()
    assert "in use" in reporter.lines[0]
    compiler = machine.cache / "toolchains/gcc-9/usr/bin/gcc-9"
    compiler.parent.mkdir(parents=True)
    compiler.write_text("fetched\n")
    assert clean(reporter=QUIET) > 0
    assert not directory.exists()
    assert not compiler.exists()
    assert kernels.installed() == [kernel]


def test_architectures_share_no_work_directory(
    machine: Machine, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    source = sources.resolve(request_.source, reporter=QUIET)
    names = []
    for arch in arches.ARCHES:
        with workspace.opened(source, arch=arch, patched=True, reporter=QUIET) as at:
            names.append(at.directory.name)
    assert names == [f"{source.identity[:16]}-patched", f"{source.identity[:16]}-patched-arm64"]

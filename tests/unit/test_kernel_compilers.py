# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, Recorder, fake_compiler, make_tree, write_program

from dynaccel.core import arches
from dynaccel.core.errors import InfrastructureError, MissingError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.core.versions import KernelVersion
from dynaccel.host import suites
from dynaccel.kbuild import compiler_limits, compilers, toolchain
from dynaccel.kbuild.compiler_limits import TooNew
from dynaccel.kbuild.compilers import CompilerNumber, Family

if TYPE_CHECKING:
    from pathlib import Path

QUIET = NullReporter()
X86_64 = arches.X86_64
ARM64 = arches.ARM64

MIN_TOOL_VERSION = """\
case "$1" in
gcc) if [ "$SRCARCH" = arm64 ]; then echo 9.1.0; else echo 8.1.0; fi ;;
llvm) echo 17.0.1 ;;
*) exit 1 ;;
esac
"""
# An apt whose suite "bullseye" has gcc-10; a package file names itself.
APT_GET = """#!/bin/sh
case "$*" in
*indextargets*) echo "http://mirror.invalid/debian/ Debian" ;;
*update*)
    for word; do case $word in *Lists=*) : >"${word#*=}/mirror_Packages" ;; esac; done ;;
*download*)
    for package; do :; done
    echo "${package%%=*}" >>"$(dirname "$0")/fetched"
    echo "${package%%=*}" >package.deb ;;
esac
"""
APT_CACHE = """#!/bin/sh
for package; do :; done
case "$* " in *bullseye*) ;; *) exit 0 ;; esac
case $package in
gcc-10) needs="cpp-10 (= 10.2.1-6), libgcc-10-dev (>= 10.2), libc6 (>= 2.14), gcc-10-base" ;;
cpp-10 | libgcc-10-dev | gcc-10-base) needs="libc6" ;;
*) exit 0 ;;
esac
printf 'Package: %s\\nVersion: 10.2.1-6\\nDepends: %s\\n' "$package" "$needs"
"""
DPKG_DEB = """#!/bin/sh
package=$(cat "$2")
mkdir -p "$3/usr/bin"
: >"$3/usr/$package"
[ "$package" = gcc-10 ] || exit 0
cp "$(dirname "$0")/packed" "$3/usr/bin/gcc-10"
chmod 755 "$3/usr/bin/gcc-10"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    # Nothing but the fakes, and what the fakes are written with.
    for name in ("sh", "cat", "cp", "mkdir", "chmod", "dirname", "env"):
        (made.bin / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(made.bin))
    return made


def add(machine: Machine, name: str, banner: str) -> None:
    write_program(machine.bin / name, fake_compiler(banner))


def with_apt(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(machine.bin / "apt-get", APT_GET)
    write_program(machine.bin / "apt-cache", APT_CACHE)
    write_program(machine.bin / "dpkg-deb", DPKG_DEB)
    (machine.bin / "packed").write_text(fake_compiler("gcc-10 (Debian 10.2.1-6) 10.2.1 20210110"))
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(suites, "KEYRING", keyring)


def too_new(monkeypatch: pytest.MonkeyPatch, first: int, fixed: str) -> None:
    limit = TooNew(
        family=Family.GCC,
        first=CompilerNumber(first),
        fixed=KernelVersion.parse(fixed),
        because="it warns",
    )
    monkeypatch.setattr(compiler_limits, "TOO_NEW", (limit,))


def commands(machine: Machine, arch: arches.Arch = X86_64) -> list[str]:
    assert machine
    return [compiler.command for compiler in compilers.installed(arch)]


@pytest.mark.parametrize(
    ("banner", "family", "number"),
    [
        ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0", Family.GCC, CompilerNumber(12, 2, 0)),
        ("gcc-10 (Debian 10.2.1-6) 10.2.1 20210110", Family.GCC, CompilerNumber(10, 2, 1)),
        ("gcc (GCC) 8.5.0 20210514 (Red Hat 8.5.0-10)", Family.GCC, CompilerNumber(8, 5, 0)),
        ("x (Arm Toolchain 13.2.rel1 (Build 13.7)) 13.2.1 2023", Family.GCC,
         CompilerNumber(13, 2, 1)),
        ("Debian clang version 14.0.6", Family.CLANG, CompilerNumber(14, 0, 6)),
        ("Ubuntu clang version 18.1.3 (1ubuntu1)", Family.CLANG, CompilerNumber(18, 1, 3)),
    ],
)  # fmt: skip
def test_a_compiler_tells_its_maker_and_version(
    machine: Machine, banner: str, family: Family, number: CompilerNumber
) -> None:
    add(machine, "cc", banner)
    found = compilers.probe("cc")
    assert found is not None
    assert (found.version, found.family, found.number) == (banner, family, number)


def test_what_is_no_compiler_is_none(machine: Machine) -> None:
    add(machine, "other", "other 1.0")
    write_program(machine.bin / "failing", "#!/bin/sh\necho 'gcc (x) 12.2.0'\nexit 1\n")
    (machine.bin / "text").write_text("no program")
    for command in ("other", "failing", "absent", str(machine.bin / "text")):
        assert compilers.probe(command) is None


def test_the_default_compiler_comes_first_then_newer_ones_and_each_once(machine: Machine) -> None:
    add(machine, "gcc-12", "gcc-12 (x) 12.2.0")
    (machine.bin / "gcc").unlink()
    (machine.bin / "gcc").symlink_to("gcc-12")
    add(machine, "gcc-9", "gcc-9 (x) 9.3.0")
    add(machine, "gcc-13", "gcc-13 (x) 13.1.0")
    add(machine, "gcc-ar-13", "gcc-ar (x) 13.1.0")
    add(machine, "clang", "clang version 19.1.0")
    add(machine, "aarch64-linux-gnu-gcc-11", "aarch64-linux-gnu-gcc-11 (x) 11.1.0")
    assert commands(machine) == ["gcc", "gcc-13", "gcc-9", "clang"]
    assert commands(machine, ARM64) == ["aarch64-linux-gnu-gcc-11", "clang"]


def test_the_oldest_compiler_is_the_trees_own_word(machine: Machine, tmp_path: Path) -> None:
    assert machine
    tree = make_tree(tmp_path / "linux")
    assert compiler_limits.oldest(tree, Family.GCC, X86_64) is None
    table = tree / "Documentation/process/changes.rst"
    table.parent.mkdir(parents=True)
    table.write_text(
        "GNU C                  4.9              gcc --version\n"
        "Clang/LLVM (optional)  10.0.1           clang --version\n"
    )
    assert compiler_limits.oldest(tree, Family.GCC, X86_64) == CompilerNumber(4, 9)
    assert compiler_limits.oldest(tree, Family.CLANG, X86_64) == CompilerNumber(10, 0, 1)
    header = tree / "include/linux/compiler-gcc.h"
    header.parent.mkdir(parents=True)
    header.write_text("#if GCC_VERSION < 30200\n# error Sorry\n#if GCC_VERSION < 90100\n#undef x\n")
    assert compiler_limits.oldest(tree, Family.GCC, X86_64) == CompilerNumber(3, 2)
    (tree / "scripts").mkdir(exist_ok=True)
    (tree / "scripts/min-tool-version.sh").write_text(MIN_TOOL_VERSION)
    assert compiler_limits.oldest(tree, Family.GCC, X86_64) == CompilerNumber(8, 1)
    assert compiler_limits.oldest(tree, Family.GCC, ARM64) == CompilerNumber(9, 1)
    assert compiler_limits.oldest(tree, Family.CLANG, X86_64) == CompilerNumber(17, 0, 1)


def test_the_machines_default_is_taken_without_a_word_when_it_fits(
    machine: Machine, tmp_path: Path
) -> None:
    add(machine, "gcc-13", "gcc-13 (x) 13.1.0")
    reporter = Recorder()
    chosen = toolchain.choices(X86_64, None, reporter=reporter).decide(
        make_tree(tmp_path / "linux"), reporter=reporter
    )
    assert (chosen.command, reporter.lines) == ("gcc", [])


@pytest.mark.parametrize(("number", "fits"), [("9.3.0", True), ("7.5.0", False)])
def test_another_one_is_taken_when_the_default_is_too_new_and_why_is_told(
    *,
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
    fits: bool,
) -> None:
    too_new(monkeypatch, 11, "6.2")
    tree = make_tree(tmp_path / "linux")
    (tree / "scripts").mkdir(exist_ok=True)
    (tree / "scripts/min-tool-version.sh").write_text(MIN_TOOL_VERSION)
    add(machine, "gcc-9", f"gcc-9 (x) {number}")
    reporter = Recorder()
    choice = toolchain.choices(X86_64, None, reporter=reporter)
    if fits:
        assert choice.decide(tree, reporter=reporter).command == "gcc-9"
        (line,) = reporter.lines
        assert line == (
            "compiling with gcc 9.3.0 (gcc-9), for gcc 12.2.0: it is too new for Linux 6.1.7:"
            " it warns"
        )
        return
    with pytest.raises(MissingError, match=r"no C compiler .* fits Linux 6\.1\.7") as caught:
        choice.decide(tree, reporter=reporter)
    assert caught.value.detail is not None
    assert caught.value.detail.splitlines() == [
        "gcc 12.2.0: it is too new for Linux 6.1.7: it warns",
        "gcc 7.5.0: Linux 6.1.7 takes gcc 8.1.0 or newer",
    ]
    assert caught.value.hint == (
        "sudo apt-get install gcc-10 (any of gcc-10, gcc-9 fits), or name one that is elsewhere:"
        " --compiler PATH"
    )


def test_where_none_fits_one_is_fetched_once_with_its_parts(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_new(monkeypatch, 11, "6.2")
    with_apt(machine, tmp_path, monkeypatch)
    tree = make_tree(tmp_path / "linux")
    reporter = Recorder()
    first = toolchain.choices(X86_64, None, reporter=reporter).decide(tree, reporter=reporter)
    root = machine.cache / "toolchains/gcc-10"
    assert first.command == str(root / "usr/bin/gcc-10")
    assert sorted(machine.read("fetched")) == ["cpp-10", "gcc-10", "gcc-10-base", "libgcc-10-dev"]
    assert reporter.lines[-1].startswith(f"compiling with gcc 10.2.1 ({root}/usr/bin/gcc-10), for")
    for wanted in (None, "gcc-10"):
        choice = toolchain.choices(X86_64, wanted, reporter=QUIET)
        assert choice.decide(tree, reporter=QUIET) == first
    assert machine.read("fetched") == []


def test_a_fetched_compiler_that_does_not_run_here_leaves_nothing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_apt(machine, tmp_path, monkeypatch)
    (machine.bin / "packed").write_text(
        "#!/bin/sh\necho 'gcc (x) 10.2.1'\necho 'cc1: no libisl.so.19' >&2\n"
        '[ "$1" = --version ]\n'
    )
    with pytest.raises(InfrastructureError, match="does not work on this machine") as caught:
        toolchain.choices(X86_64, "gcc-10", reporter=QUIET)
    assert caught.value.detail == "cc1: no libisl.so.19"
    assert not list((machine.cache / "toolchains").iterdir())


def test_a_named_compiler_is_taken_and_what_speaks_against_it_told(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_new(monkeypatch, 11, "6.2")
    add(machine, "gcc-13", "gcc-13 (x) 13.1.0")
    reporter = Recorder()
    for wanted in ("gcc-13", str(machine.bin / "gcc-13")):
        choice = toolchain.choices(X86_64, wanted, reporter=reporter)
        assert choice.decide(make_tree(tmp_path / wanted[-4:]), reporter=reporter).command == wanted
        assert reporter.lines.pop() == (
            "gcc 13.1.0 may not build this: it is too new for Linux 6.1.7: it warns"
        )
    cross = "aarch64-linux-gnu-gcc-13"
    add(machine, cross, f"{cross} (x) 13.1.0")
    (found,) = toolchain.choices(ARM64, "gcc-13", reporter=QUIET).candidates
    assert found.command == cross


@pytest.mark.usefixtures("machine")
def test_a_family_alone_means_the_newest_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (13, 14):
        place = tmp_path / f"llvm-{number}/bin/clang"
        place.parent.mkdir(parents=True)
        write_program(place, fake_compiler(f"Debian clang version {number}.0.6"))
    monkeypatch.setattr(compilers, "LLVM_ROOTS", (tmp_path,))
    (found,) = toolchain.choices(X86_64, "clang", reporter=QUIET).candidates
    assert found.number.major == 14


def test_a_compiler_that_writes_nothing_is_none(machine: Machine, tmp_path: Path) -> None:
    write_program(machine.bin / "gcc-9", "#!/bin/sh\necho 'true (GNU coreutils) 9.1'\n")
    choice = toolchain.choices(X86_64, "gcc-9", reporter=QUIET)
    with pytest.raises(InfrastructureError, match="the compiler gcc-9 does not work"):
        choice.decide(make_tree(tmp_path / "linux"), reporter=QUIET)


@pytest.mark.parametrize(
    ("wanted", "error", "hint"),
    [
        ("gcc-10", MissingError, "sudo apt-get install gcc-10; or name another one"),
        ("clang-14", MissingError, "sudo apt-get install clang-14 lld-14 llvm-14; or name"),
        ("clang", MissingError, "sudo apt-get install clang lld llvm; or name another one"),
        ("gcc-4", MissingError, "sudo apt-get install gcc-4; or name another one"),
        ("turboc", MissingError, "name another one"),
        ("./turboc", UserError, "name a program of gcc or clang"),
    ],
)
def test_a_named_compiler_that_is_not_there_is_missing(
    machine: Machine, wanted: str, error: type[MissingError | UserError], hint: str
) -> None:
    assert machine
    with pytest.raises(error) as caught:
        toolchain.choices(X86_64, wanted, reporter=QUIET)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_a_tree_from_before_llvm_is_not_built_with_it(machine: Machine, tmp_path: Path) -> None:
    add(machine, "clang", "clang version 19.1.0")
    (machine.bin / "gcc").unlink()
    with pytest.raises(MissingError) as caught:
        toolchain.choices(X86_64, None, reporter=QUIET).decide(
            make_tree(tmp_path / "linux"), reporter=QUIET
        )
    assert caught.value.detail == (
        "clang 19.1.0: Linux 6.1.7 does not know how to be built with all of LLVM, as 5.7 does"
    )

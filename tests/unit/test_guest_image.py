# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs of the guest: built once, cached by content, honest about what is missing."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.arches import ARM64, X86_64
from dynaccel.core.errors import DynaccelError, MissingError, ProcessError
from dynaccel.core.events import NullReporter
from dynaccel.host import paths
from dynaccel.vm.guest_image import guest_image

if TYPE_CHECKING:
    from pathlib import Path

GCC = """#!/bin/sh
echo "$@" >> "$TEST_LOG"
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then echo program > "$2"; fi
    shift
done
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a fake gcc and the real cpio, a cache and two sources of our own."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "cpio"):
        real = shutil.which(name)
        assert real is not None
        (directory / name).symlink_to(real)
    write_gcc(directory, GCC)
    sources = tmp_path / "guest"
    sources.mkdir()
    (sources / "main.c").write_text("int main(void) { return 0; }\n")
    (sources / "conductor").mkdir()
    (sources / "conductor" / "main.c").write_text("int main(void) { return 0; }\n")
    (sources / "notes.md").write_text("not a source\n")
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("TEST_LOG", str(tmp_path / "gcc.log"))
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(paths, "data_dir", lambda name: tmp_path / name)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return directory


def write_gcc(directory: Path, text: str) -> None:
    gcc = directory / "gcc"
    gcc.write_text(text)
    gcc.chmod(0o755)
    os.utime(gcc, (0, 0))


def calls(directory: Path) -> list[str]:
    log = directory.parent / "gcc.log"
    return log.read_text().splitlines() if log.exists() else []


def leftovers(directory: Path) -> list[str]:
    guest = directory.parent / "cache" / "guest"
    return [path.name for path in guest.iterdir() if path.name.startswith(".")]


def test_second_call_starts_no_program(programs: Path) -> None:
    image = guest_image(arch=X86_64, reporter=NullReporter())
    assert image.name == "initramfs.cpio"
    assert image.read_bytes().startswith(b"070701")  # newc
    assert b"init\0" in image.read_bytes()
    assert b"conductor\0" in image.read_bytes()
    assert image.read_bytes().count(b"program\n") == 2
    (programs / "cpio").unlink()
    assert guest_image(arch=X86_64, reporter=NullReporter()) == image
    assert len(calls(programs)) == 2
    assert all("-static" in call for call in calls(programs))


def test_image_is_reproducible(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = guest_image(arch=X86_64, reporter=NullReporter())
    monkeypatch.setenv("DYNACCEL_CACHE", str(programs.parent / "other"))
    second = guest_image(arch=X86_64, reporter=NullReporter())
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    date = first.read_bytes()[46:54]  # "newc" has it there, in hexadecimal seconds
    assert int(date, 16) == 0


@pytest.mark.parametrize("source", ["main.c", "conductor/main.c"])
def test_changed_source_is_built_anew(programs: Path, source: str) -> None:
    first = guest_image(arch=X86_64, reporter=NullReporter())
    (programs.parent / "guest" / source).write_text("int main(void) { return 1; }\n")
    assert guest_image(arch=X86_64, reporter=NullReporter()) != first


def test_changed_text_that_is_no_source_is_not(programs: Path) -> None:
    first = guest_image(arch=X86_64, reporter=NullReporter())
    (programs.parent / "guest" / "notes.md").write_text("changed\n")
    assert guest_image(arch=X86_64, reporter=NullReporter()) == first


def test_changed_compiler_builds_anew(programs: Path) -> None:
    first = guest_image(arch=X86_64, reporter=NullReporter())
    os.utime(programs / "gcc", (1, 1))
    assert guest_image(arch=X86_64, reporter=NullReporter()) != first


@pytest.mark.parametrize(("program", "package"), [("gcc", "gcc libc6-dev"), ("cpio", "cpio")])
def test_missing_program_names_its_package(programs: Path, program: str, package: str) -> None:
    (programs / program).unlink()
    with pytest.raises(MissingError) as caught:
        guest_image(arch=X86_64, reporter=NullReporter())
    assert caught.value.hint == f"sudo apt-get install {package}"


@pytest.mark.parametrize(
    "complaint",
    [
        "/usr/bin/ld: cannot find -lc: No such file or directory",
        "main.c:8:10: fatal error: errno.h: No such file or directory",
    ],
)
def test_missing_library_names_its_package(programs: Path, complaint: str) -> None:
    write_gcc(programs, f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
    with pytest.raises(MissingError) as caught:
        guest_image(arch=X86_64, reporter=NullReporter())
    assert caught.value.hint == "sudo apt-get install gcc libc6-dev"
    assert leftovers(programs) == []


@pytest.mark.usefixtures("programs")
def test_foreign_architecture_wants_a_cross_compiler() -> None:
    with pytest.raises(MissingError) as caught:
        guest_image(arch=ARM64, reporter=NullReporter())
    assert "gcc-aarch64-linux-gnu" in str(caught.value.hint)
    assert "libc6-dev-arm64-cross" in str(caught.value.hint)


def test_failing_compiler_leaves_nothing(programs: Path) -> None:
    write_gcc(programs, "#!/bin/sh\necho 'main.c:1: error: odd' >&2\nexit 1\n")
    with pytest.raises(ProcessError, match="failed with status 1") as caught:
        guest_image(arch=X86_64, reporter=NullReporter())
    assert "odd" in str(caught.value.detail)
    assert leftovers(programs) == []
    assert not isinstance(caught.value, MissingError)


def test_builds_at_once_agree(programs: Path) -> None:
    results: list[Path] = []
    errors: list[DynaccelError] = []

    def build() -> None:
        try:
            results.append(guest_image(arch=X86_64, reporter=NullReporter()))
        except DynaccelError as error:
            errors.append(error)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(results) == 4
    assert len(set(results)) == 1
    assert results[0].is_file()
    assert leftovers(programs) == []

# SPDX-License-Identifier: GPL-2.0-or-later
"""A compiler of a newer release runs with that release's libraries: with real programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dynaccel.core import arches
from dynaccel.core.events import NullReporter
from dynaccel.kbuild import debian, own_libraries

TRIPLET = arches.native().triplet
LIBRARIES = Path(f"usr/lib/{TRIPLET}")
NEEDS = {
    "gcc-16": ["cpp-16", "binutils", "libgmp10", "libc6", "not-in-debian"],
    "cpp-16": ["libc6"],
    "binutils": ["libc6"],
    "libgmp10": ["libc6"],
    "libc6": ["libgmp10"],
}


class Release:
    """An apt of another release, whose C library is this machine's."""

    def __init__(self, *, without: str = "") -> None:
        self.offered = {name: "1" for name in NEEDS if name != without}
        self.fetched: list[str] = []

    def candidate(self, package: str) -> str | None:
        return self.offered.get(package)

    def dependencies(self, package: str) -> list[str]:
        return NEEDS.get(package, [])

    def extract(self, apt: Any, package: str, version: str, into: Path) -> None:
        assert (apt, version) == (self, "1")
        self.fetched.append(package)
        if package == "libc6":
            directory = into / LIBRARIES
            directory.mkdir(parents=True)
            for pattern in ("ld-linux-*.so.*", "libc.so.6"):
                (library,) = Path(f"/lib/{TRIPLET}").glob(pattern)
                shutil.copy(library, directory / library.name)
        if package == "binutils":
            # A shell says by which name it was started.
            shutil.copy("/bin/dash", into / f"usr/bin/{TRIPLET}-as")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "staging"
    (made / "usr/bin").mkdir(parents=True)
    shutil.copy("/bin/dash", made / f"usr/bin/{TRIPLET}-gcc-16")
    (made / "usr/bin/gcc-16").symlink_to(f"{TRIPLET}-gcc-16")
    (made / "usr/bin/script").write_text("#!/bin/sh\nexit 0\n")
    (made / "usr/bin/script").chmod(0o755)
    # As Debian's cross compilers have it, and as it was lent to it before.
    (made / f"usr/{TRIPLET}/bin").mkdir(parents=True)
    (made / f"usr/{TRIPLET}/bin/as").symlink_to("/usr/bin/as")
    return made


def lend(release: Release, root: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(debian, "extract", release.extract)
    apt: Any = release
    return own_libraries.lend(apt, ["gcc-16"], root, arch=arches.native(), reporter=NullReporter())


def said(program: Path) -> str:
    script = 'cat /proc/$$/maps; echo "$0 and $1"'
    argv = [str(program), "-c", script, "the name", "a b"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_programs_start_by_the_loader_of_their_release_wherever_they_lie(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release()
    assert lend(release, root, monkeypatch)
    assert sorted(release.fetched) == ["binutils", "cpp-16", "libc6", "libgmp10"]
    final = root.rename(tmp_path / "a place")
    for name in ("usr/bin/gcc-16", f"usr/{TRIPLET}/bin/as"):
        text = said(final / name)
        assert text.endswith("the name and a b\n")
        mapped = {line.split(maxsplit=5)[5] for line in text.splitlines() if "libc.so.6" in line}
        assert mapped == {str(final / LIBRARIES / "libc.so.6")}
    # It looks for its parts beside the name by which it was started.
    asked = subprocess.run(
        [final / "usr/bin/gcc-16", "-c", "tr '\\0' '\\n' </proc/$$/cmdline"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert asked[asked.index("--argv0") + 1] == str(final / "usr/bin/gcc-16")
    assert (final / "usr/bin/script").read_text() == "#!/bin/sh\nexit 0\n"
    assert not (final / "usr/bin/.script").exists()


def test_without_that_releases_c_library_nothing_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(root.rglob("*"))
    release = Release(without="libc6")
    assert not lend(release, root, monkeypatch)
    assert release.fetched == []
    assert sorted(root.rglob("*")) == before

# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk image of a Debian, made by the real programs from the real mirror, and looked into."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from debian_roots import image
from dynaccel.vm.debian_image import SYSTEM, DebianImage

from .repo_lab import missing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(bool(missing("debugfs")), reason=missing("debugfs")),
]
PACKAGE = "hello"


class Disk:
    """What debugfs finds on a disk."""

    def __init__(self, made: Path, raw: Path) -> None:
        words = ["qemu-img", "convert", "-O", "raw", str(made), str(raw)]
        subprocess.run(words, check=True, capture_output=True)
        self.manifest = json.loads((made.parent / "manifest.json").read_text())
        self._raw = raw

    def ask(self, words: str) -> str:
        done = subprocess.run(
            ["debugfs", "-R", words, str(self._raw)], capture_output=True, text=True, check=True
        )
        return done.stdout + "".join(
            line for line in done.stderr.splitlines(keepends=True) if "File not found" in line
        )

    def kind(self, path: str) -> str:
        """Return type, mode, user and group of a file; nothing where there is none."""
        said = self.ask(f"stat {path}")
        found = re.search(
            r"Type: (\w+) +Mode: +(\d+).*?User: +(\d+) +Group: +(\d+)", said, re.DOTALL
        )
        assert found or "File not found" in said, said
        return " ".join(found.groups()) if found else ""

    def names(self, path: str) -> set[str]:
        """Return the names in a directory."""
        listed = self.ask(f"ls -p {path}").splitlines()
        return {line.split("/")[5] for line in listed if line} - {".", ".."}

    def text(self, path: str) -> str:
        return self.ask(f"cat {path}")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    made = image(DebianImage(packages=(PACKAGE,)))
    return Disk(made, tmp_path_factory.mktemp("disk") / "raw")


def test_what_was_asked_for_is_installed(disk: Disk) -> None:
    assert disk.kind(f"/usr/bin/{PACKAGE}") == "regular 0755 0 0"
    assert disk.kind("/usr/sbin/init") == "symlink 0777 0 0"
    versions = disk.manifest["packages"]
    assert {*SYSTEM, PACKAGE} <= set(versions)
    status = disk.text("/var/lib/dpkg/status")
    for paragraph in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
        assert fields["Status"] == "install ok installed", fields
        assert versions.pop(fields["Package"]) == fields["Version"]
    assert versions == {}


def test_files_belong_to_whom_they_shall(disk: Disk) -> None:
    assert disk.kind("/") == "directory 0755 0 0"
    assert disk.kind("/tmp") == "directory 01777 0 0"  # noqa: S108
    assert disk.kind("/usr/bin/su") == "regular 04755 0 0"
    assert disk.kind("/etc/shadow") == "regular 0640 0 42"
    assert disk.kind("/var/mail") == "directory 02775 0 8"


def test_it_is_nobodys_machine_yet(disk: Disk) -> None:
    assert disk.text("/etc/hostname") == "debian\n"
    assert "127.0.0.1\tlocalhost\n" in disk.text("/etc/hosts")
    assert disk.kind("/etc/machine-id").startswith("regular")
    assert disk.text("/etc/machine-id") == ""
    assert disk.kind("/etc/resolv.conf") == ""
    assert re.search(r"^root:[*!]", disk.text("/etc/shadow"), re.MULTILINE)


def test_nothing_of_the_making_is_left(disk: Disk) -> None:
    assert disk.names("/var/cache/apt/archives") <= {"lock", "partial"}
    assert disk.names("/var/lib/apt/lists") <= {"lock", "partial"}
    assert disk.kind("/usr/sbin/policy-rc.d") == ""
    assert disk.kind("/usr/sbin/start-stop-daemon.REAL") == ""
    for place in ("/etc/apt/apt.conf.d", "/etc/dpkg/dpkg.cfg.d"):
        assert not [name for name in disk.names(place) if "mmdebstrap" in name]
    assert " bookworm main" in disk.text("/etc/apt/sources.list")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Root file systems other than the host's: a directory and disk images, none of which changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

SCRIPT = "echo in > /written && cat /etc/mark /written && uname -r"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with nothing in it but busybox: neither a C library nor Python."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed: sudo apt-get install busybox-static")
    top = tmp_path_factory.mktemp("root")
    for name in ("bin", "etc", "proc", "sys", "dev", "run", "tmp"):
        (top / name).mkdir()
    shutil.copy(busybox, top / "bin/busybox")
    for name in ("sh", "cat", "uname", "echo"):
        (top / "bin" / name).symlink_to("busybox")
    (top / "etc/mark").write_text("ours\n")
    return top


def image(root: Path, path: Path, layout: str) -> Path:
    mke2fs = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin")
    if mke2fs is None or shutil.which("qemu-img") is None:
        pytest.skip("mke2fs or qemu-img is missing: sudo apt-get install e2fsprogs qemu-utils")
    raw = path.with_suffix(".raw")
    subprocess.run([mke2fs, "-q", "-t", "ext4", "-d", root, raw, "64M"], check=True)
    if layout == "raw":
        return raw
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, path], check=True)
    return path


def run_in(kernel: Kernel, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "dynaccel.cli.main", "-qq", "run", "--accelerator", "tcg",
            "--kernel", str(kernel.image), "--accel", "50", "--user", "root",
            "--root", str(root), "--workdir", "/", "--", "/bin/sh", "-c", SCRIPT,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_directory(kernel: Kernel, root: Path) -> None:
    done = run_in(kernel, root)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ours\nin\n{kernel.manifest.release}\n"
    assert not (root / "written").exists()


@pytest.mark.parametrize("layout", ["qcow2", "raw"])
def test_a_disk_image(kernel: Kernel, root: Path, tmp_path: Path, layout: str) -> None:
    disk = image(root, tmp_path / "disk.qcow2", layout)
    before = hashlib.sha256(disk.read_bytes()).hexdigest()
    done = run_in(kernel, disk)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ours\nin\n{kernel.manifest.release}\n"
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == before


def test_a_corrupt_image(kernel: Kernel, root: Path, tmp_path: Path) -> None:
    disk = image(root, tmp_path / "disk.qcow2", "qcow2")
    with disk.open("r+b") as stream:
        stream.seek(40)  # l1_table_offset of the qcow2 header
        stream.write(b"\xff" * 8)
    done = run_in(kernel, disk)
    assert done.returncode == 125
    assert str(disk) in done.stderr
    assert "Traceback" not in done.stderr

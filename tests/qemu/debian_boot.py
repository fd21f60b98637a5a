# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian that boots as an installed one does: from its own initrd, systemd, a disk.

What a test wants to know is asked by a program in the guest, which writes lines of words to a
second serial line and powers off. A word and what follows it become a result.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from debian_system import debian_system_directory

from dynaccel.core import arches
from dynaccel.core.events import NullReporter
from dynaccel.vm.counter import counter_khz
from kernel_packages import kernel_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

IMAGE_SIZE = "2G"
ANSWERS = "/dev/ttyS1"
_UNIT = """\
[Unit]
Description=What the test asks
After=multi-user.target

[Service]
ExecStart=/bin/bash /ask
StandardOutput=file:/dev/ttyS1
StandardError=journal+console
Environment=LC_ALL=C

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What came of a boot.

    Attributes:
        ended: Whether the guest powered off by itself.
        answers: What it reported: a word, and the lines that followed that word.
        console: What the first serial line showed.
    """

    ended: bool
    answers: dict[str, list[str]]
    console: str

    def one(self, word: str) -> str:
        """Return the only line for a word."""
        assert len(self.answers.get(word, [])) == 1, f"{word}: {self}"
        return self.answers[word][0]


def system_with_kernel(kernel: Kernel, directory: Path) -> Path:
    """Return a copy of the Debian with the kernel's package installed."""
    root = directory / "root"
    subprocess.run(["cp", "-a", debian_system_directory(), root], check=True)
    (package,) = kernel_packages(kernel).glob("linux-image-[0-9]*.deb")
    shutil.copy(package, root)
    # The guest's kernel unpacks gzip alone, and Debian packs with zstd.
    _replace(root / "etc/initramfs-tools/initramfs.conf", "COMPRESS=zstd", "COMPRESS=gzip")
    done = subprocess.run(
        ["chroot", root, "dpkg", "--install", f"/{package.name}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**os.environ, "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
    assert (root / "vmlinuz").resolve().name.startswith("vmlinuz-"), "/vmlinuz names the newest"
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    return root


def boot(
    kernel: Kernel,
    root: Path,
    scratch: Path,
    *,
    ask: str,
    files: Mapping[str, str],
    limit_seconds: float,
    until: str | None = None,
) -> Boot:
    """Boot the system, with more files in it, until it powers off.

    Args:
        kernel: What it boots with.
        root: The system; it stays as it is.
        scratch: An empty directory.
        ask: The program in the guest.
        files: More files, by their paths in the guest.
        limit_seconds: Real time after which it is stopped.
        until: Stop as soon as its console shows this.
    """
    image = _pack(root, scratch, {"ask": ask, **files})
    console, answers = scratch / "console", scratch / "answers"
    child = subprocess.Popen(
        _argv(kernel, root, image, console, answers),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    ended = False
    try:
        while limit_seconds > 0 and not ended:
            try:
                child.wait(timeout=1)
                ended = True
            except subprocess.TimeoutExpired:
                limit_seconds -= 1
            if until is not None and until in console.read_text(errors="replace"):
                break
    finally:
        child.kill()
        child.wait()
        image.unlink()
    found: dict[str, list[str]] = {}
    for line in answers.read_text(errors="replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        found.setdefault(word, []).append(rest)
    return Boot(ended=ended, answers=found, console=console.read_text(errors="replace"))


def _argv(kernel: Kernel, root: Path, image: Path, console: Path, answers: Path) -> list[str]:
    board = arches.parse(kernel.manifest.arch).board
    khz = counter_khz(reporter=NullReporter())
    words = f"root=/dev/vda rw panic=-1 {board.words}"
    if khz is not None and board.frequency_parameter is not None:
        words += f" {board.frequency_parameter}={khz}"
    (installed,) = (root / "boot").glob("vmlinuz-*")
    release = installed.name.removeprefix("vmlinuz-")
    return [
        board.qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "768",
        # Always the same evening: which midnights and Sundays come is part of the test.
        "-rtc", "base=2030-01-01T22:50:00",
        "-kernel", f"{root}/boot/vmlinuz-{release}", "-initrd", f"{root}/boot/initrd.img-{release}",
        "-append", words,
        "-serial", f"file:{console}", "-serial", f"file:{answers}",
        "-object", "rng-builtin,id=rng", "-device", "virtio-rng-pci,rng=rng",
        "-drive", f"if=none,id=disk,format=raw,file={image}",
        "-device", "virtio-blk-pci,drive=disk",
    ]  # fmt: skip


def _pack(root: Path, scratch: Path, files: Mapping[str, str]) -> Path:
    # mke2fs fills from one directory alone; debugfs brings the rest, without root and mounts.
    image, extra = scratch / "disk.raw", scratch / "extra"
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", root, image, IMAGE_SIZE],
        check=True, capture_output=True,
    )  # fmt: skip
    commands = []
    wanted = {**files, "etc/systemd/system/ask.service": _UNIT}
    for number, (name, text) in enumerate(wanted.items()):
        source = extra / f"{number}"
        source.parent.mkdir(exist_ok=True)
        source.write_text(text)
        commands.append(f"write {source} /{name}")
    link = "/etc/systemd/system/multi-user.target.wants/ask.service"
    commands.append(f"symlink {link} ../ask.service")
    done = subprocess.run(
        ["debugfs", "-w", "-f", "-", image],
        input="\n".join(commands), capture_output=True, text=True, check=False,
    )  # fmt: skip
    # It ends with 0 whatever happens.
    assert done.stdout.count("Allocated inode") == len(wanted), done.stdout + done.stderr
    return image


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        pytest.fail(f"{path} does not say {old}")
    path.write_text(text.replace(old, new))

# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel with busybox and a script, and nothing of ours beside it: for what needs no agent."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel


def initramfs(scratch: Path, script: str) -> Path:
    """Return an image whose process 1 is a script for ``/bin/busybox sh``; /proc and /sys exist."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox-static is among the packages that make test installs"
    for name in ("bin", "proc", "sys"):
        (scratch / name).mkdir()
    shutil.copy(busybox, scratch / "bin/busybox")
    (scratch / "init").write_text(script)
    (scratch / "init").chmod(0o755)
    image = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"],
        cwd=scratch, input=b"bin\nbin/busybox\nproc\nsys\ninit\n", capture_output=True, check=True,
    ).stdout  # fmt: skip
    (scratch / "image.cpio").write_bytes(image)
    return scratch / "image.cpio"


def argv(kernel: Kernel, image: Path, append: str) -> list[str]:
    """Return QEMU's command line; its standard input and output are the guest's serial line."""
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot",
        "-display", "none", "-serial", "stdio", "-machine", "q35", "-cpu", "max",
        "-accel", "tcg", "-smp", "2", "-m", "256", "-kernel", str(kernel.image),
        "-initrd", str(image),
        "-append", f"console=ttyS0 quiet panic=-1 tsc=reliable {append}",
    ]  # fmt: skip

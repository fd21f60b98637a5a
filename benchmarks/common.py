# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparisons with an unpatched kernel share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.host import kernels, process

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel


def unpatched_kernel(reference: str | None = None) -> Kernel:
    """Return the kernel that was asked for, else the newest unpatched one."""
    if reference is not None:
        return kernels.resolve(reference)
    for kernel in kernels.installed():
        if not kernel.manifest.accelerated:
            return kernel
    raise SystemExit("build one first: dynaccel kernel build --no-patch")


def machine() -> str:
    """Say where and when something is measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    processors = len(re.findall(r"^processor\s*:", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    qemu = process.run(["qemu-system-x86_64", "--version"]).text.splitlines()[0]
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC, {model[1] if model else 'unknown CPU'},"
        f" {processors} CPUs, load {load}, {qemu}, TCG"
    )

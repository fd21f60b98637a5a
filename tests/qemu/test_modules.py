# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose drivers and file systems are modules, as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError
from dynaccel.host import kernels, tools

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

DYNACCEL = (sys.executable, "-m", "dynaccel.cli.main", "-qq")
ASKED = "DYNACCEL_TEST_KERNEL_MODULES"
HOW = "dynaccel kernel build --config kernel/configs/flavours/modular.config"
LIMIT_SECONDS = 300


@pytest.fixture(scope="module")
def modular() -> Kernel:
    """Return the kernel of $DYNACCEL_TEST_KERNEL_MODULES."""
    board = arches.native().board
    if tools.find(board.qemu) is None:
        pytest.skip(f"{board.qemu} is not installed: {tools.install_command(board.package)}")
    if not os.environ.get(ASKED):
        pytest.skip(f"needs a kernel of its own, whose id ${ASKED} says: {HOW}")
    try:
        found = kernels.resolve(os.environ[ASKED])
    except DynaccelError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    assert found.modules is not None, f"{found.short_id} has no modules; make one: {HOW}"
    return found


def run(kernel: Kernel, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*DYNACCEL, "run", "--kernel", kernel.short_id, "--accel", "100", *options]
    return subprocess.run(
        [*argv, "--", "sh", "-c", script],
        capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip


def test_the_agent_has_loaded_what_a_guest_needs(modular: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = run(modular, "cut -d' ' -f1 /proc/modules; sleep 100", "--result", str(result))
    assert done.returncode == 0, done.stderr
    assert {"virtio_pci", "virtio_console", "9p", "overlay"} <= set(done.stdout.split())
    told = json.loads(result.read_text())
    assert told["virtual_seconds"] >= 100
    assert told["achieved_ratio"] == pytest.approx(100, rel=0.02)


def test_the_guests_modprobe_finds_the_rest(modular: Kernel) -> None:
    if tools.find("modprobe") is None:
        pytest.skip(f"modprobe is not installed: {tools.install_command('kmod')}")
    script = "modprobe tun && ls -d /sys/module/tun && ls -ld /lib/modules/$(uname -r)/kernel"
    done = run(modular, script, "--user", "root")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("/sys/module/tun\n")


def test_a_device_whose_driver_is_not_loaded_is_there_to_be_opened(modular: Kernel) -> None:
    if tools.find("modprobe") is None:
        pytest.skip(f"modprobe is not installed: {tools.install_command('kmod')}")
    script = "grep -c ^tun /proc/modules; exec 3<>/dev/net/tun && grep -c ^tun /proc/modules"
    done = run(modular, script)
    assert (done.returncode, done.stdout) == (0, "0\n1\n"), done.stderr

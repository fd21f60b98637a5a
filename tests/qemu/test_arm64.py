# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of another architecture than this machine's, as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.arches import ARM64
from dynaccel.core.errors import DynaccelError
from dynaccel.host import kernels, tools

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

DYNACCEL = (sys.executable, "-m", "dynaccel.cli.main", "-qq")
LIMIT_SECONDS = 600
ERROR = 0.02
"""What a busy host explains; the bars of verify itself are for one that has time."""


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """Return the kernel of $DYNACCEL_TEST_KERNEL_ARM64, else the newest accelerated one."""
    if ARM64.native:
        pytest.skip("on arm64 all other tests are about it")
    programs = {ARM64.board.qemu: (ARM64.board.package,), ARM64.compiler: ARM64.compiler_packages}
    for program, packages in programs.items():
        if tools.find(program) is None:
            pytest.skip(f"{program} is not installed: {tools.install_command(*packages)}")
    try:
        return kernels.resolve(os.environ.get("DYNACCEL_TEST_KERNEL_ARM64") or None, arch=ARM64)
    except DynaccelError as error:
        pytest.skip(f"{error.message}: {error.hint}")


def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DYNACCEL, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )


def test_a_command_runs_in_accelerated_time(kernel: Kernel) -> None:
    script = "uname -m; cat; cat /proc/sys/kernel/accel; sleep 3600; exit 7"
    words = ("--kernel", str(kernel.directory), "--root", "debian", "--accel", "1000")
    done = call("run", *words, "--user", "root", "--", "sh", "-c", script, stdin="input\n")
    assert (done.returncode, done.stdout) == (7, "aarch64\ninput\n1000\n"), done.stderr


def test_a_guest_may_have_been_up_for_months(kernel: Kernel) -> None:
    words = ("--kernel", str(kernel.directory), "--root", "debian", "--uptime", "100d")
    done = call("run", *words, "--", "cat", "/proc/uptime")
    assert done.returncode == 0, done.stderr
    assert 100 * 86400 <= float(done.stdout.split()[0]) < 101 * 86400


def test_this_machines_programs_are_refused(kernel: Kernel) -> None:
    done = call("run", "--kernel", str(kernel.directory), "--", "true")
    assert done.returncode == 125
    assert "--root debian" in done.stderr


def test_every_clock_runs_at_the_ratio(kernel: Kernel, tmp_path: Path) -> None:
    target = tmp_path / "v.json"
    words = ("--accel", "1,1000", "--part", "clocks", "--part", "log", "--json", str(target))
    done = call("verify", "--kernel", str(kernel.directory), *words)
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(target.read_text())
    assert told["machine"]["arch"] == "aarch64"
    assert told["machine"]["clocksource"] == "arch_sys_counter"
    rates = [
        check
        for check in told["checks"]
        # Ticks that a busy host did not let happen are missing in that file.
        if check["reached"] is not None and not check["name"].startswith("/proc/stat")
    ]
    assert len(rates) >= 2 * 30
    off = {
        f"{check['name']} at {check['ratio']}": check["error"]
        for check in rates
        if abs(check["error"]) > ERROR + ("CPU time" in check["name"]) * 0.1
    }
    assert off == {}
    assert [check["ok"] for check in told["checks"] if check["part"] == "log"] == [True]

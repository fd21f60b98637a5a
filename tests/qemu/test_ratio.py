# SPDX-License-Identifier: GPL-2.0-or-later
"""``kernel.accel`` itself: what it takes, what it refuses, and changes under way."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import bare_guest
import pytest

from dynaccel.verify.probes import probe

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

REFUSED = ["0", "-1", "1001", "abc", "", "1.5", "5 6", "0x10", "4294967297", "9" * 20, "9" * 40]
CHANGES = 3000


def run(kernel: Kernel, *command: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
    done = subprocess.run(
        [
            sys.executable, "-m", "dynaccel.cli.main", "-q", "run", "--accelerator", "tcg",
            "--kernel", str(kernel.image), "--user", "root", *options, "--", *command,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


WRITER = """
import json, os, sys
answers = []
for text in json.loads(sys.argv[1]):
    file = os.open("/proc/sys/kernel/accel", os.O_RDWR)
    try:
        os.write(file, text.encode())
        answer = 0
    except OSError as error:
        answer = error.errno
    answers.append([text, answer, os.pread(file, 64, 0).decode()])
    os.close(file)
print(json.dumps(answers))
"""


def test_refuses_what_is_no_ratio(kernel: Kernel) -> None:
    status, said, _ = run(
        kernel, "/usr/bin/env", "python3", "-c", WRITER, json.dumps(REFUSED),
        options=("--accel", "7"),
    )  # fmt: skip
    assert status == 0
    assert json.loads(said) == [[text, errno.EINVAL, "7\n"] for text in REFUSED]


@pytest.mark.parametrize("ratio", ["1", "2", "999", "1000"])
def test_takes_what_is_one(kernel: Kernel, ratio: str) -> None:
    script = f"echo {ratio} > /proc/sys/kernel/accel && cat /proc/sys/kernel/accel"
    assert run(kernel, "sh", "-c", script)[:2] == (0, f"{ratio}\n")


def test_only_root_writes(kernel: Kernel) -> None:
    script = (
        "cat /proc/sys/kernel/accel; echo 5 > /proc/sys/kernel/accel; cat /proc/sys/kernel/accel"
    )
    status, said, complained = run(
        kernel, "setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", script,
        options=("--accel", "3"),
    )  # fmt: skip
    assert status == 0
    assert said.split() == ["3", "3"]
    assert "ermission denied" in complained


def test_clocks_never_go_back_while_the_ratio_changes(kernel: Kernel) -> None:
    status, said, _ = run(kernel, str(probe("changes")), f"{CHANGES}")
    assert status == 0, said
    outcome = json.loads(said)
    assert outcome["changes"] == CHANGES
    assert outcome["reads"] > CHANGES
    assert outcome["backward"] == {}
    assert outcome["crossed"] == 0
    assert outcome["early"] == 0
    # Jiffies and the coarse clocks are in line as soon as the ratio is: within a few ticks.
    assert outcome["lag_ticks_slow"] < 50
    assert outcome["lag_ticks_fast"] < 50


def test_a_sleeping_wait_follows_a_change(kernel: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    script = "sleep 2000 & echo 1000 > /proc/sys/kernel/accel; wait; cat /proc/uptime"
    status, _, _ = run(kernel, "sh", "-c", script, options=("--result", str(result)))
    assert status == 0
    outcome = json.loads(result.read_text())
    # 2000 s at ratio 1 would be more than half an hour.
    assert outcome["virtual_seconds"] >= 2000
    assert outcome["real_seconds"] < 60


INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox sleep 1
echo "early $(/bin/busybox cat /proc/sys/kernel/accel)"
# Two seconds after the late initcalls the ratio takes effect.
/bin/busybox sleep 4
echo "late $(/bin/busybox cat /proc/sys/kernel/accel)"
/bin/busybox poweroff -f
"""


@pytest.mark.parametrize(
    ("parameter", "ratio"),
    [("accel=50", 50), ("accel=0", 1), ("accel=1001", 1), ("accel=fast", 1), ("", 1)],
)
def test_boot_parameter(kernel: Kernel, tmp_path: Path, parameter: str, ratio: int) -> None:
    console = subprocess.run(
        bare_guest.argv(kernel, bare_guest.initramfs(tmp_path, INIT), parameter),
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120,
    ).stdout.decode(errors="replace")  # fmt: skip
    assert "early 1\r" in console, console
    assert f"late {ratio}\r" in console, console
    refused = parameter and ratio == 1
    assert ("is not a number from 1 to 1000" in console) == bool(refused), console

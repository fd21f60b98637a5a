# SPDX-License-Identifier: GPL-2.0-or-later
"""The ratio outlives what happens to clocks: an unstable TSC, another clocksource, suspend."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import bare_guest
import pytest

from dynaccel.verify.probes import probe

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIO = 100
SUSPENDED_REAL_SECONDS = 10


def run(kernel: Kernel, *command: str, options: tuple[str, ...] = ()) -> str:
    argv = [sys.executable, "-m", "dynaccel.cli.main", "-q", "run", "--accelerator", "tcg"]
    argv += ["--kernel", str(kernel.image), "--user", "root", *options, "--", *command]
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True, timeout=300
    ).stdout


CPU_TIME = """
import json, time
ratio = int(open("/proc/sys/kernel/accel").read())
wall, cpu, last, backward = time.monotonic_ns(), time.process_time_ns(), 0, 0
while time.monotonic_ns() - wall < 0.5e9 * ratio:
    now = time.process_time_ns()
    backward += now < last
    last = now
spent = time.process_time_ns() - cpu
print(json.dumps({"share": spent / (time.monotonic_ns() - wall), "backward": backward}))
"""


@pytest.mark.parametrize(
    "append",
    ["tsc=unstable", "tsc=unstable clocksource=acpi_pm nohz=off highres=off", "nohz=off"],
)
def test_cpu_time_agrees_with_wall_time(kernel: Kernel, append: str) -> None:
    said = run(
        kernel, "python3", "-c", CPU_TIME,
        options=("--append", append, "--accel", f"{RATIO}"),
    )  # fmt: skip
    outcome = json.loads(said)
    assert outcome["backward"] == 0
    # In real time it would be a hundredth; the rest is what others got of the CPU.
    assert 0.5 < outcome["share"] < 1.05


def test_clocks_never_go_back_with_an_unstable_tsc(kernel: Kernel) -> None:
    said = run(kernel, str(probe("changes")), "300", options=("--append", "tsc=unstable"))
    outcome = json.loads(said)
    assert outcome["backward"] == {}
    assert outcome["early"] == 0


SUSPEND = f"""#!/bin/busybox sh
b() {{ /bin/busybox "$@"; }}
b mount -t proc proc /proc
b mount -t sysfs sys /sys
b sleep 3
echo {RATIO} > /proc/sys/kernel/accel
# QEMU's RTC does not wake a guest from suspend-to-idle; a character on the serial line does.
echo enabled > /sys/class/tty/ttyS0/power/wakeup
echo "before $(b cut -d' ' -f1 /proc/uptime) $(b cat /sys/class/rtc/rtc0/since_epoch)"
echo freeze > /sys/power/state
echo "after $(b cut -d' ' -f1 /proc/uptime) $(b cat /sys/class/rtc/rtc0/since_epoch)"
echo "ratio $(b cat /proc/sys/kernel/accel)"
b poweroff -f
"""


def test_suspend_to_idle_counts_accelerated(kernel: Kernel, tmp_path: Path) -> None:
    command = bare_guest.argv(kernel, bare_guest.initramfs(tmp_path, SUSPEND), "")
    told: dict[str, list[float]] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as qemu:
        assert qemu.stdin is not None
        assert qemu.stdout is not None
        limit = threading.Timer(120, qemu.kill)
        limit.start()
        for line in qemu.stdout:
            match line.split():
                case [("before" | "after" | "ratio") as key, *numbers]:
                    told[key] = [float(number) for number in numbers]
                case _:
                    continue
            if key == "before":
                time.sleep(SUSPENDED_REAL_SECONDS)
                qemu.stdin.write("\n")
                qemu.stdin.flush()
        limit.cancel()
    assert told["ratio"] == [RATIO], told
    virtual, real = (
        after - before for before, after in zip(told["before"], told["after"], strict=True)
    )
    # The RTC, which tells how long the guest slept, counts whole seconds: one off at either end,
    # and the kernel reads it once more itself.
    assert real >= SUSPENDED_REAL_SECONDS - 1, told
    assert abs(virtual / RATIO - real) < 3, told

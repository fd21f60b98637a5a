# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel verify`` on a real guest.

Its own bars are for a machine that has time; here a check may fall short by what a busy host
explains, but nothing may go back, be early or be lost, and no clock may run at another ratio.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench
from dynaccel.verify.parts import changes, hardware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

pytestmark = pytest.mark.qemu

RATIOS = (1, 1000)
CHANGES = 3000
ERROR = 0.02
LIMIT_SECONDS = 600
HARDWARE_WAITS = 18
EARLY_US, LATE_US = 1e5, 2e6
"""A busy host may keep a CPU for long, and deliver ticks late, so that in any Linux a wait that is
counted in jiffies begins with old ones. Of 0.4 s a wait that follows the wrong ratio is off by
nearly all, or by far more."""
EXACT = ("smoothness", "monotonic across", "offset of", "clock_settime", "settimeofday", "leap")
BY_TICKS = ("/proc/stat",)
"""Ticks that a busy host did not let happen are missing in these."""


def argv(kernel: Kernel, *words: str) -> list[str]:
    command = [sys.executable, "-m", "dynaccel.cli.main", "-qq", "verify"]
    return [*command, "--accelerator", "tcg", "--kernel", str(kernel.image), *words]


@pytest.fixture(scope="module")
def verified(
    kernel: Kernel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, str, dict[str, Any]]:
    target = tmp_path_factory.mktemp("verify") / "v.json"
    ratios = ",".join(map(str, RATIOS))
    words = ["--accel", ratios, "--part", "clocks", "--part", "log", "--json", str(target)]
    done = subprocess.run(
        argv(kernel, *words), capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, done.stdout, json.loads(target.read_text())


def test_the_status_the_table_and_the_file_say_the_same(
    verified: tuple[int, str, dict[str, Any]], kernel: Kernel
) -> None:
    status, said, value = verified
    failed = [check for check in value["checks"] if not check["ok"]]
    assert (status == 0) == value["ok"] == (not failed)
    assert said.count("FAILS:") == len(failed)
    assert value["ratios"] == list(RATIOS)
    assert value["machine"]["kernel"] == kernel.manifest.release
    assert value["machine"]["cpus"] == 2
    assert value["machine"]["real_time_uncertainty"] < 0.001


def test_every_source_of_time_runs_at_the_ratio(verified: tuple[int, str, dict[str, Any]]) -> None:
    checks = [check for check in verified[2]["checks"] if check["part"] == "clocks"]
    rates = [
        check
        for check in checks
        if check["reached"] is not None and not check["name"].startswith(BY_TICKS)
    ]
    assert len(rates) >= 30 * len(RATIOS)
    off = {
        f"{check['name']} at {check['ratio']}": check["error"]
        for check in rates
        if abs(check["error"]) > ERROR + ("CPU time" in check["name"]) * 0.1
    }
    assert off == {}


def test_what_is_exact_holds(verified: tuple[int, str, dict[str, Any]]) -> None:
    checks = [check for check in verified[2]["checks"] if check["name"].startswith(EXACT)]
    assert len(checks) >= 2 * 5 + 1
    assert [check for check in checks if not check["ok"]] == []


def test_the_kernel_does_not_complain(verified: tuple[int, str, dict[str, Any]]) -> None:
    assert [check["ok"] for check in verified[2]["checks"] if check["part"] == "log"] == [True]


@pytest.fixture(scope="module")
def bench(kernel: Kernel) -> Iterator[Bench]:
    options = ["--accelerator", "tcg", "--kernel", str(kernel.image)]
    with guest_bench(options, reporter=NullReporter()) as place:
        yield place


def test_thousands_of_changes_and_what_else_disturbs_time(bench: Bench) -> None:
    checks = list(changes.measure(bench, (1000,), CHANGES))
    assert len(checks) >= 12
    loose = "coarse clocks"
    wrong = [
        check
        for check in checks
        if not check.ok
        and not check.name.startswith(loose)
        and not (check.error is not None and abs(check.error) <= ERROR)
    ]
    assert wrong == []


def test_what_drivers_wait_with_takes_real_time(bench: Bench) -> None:
    checks = list(hardware.measure(bench, RATIOS))
    assert len(checks) == HARDWARE_WAITS * (len(RATIOS) + 2 * len(hardware.CHANGES))
    wrong = [
        check
        for check in checks
        if not check.ok
        and not (check.late_us is not None and -EARLY_US <= check.late_us <= LATE_US)
    ]
    assert wrong == []


def test_the_counter_is_real_time(bench: Bench) -> None:
    bench.set_ratio(1000)
    first, before = bench.stamp(), time.monotonic()
    time.sleep(1)
    last, after = bench.stamp(), time.monotonic()
    bench.set_ratio(1)
    seconds = bench.real_seconds(last.counter - first.counter)
    assert seconds * (1 + ERROR) >= 1
    assert seconds <= (after - before + 1) * (1 + ERROR)


def test_ctrl_c_ends_it_and_its_guest(kernel: Kernel) -> None:
    child = subprocess.Popen(
        argv(kernel, "--part", "changes"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(8)  # the guest is up, or on its way
    below = children(child.pid)
    assert below
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGINT
    assert b"Traceback" not in err
    deadline = time.monotonic() + 10
    while any(map(alive, below)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in below if alive(pid)] == []


def children(pid: int) -> list[int]:
    """Return all processes below one."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*found, *(below for one in found for below in children(one))]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

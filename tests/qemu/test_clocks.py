# SPDX-License-Identifier: GPL-2.0-or-later
"""Clocks and waits of a real guest against the host's monotonic clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dynaccel.verify.clocks import clock_probe, rates
from dynaccel.verify.waits import measure_waits

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIOS = (1, 10, 100, 1000)
WINDOW_SECONDS = 6.0
TICK_SECONDS = 1 / 250
"""Of the guest's kernel, in real time; the coarse clocks stand still in between."""
CALIBRATION = 0.001
"""The guest measures its counter's frequency against emulated hardware; the bar is 0.1 %."""
WAIT_REAL_SECONDS = 0.4
LATE_REAL_SECONDS = 2.5
"""Room for a busy host. At ratio 10 an unaccelerated wait already takes 4 s."""
COARSE = {"realtime_coarse", "monotonic_coarse", "times"}


def options(kernel: Kernel, ratio: int) -> list[str]:
    return ["--kernel", str(kernel.image), "--accelerator", "tcg", "--accel", str(ratio)]


@pytest.mark.parametrize("spinning", [0, 2], ids=["idle", "busy"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_clock_runs_at_the_ratio(kernel: Kernel, ratio: int, spinning: int) -> None:
    with clock_probe(options(kernel, ratio), spinning=spinning) as probe:
        first = probe.stamp()
        time.sleep(WINDOW_SECONDS)
        last = probe.stamp()
    measured = rates(first, last)
    assert {rate.clock for rate in measured} >= COARSE | {"realtime", "monotonic_raw", "tai"}
    for rate in measured:
        # On a busy guest under emulation, on a busy host, a tick can come late.
        grain = 10 * TICK_SECONDS / WINDOW_SECONDS if rate.clock in COARSE else 0.0
        allowed = CALIBRATION + rate.uncertainty + grain
        assert rate.ratio / ratio == pytest.approx(1, abs=allowed), rate


@pytest.mark.parametrize("ratio", RATIOS)
def test_every_wait_follows(kernel: Kernel, ratio: int) -> None:
    waits = measure_waits(options(kernel, ratio), asked_seconds=WAIT_REAL_SECONDS * ratio)
    assert len(waits) >= 12
    for wait in waits:
        assert wait.virtual_seconds >= wait.asked_seconds, f"{wait.call} came back early: {wait}"
        assert wait.real_seconds < WAIT_REAL_SECONDS + LATE_REAL_SECONDS, f"{wait.call}: {wait}"

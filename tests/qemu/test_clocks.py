# SPDX-License-Identifier: GPL-2.0-or-later
"""Clocks of a real guest against the host's monotonic clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dynaccel.verify.clocks import clock_probe, rates

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIOS = (1, 10, 100, 1000)
WINDOW_SECONDS = 6.0
TICK_SECONDS = 1 / 250
"""Of the guest's kernel, in real time; the coarse clocks stand still in between."""
CALIBRATION = 0.001
"""The guest measures its counter's frequency against emulated hardware; the bar is 0.1 %."""
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

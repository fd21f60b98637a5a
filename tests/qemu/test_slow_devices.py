# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers wait for their devices in real time, however fast virtual time flows.

A request that a device takes seconds for is not given up, and one that never ends is, after the
same real seconds as at ratio 1; the device works again afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import slow_disk
from slow_guest import DEVICES, hung_request, slow_guest, slow_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slow_guest import Hang, Outcome, SlowGuest

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIOS = (1, 1000)
SLOW_SECONDS = 5.0
NAMES = tuple(device.name for device in DEVICES)
GIVE_UP = tuple(device.name for device in DEVICES if device.gives_up)

TIME_OUT_SECONDS = 2.0
CHANGE_SECONDS = 1.0
EARLY_SECONDS = 0.02
"""Jiffies at both ends, and how finely the counter is known."""
GRAIN_SECONDS = 1.024 + 0.256 + 0.064
"""blk_round_jiffies() adds 256 jiffies; so far ahead the timer wheel has a grain of 64, and what it
is told lags up to 16 behind (HZ=250)."""
ROOM_SECONDS = 4.0
"""For a busy host, and for error handling that QEMU keeps waiting."""
LIMIT_SECONDS = 15.0
CHANGES = {name: ((1, 1000), (1000, 1))[number % 2] for number, name in enumerate(GIVE_UP)}


@pytest.fixture(scope="module")
def guest(kernel: Kernel) -> Iterator[SlowGuest]:
    if not slow_disk.installed():
        pytest.skip("nbdkit is not installed: apt-get install nbdkit")
    with slow_guest(kernel, DEVICES) as place:
        yield place


@pytest.fixture(scope="module")
def slow(guest: SlowGuest) -> dict[int, dict[str, Outcome]]:
    """What became of a request to each device, by ratio."""
    names = list(guest.blocks)
    return {
        ratio: slow_requests(guest, names, ratio=ratio, seconds=SLOW_SECONDS) for ratio in RATIOS
    }


def needed(guest: SlowGuest, name: str) -> None:
    if name not in guest.blocks:
        pytest.skip(f"the guest's kernel has no driver for {name}")


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", NAMES)
def test_a_slow_request_is_waited_for(
    guest: SlowGuest, slow: dict[int, dict[str, Outcome]], name: str, ratio: int
) -> None:
    needed(guest, name)
    outcome = slow[ratio][name]
    assert outcome.error == 0, outcome
    assert outcome.ended is not None
    assert outcome.ended >= SLOW_SECONDS - EARLY_SECONDS - CHANGE_SECONDS, outcome
    if name in GIVE_UP:
        assert not outcome.given_up, outcome


def check(hang: Hang) -> None:
    """Check that a request was given up in time, and that the device recovered."""
    assert hang.outcome.given_up, f"never given up: {hang}"
    after = hang.outcome.given_up[0]
    assert after >= TIME_OUT_SECONDS - EARLY_SECONDS, hang
    assert after <= TIME_OUT_SECONDS + GRAIN_SECONDS + ROOM_SECONDS, hang
    assert hang.outcome.ended is not None, f"error handling did not end: {hang}"
    assert hang.works, hang
    assert hang.state in {"running", "live"}, hang


@pytest.mark.parametrize("name", GIVE_UP)
@pytest.mark.parametrize("kind", ["1000", "changing"])
def test_a_request_that_hangs_is_given_up_in_real_time(
    guest: SlowGuest, slow: dict[int, dict[str, Outcome]], name: str, kind: str
) -> None:
    del slow  # measured with the time-outs that the kernel set itself
    needed(guest, name)
    guest.time_out(name, TIME_OUT_SECONDS)
    check(
        hung_request(
            guest, name, ratios=(1000,) if kind == "1000" else CHANGES[name],
            step_seconds=CHANGE_SECONDS, limit_seconds=LIMIT_SECONDS,
        )
    )  # fmt: skip

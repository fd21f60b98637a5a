# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers wait for their devices in real time, however fast virtual time flows.

A request that a device takes seconds for is not given up, and one that never ends is, after the
same real seconds as at ratio 1; the device works again afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import slow_disk
from full_wire import full_wire
from silent_usb import SilentUsb
from slow_guest import DEVICES, hung_request, slow_guest, slow_requests
from slow_links import USB_SLOT, WIRE_SLOT, plugged_in, stalled_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from full_wire import FullWire
    from slow_guest import Hang, Outcome, SlowGuest

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIOS = (1, 1000)
SLOW_SECONDS = 5.0
SPREAD_SECONDS = 1.0
"""From the first of the requests at once to the last."""
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
WATCHDOG_SECONDS = 5.0
"""dev_watchdog_up(), and initial_descriptor_timeout of usbcore."""
WHOLE_SECONDS = 1.0
"""dev_watchdog() rounds to whole seconds."""
CHANGES = {name: ((1, 1000), (1000, 1))[number % 2] for number, name in enumerate(GIVE_UP)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A guest with what there is at the host's end."""

    guest: SlowGuest
    wire: FullWire
    usb: SilentUsb


@pytest.fixture(scope="module")
def place(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not slow_disk.installed():
        pytest.skip("nbdkit is not installed: apt-get install nbdkit")
    scratch = tmp_path_factory.mktemp("s")
    usb = SilentUsb(path=scratch / "usb")
    with full_wire(scratch) as wire:
        words = [usb.qemu(USB_SLOT), wire.qemu(WIRE_SLOT)]
        with slow_guest(kernel, DEVICES, words=words) as guest:
            yield Place(guest=guest, wire=wire, usb=usb)


@pytest.fixture(scope="module")
def guest(place: Place) -> SlowGuest:
    return place.guest


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
    assert outcome.ended >= SLOW_SECONDS - SPREAD_SECONDS, outcome
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


def test_a_network_queue_that_stalls_is_reported_in_real_time(place: Place) -> None:
    stall = stalled_queue(
        place.guest, place.wire, ratios=(1, 1000), step_seconds=2 * CHANGE_SECONDS,
        seconds=WATCHDOG_SECONDS + WHOLE_SECONDS + ROOM_SECONDS,
    )  # fmt: skip
    assert stall.since_first, "never reported"
    assert stall.since_first[0] >= WATCHDOG_SECONDS - EARLY_SECONDS, stall
    assert stall.since_last[0] <= WATCHDOG_SECONDS + WHOLE_SECONDS + ROOM_SECONDS, stall
    assert stall.works, stall


def test_a_usb_device_that_answers_late_is_found(place: Place) -> None:
    plug = plugged_in(place.guest, place.usb, ratio=1000, delay_seconds=1.0, seconds=30.0)
    assert plug.found, plug


def test_a_usb_device_that_never_answers_is_given_up_in_real_time(place: Place) -> None:
    plug = plugged_in(place.guest, place.usb, ratio=1000, delay_seconds=None, seconds=30.0)
    assert plug.given_up is not None, "never given up"
    assert plug.given_up >= WATCHDOG_SECONDS - EARLY_SECONDS, plug
    assert plug.given_up <= WATCHDOG_SECONDS + ROOM_SECONDS, plug

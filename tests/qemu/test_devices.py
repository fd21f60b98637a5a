# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices work at 1000; when asked, also at 1, 200 and while the ratio changes.

benchmarks/devices.py runs the same with more of everything, and prints a table.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from device_case import Outcome, missing, outcomes
from device_lab import SETTINGS, Amount
from device_table import guests

if TYPE_CHECKING:
    from pathlib import Path

    from device_case import Case

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

ASKED = "DYNACCEL_TEST_ALL_DEVICES"
"""Set it to 1 for all settings, which take half an hour."""
CHOSEN = tuple(each for each in SETTINGS if os.environ.get(ASKED) or each.name == "1000")
AMOUNT = Amount(mebibytes=2, datagrams=50, rounds=1)
GUESTS = guests()
DEVICES = [(guest, case) for guest, cases in GUESTS.items() for case in cases]

Found = dict[tuple[str, str], Outcome]


class Guests:
    """What came of each device, by guest, once the first test of one asked for it."""

    def __init__(self, kernel: Kernel, scratch: Path) -> None:
        self.kernel = kernel
        self._scratch = scratch
        self._found: dict[str, Found] = {}

    def found(self, guest: str) -> Found:
        """Use all devices of a guest, the first time, and return what came of them."""
        if guest not in self._found:
            cases = [case for case in GUESTS[guest] if missing(case, self.kernel) is None]
            scratch = self._scratch / guest.replace("/", " ")
            scratch.mkdir()
            self._found[guest] = {
                (each.case, each.setting): each
                for each in outcomes(self.kernel, cases, scratch, amount=AMOUNT, settings=CHOSEN)
            }
        return self._found[guest]


@pytest.fixture(scope="module")
def used(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Guests:
    return Guests(kernel, tmp_path_factory.mktemp("d"))


@pytest.mark.parametrize("setting", [each.name for each in CHOSEN])
@pytest.mark.parametrize(("guest", "case"), [pytest.param(*d, id=d[1].name) for d in DEVICES])
def test_a_device_works(used: Guests, guest: str, case: Case, setting: str) -> None:
    reason = missing(case, used.kernel)
    if reason is not None:
        pytest.skip(reason)
    outcome = used.found(guest)[case.name, setting]
    assert not outcome.problems, f"{outcome.facts}\n" + "\n".join(outcome.problems)

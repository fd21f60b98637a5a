# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own tests of time on the accelerated kernel, at ratio 1 and at 1000.

Those that pass on an unpatched kernel in the same guest, that judge virtual time, and that set
nobody a deadline: at 1000 a real millisecond is a second. ``benchmarks/selftests.py`` runs all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError
from dynaccel.host import kernels, tools
from dynaccel.verify.selftests import Outcome, Selftest, build, run

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import PatchedTree

pytestmark = [pytest.mark.kernel, pytest.mark.qemu]

LIMIT_SECONDS = 300
AT_1 = [
    Selftest(collection="timers", program="nanosleep"),
    Selftest(collection="timers", program="inconsistency-check", arguments=("-t", "1")),
    Selftest(collection="timers", program="threadtest", arguments=("-t", "3")),
    Selftest(collection="timers", program="valid-adjtimex"),
]
AT_1000 = [
    Selftest(collection="timers", program="nanosleep"),
    Selftest(collection="timers", program="inconsistency-check"),
    Selftest(collection="timers", program="threadtest"),
    Selftest(collection="timers", program="valid-adjtimex"),
    Selftest(collection="timers", program="set-tai"),
    Selftest(collection="timers", program="skew_consistency"),
    Selftest(collection="timers", program="leapcrash"),
    Selftest(collection="timens", program="futex"),
    Selftest(collection="futex/functional", program="futex_wait_timeout"),
]


@pytest.fixture(scope="module")
def built(patched: PatchedTree) -> Path:
    """Return the directory of the built tests."""
    return build(patched.top / "tools/testing/selftests")


@pytest.fixture(scope="module")
def image() -> Path:
    """Return the kernel of $DYNACCEL_TEST_KERNEL, else the newest accelerated one."""
    board = arches.native().board
    if tools.find(board.qemu) is None:
        pytest.skip(f"{board.qemu} is not installed: {tools.install_command(board.package)}")
    try:
        return kernels.resolve(os.environ.get("DYNACCEL_TEST_KERNEL") or None).image
    except DynaccelError as error:
        pytest.skip(f"{error.message}: {error.hint}")


@pytest.mark.parametrize(
    ("ratio", "test"),
    [*((1, test) for test in AT_1), *((1000, test) for test in AT_1000)],
    ids=lambda value: value.program if isinstance(value, Selftest) else f"{value}",
)
def test_selftest_passes(built: Path, image: Path, ratio: int, test: Selftest) -> None:
    options = ["--accelerator", "tcg", "--kernel", f"{image}", "--accel", f"{ratio}"]
    report = run(test, built=built, options=options, limit_seconds=LIMIT_SECONDS)
    assert report.outcome is Outcome.PASS, report
    assert not report.complaints, report

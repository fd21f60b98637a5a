# SPDX-License-Identifier: GPL-2.0-or-later
"""What the output of a kernel's own test means."""

from __future__ import annotations

import pytest

from dynaccel.verify.selftests import Outcome, complaints, judge


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (0, "ok 1 CLOCK_REALTIME\n# Totals: pass:1 fail:0\n", Outcome.PASS),
        (1, "not ok 1 CLOCK_REALTIME\n", Outcome.FAIL),
        (255, "PIE delta error\n", Outcome.FAIL),
        (4, "1..0 # SKIP no such clock\n", Outcome.SKIP),
        (124, "", Outcome.TIMEOUT),
        (125, "", Outcome.GUEST),
        # What posix_timers of Linux 6.1 does when a timer comes at the wrong time.
        (0, "Check itimer virtual... Diff too high: 2031272708..[FAIL]\n", Outcome.FAIL),
        (0, "Setting timers [OK]\nmax latency: 99 ns : [FAILED]\n", Outcome.FAIL),
        (0, "ok 1 x\nnot ok 2 y\n", Outcome.FAIL),
        (0, "# an ok and a not ok inside of a line\n", Outcome.PASS),
    ],
)
def test_outcome(status: int, text: str, outcome: Outcome) -> None:
    assert judge(status, text) is outcome


def test_only_trouble_is_taken_from_the_log() -> None:
    log = (
        "[    1.0] clocksource: Switched to clocksource hpet\r\n"
        "[    2.0] rcu: INFO: rcu_sched detected stalls on CPUs\r\n"
        "[    3.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!\r\n"
    )
    found = complaints(log)
    assert [line[:11] for line in found] == ["[    2.0] r", "[    3.0] w"]

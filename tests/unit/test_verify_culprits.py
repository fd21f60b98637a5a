# SPDX-License-Identifier: GPL-2.0-or-later
"""The change of Linux to which a failure points."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynaccel.host import paths
from dynaccel.patch import series
from dynaccel.verify.check import Check
from dynaccel.verify.culprits import SIGNS, UNSEEN, likely, named
from dynaccel.verify.parts import ticks

CHECK = Check(part="waits", name="nanosleep", ratio=10, ok=False, note="why", mechanism="hrtimer")


def test_every_hook_is_in_one_table() -> None:
    hooks = {hook.name for hook in series.load(paths.data_dir("kernel") / "hooks").hooks}
    signs = {name for sign in SIGNS for name in sign.hooks}
    assert signs | set(UNSEEN) == hooks
    assert not signs & set(UNSEEN)


@pytest.mark.parametrize(
    ("check", "hook"),
    [
        (replace(CHECK, late_us=9000.0), "clockevents"),
        (replace(CHECK, mechanism="wheel", late_us=-1.0), "timer-wheel"),
        (replace(CHECK, mechanism="wheel", late_us=9000.0), "clockevents"),
        (replace(CHECK, part="re-timed waits", late_us=9000.0), "clockevents"),
        (replace(CHECK, part="kernel timers", mechanism="wheel", late_us=-1.0), "timer-wheel"),
        (replace(CHECK, part="clocks", name="ftrace stamp, global", error=-0.9), "sched-clock"),
        (replace(CHECK, part="clocks", name="tai, vDSO", error=-0.9), "clocksource"),
        (replace(CHECK, part="clocks", name="realtime, vDSO", error=-0.9), "clocksource"),
        (replace(CHECK, part="clocks", name="gettimeofday, vDSO", error=-0.9), "clocksource"),
        (replace(CHECK, part="clocks", name="time, vDSO", error=-0.9), "tick-dynticks"),
        (replace(CHECK, part="clocks", name="times", error=-0.9), "tick-dynticks"),
        (replace(CHECK, name="timer_create TAI", late_us=9000.0), "clockevents"),
        (replace(CHECK, part="cpu time", name="timer_create(x)", late_us=9e6), "sched-clock"),
        (replace(CHECK, part="clocks", name="/proc/stat, busy CPU", error=-0.9), "cpu-time"),
        (replace(CHECK, part="cpu time", name="/proc/stat, idle CPU", error=9.0), "tick-dynticks"),
        (replace(CHECK, part="cpu time", name="ITIMER_PROF"), "cpu-time"),
        (replace(CHECK, part="cpu time", name="getrusage()", error=-0.9), "sched-clock"),
        (replace(CHECK, part="clocks", name=ticks.NAME, error=9.0), "tick-dynticks"),
        (replace(CHECK, part="clocks", name=ticks.NAME, error=-0.9), "clockevents"),
        (replace(CHECK, part="changes", name="no clock goes back"), "clocksource"),
        (replace(CHECK, part="log", note="BUG: soft lockup - CPU#1 stuck"), "watchdog-lockup"),
        (replace(CHECK, part="log", note="INFO: task sh:1 blocked for more"), "watchdog-hung-task"),
    ],
)
def test_a_failure_names_a_hook(check: Check, hook: str) -> None:
    told = named(check)
    assert told.hooks[0] == hook
    assert told.note.startswith(check.note)
    assert f"hook {hook}" in told.note


def test_what_holds_names_none() -> None:
    assert named(replace(CHECK, ok=True)) == replace(CHECK, ok=True)


def test_what_points_nowhere_stays_as_it_is() -> None:
    check = replace(CHECK, part="log", note="WARNING: CPU: 0 PID: 1 at fs/namei.c")
    assert named(check) == check


def test_the_fewest_hooks_explain_all() -> None:
    failing = [("a",), ("b", "a"), ("c", "a"), ("c", "d"), ()]
    checks = [replace(CHECK, hooks=hooks) for hooks in failing]
    assert likely(checks) == {"a": 3, "c": 1}
    assert list(likely(checks)) == ["a", "c"]
    assert likely([]) == {}


def test_of_equals_the_preferred_hook_is_taken() -> None:
    assert likely([replace(CHECK, hooks=("x", "b", "a"))]) == {"x": 1}


@pytest.mark.parametrize(
    ("sound", "hooks"),
    [
        (None, {"sched-clock": 2}),
        (replace(CHECK, part="cpu time", name="times()", ok=True), {"a": 1, "b": 1}),
        (replace(CHECK, part="cpu time", name="times()", ok=True, ratio=1), {"sched-clock": 2}),
        (replace(CHECK, part="cpu time", name="times()", hooks=("sched-clock",)),
         {"sched-clock": 3}),
    ],
)  # fmt: skip
def test_a_hook_whose_own_checks_hold_is_not_blamed(
    sound: Check | None, hooks: dict[str, int]
) -> None:
    failing = [
        replace(CHECK, hooks=("a", "sched-clock")),
        replace(CHECK, hooks=("b", "sched-clock")),
    ]
    assert likely([*failing, *([sound] if sound else [])]) == hooks


@pytest.mark.parametrize(
    ("interrupts", "stolen", "ok"),
    [
        (250, 0.0, True),
        (280, 0.0, True),
        (300, 0.0, False),
        (160, 0.0, True),
        (140, 0.0, False),
        (140, 0.2, True),
        (25, 0.0, False),
        (45, 0.9, False),
        (2500, 0.0, False),
        (2500, 0.9, False),
    ],
)
def test_ticks(interrupts: int, stolen: float, *, ok: bool) -> None:
    record = {"interrupts": interrupts, "counts": 10**9, "stolen_counts": stolen * 10**9}
    check = ticks.judge(record, ratio=10, tick_seconds=0.004, counts_per_second=1e9)
    assert check.ok is ok


def test_a_timer_that_is_not_listed() -> None:
    record = {"missing": "a timer in /proc/interrupts"}
    assert ticks.judge(record, ratio=10, tick_seconds=0.004, counts_per_second=1e9).ok

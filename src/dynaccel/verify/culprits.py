# SPDX-License-Identifier: GPL-2.0-or-later
"""Which change of Linux a failure points to: the hooks of ``kernel/hooks/series.toml``.

Each hook was left out of a kernel in turn to see what fails without it (docs/verify.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynaccel.verify.check import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A kind of failure, and what it points to.

    Attributes:
        hooks: Names of hooks, most likely first.
        part: Of the check; a regular expression, as all that follow.
        name: Of the check.
        note: Of the check: what the kernel said.
        mechanism: Of the check.
        early: Whether it was early, too fast or too much (True), late, too slow or too little
            (False), or either (None).
    """

    hooks: tuple[str, ...]
    part: str = ""
    name: str = ""
    note: str = ""
    mechanism: str = ""
    early: bool | None = None

    def fits(self, check: Check) -> bool:
        """Whether a failing check is of this kind."""
        return (
            self.concerns(check)
            and re.search(self.note, check.note) is not None
            and (self.early is None or self.early == _early(check))
        )

    def concerns(self, check: Check) -> bool:
        """Whether a check would be of this kind if it failed, or might be."""
        patterns = (
            (self.part, check.part),
            (self.name, check.name),
            (self.mechanism, check.mechanism),
        )
        return all(re.search(pattern, text) for pattern, text in patterns)


_CLOCKS = "clocks|32-bit programs"

SIGNS = (
    # What the scheduler's clock feeds, and what the tick counts.
    Sign(part=_CLOCKS, name="kernel's log|ftrace stamp, (local|global)", hooks=("sched-clock",)),
    Sign(part=_CLOCKS, name="perf's clock", hooks=("perf-user-time",)),
    Sign(part=_CLOCKS, name="CPU time of a spinning", hooks=("sched-clock",)),
    Sign(name="/proc/stat", early=True, hooks=("tick-dynticks", "cpu-time")),
    Sign(name="/proc/stat", early=False, hooks=("cpu-time", "clockevents")),
    Sign(name="ticks of a busy CPU", early=True, hooks=("tick-dynticks", "tick-periodic")),
    Sign(name="ticks of a busy CPU", early=False, hooks=("clockevents",)),
    Sign(name="ITIMER|RLIMIT_CPU", early=True, hooks=("tick-dynticks", "cpu-time")),
    Sign(name="ITIMER|RLIMIT_CPU", early=False, hooks=("cpu-time", "sched-clock", "clockevents")),
    Sign(part="cpu time", name="timer_create", hooks=("sched-clock", "clockevents")),
    Sign(part="cpu time", name="cpu.max", hooks=("cpu-bandwidth", "sched-clock")),
    Sign(part="cpu time", name="DEADLINE", hooks=("cpu-time", "sched-clock", "clockevents")),
    Sign(part="cpu time", name="latency", hooks=("clockevents", "tick-dynticks", "sched-clock")),
    Sign(part="cpu time", hooks=("sched-clock",)),
    # What the tick brings along.
    Sign(
        part=_CLOCKS,
        name="coarse|mtime|^times$|^time, |uptime|leap|adjtime",
        hooks=("tick-dynticks", "tick-periodic", "clockevents"),
    ),
    Sign(part="changes", name="coarse", hooks=("clockevents", "tick-dynticks")),
    Sign(part="changes", name="jiffies", hooks=("tick-dynticks", "tick-periodic")),
    # Waits.
    Sign(part="changes", name="wait", hooks=("clockevents", "tick-dynticks")),
    Sign(part="hardware waits", hooks=("hardware-time",)),
    Sign(name="write-back", early=True, hooks=("worker-rescue", "tick-dynticks")),
    Sign(mechanism="wheel", early=True, hooks=("timer-wheel",)),
    Sign(mechanism="jiffies", early=True, hooks=("tick-dynticks", "tick-periodic")),
    Sign(part="waits", hooks=("clockevents", "tick-dynticks")),
    Sign(part="32-bit programs", mechanism=".", hooks=("clockevents", "tick-dynticks")),
    Sign(part="kernel timers", name="pressure", hooks=("pressure", "sched-clock")),
    Sign(part="kernel timers", hooks=("clockevents", "tick-dynticks")),
    # The clock itself.
    Sign(part=f"{_CLOCKS}|changes", hooks=("clocksource",)),
    # What the kernel says of itself.
    Sign(part="log", note="soft lockup|hard LOCKUP", hooks=("watchdog-lockup",)),
    Sign(part="log", note="rcu.*stall|stall.*rcu", hooks=("watchdog-rcu",)),
    Sign(part="log", note="hung|blocked for more", hooks=("watchdog-hung-task",)),
    Sign(part="log", note="workqueue lockup", hooks=("watchdog-workqueue",)),
    Sign(part="log", note="unstable|clock skew", hooks=("watchdog-clocksource",)),
    Sign(part="log", note="took too long", hooks=("interrupt-duration",)),
)
"""The first that fits counts."""

UNSEEN = {
    "build": "without it there is no ratio to set",
    "documentation": "it changes no code",
    "tick-broadcast": "no device of the guest stops in idle, so that the broadcast tick never runs",
    "idle-length": "a guest's CPU has one state of idleness under emulation",
    "autosuspend": "no device of the guest is suspended while it runs",
    "block-latency": "no disk is written to meanwhile",
    "suspend-alarm": "nothing that is measured is suspended meanwhile",
}
"""Hooks that no check can miss, and why."""


def named(check: Check) -> Check:
    """Return a check with the hooks that its failure points to, also in words in its note."""
    if check.ok:
        return check
    hooks = next((sign.hooks for sign in SIGNS if sign.fits(check)), ())
    if not hooks:
        return check
    words = f"hook {' or '.join(hooks)}"
    return replace(check, hooks=hooks, note=f"{check.note}; {words}" if check.note else words)


def likely(checks: Iterable[Check]) -> dict[str, int]:
    """Return the fewest hooks to which all failures point, with the number that each explains.

    The hook that explains the most comes first; of equals the one that the table prefers. One whose
    own checks hold counts only where nothing else explains a failure.
    """
    known = list(checks)
    failed = [check.hooks for check in known if check.hooks]
    cleared = {name for check in known for name in _sound(check)} - {hooks[0] for hooks in failed}
    left = [tuple(name for name in hooks if name not in cleared) or hooks for hooks in failed]
    found: dict[str, int] = {}
    while left:
        names = dict.fromkeys(name for hooks in left for name in hooks)
        best = max(names, key=lambda name: _weight(name, left))
        found[best] = sum(best in hooks for hooks in left)
        left = [hooks for hooks in left if best not in hooks]
    return found


def _sound(check: Check) -> tuple[str, ...]:
    """Return the hook that would be to blame, it alone, if a check that holds had failed."""
    if not check.ok or check.ratio == 1:
        return ()
    hooks = next((sign.hooks for sign in SIGNS if not sign.note and sign.concerns(check)), ())
    return hooks if len(hooks) == 1 else ()


def _weight(name: str, left: list[tuple[str, ...]]) -> tuple[int, int]:
    having = [hooks for hooks in left if name in hooks]
    return len(having), -sum(hooks.index(name) for hooks in having)


def _early(check: Check) -> bool | None:
    if check.late_us is not None:
        return check.late_us < 0
    # A timer that never fired has no figure: it is as late as can be.
    return check.error is not None and check.error > 0

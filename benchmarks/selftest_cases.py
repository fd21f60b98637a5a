# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the kernel's own tests of time are run, how, and what each of them judges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dynaccel.verify.selftests import Selftest

MARGIN_SECONDS = 120.0
"""Real time that a test may take beyond twice its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A line of the table.

    Attributes:
        test: The test as its authors run it.
        seconds: About how long that takes, in the time of the guest.
        judges: What makes it fail.
        short: The test at ratio 1 (unpatched and patched alike) where it would take too long.
        short_seconds: About how long that takes.
    """

    test: Selftest
    seconds: float
    judges: str
    short: Selftest | None = None
    short_seconds: float = 0

    @property
    def title(self) -> str:
        """What the table calls it."""
        return " ".join([self.test.name, *self.test.arguments])

    def at(self, ratio: int) -> tuple[Selftest, float]:
        """Return the test to run at a ratio and the real time in seconds that it may take."""
        if ratio == 1 and self.short is not None:
            return self.short, 2 * self.short_seconds + MARGIN_SECONDS
        return self.test, 2 * self.seconds / ratio + MARGIN_SECONDS


def _quicker(seconds: int) -> str:
    """Return commands that make ``inconsistency-check``, run by another test, take that long."""
    return (
        "mv inconsistency-check full-check && printf "
        f"'#!/bin/sh\\nexec ./full-check \"$@\" -t {seconds}\\n' > inconsistency-check"
        " && chmod +x inconsistency-check"
    )


def _without(program: str) -> str:
    """Return commands that take a program out of what another test runs: it has its own line."""
    return f"printf '#!/bin/sh\\n' > {program}"


def _timers(
    program: str,
    seconds: float,
    judges: str,
    *short: str,
    always: str = "",
    before: str = "",
    short_seconds: float = 0,
) -> Case:
    """Return a case of the collection ``timers``.

    Args:
        program: Its name.
        seconds: As in :class:`Case`.
        judges: Likewise.
        short: Its arguments at ratio 1.
        always: Commands that run before it.
        before: The same at ratio 1.
        short_seconds: As in :class:`Case`.
    """
    test = Selftest(collection="timers", program=program, before=always)
    shorter = replace(test, arguments=short, before=before or always) if short or before else None
    return Case(
        test=test, seconds=seconds, judges=judges, short=shorter, short_seconds=short_seconds
    )


def _plain(
    collection: str, program: str, judges: str, *arguments: str, seconds: float = 10
) -> Case:
    """Return a case that needs no shortening."""
    test = Selftest(collection=collection, program=program, arguments=arguments)
    return Case(test=test, seconds=seconds, judges=judges)


_FUTEX = "futex/functional"
_ORDER = "no clock ever goes back"
_NEVER_EARLY = "no wait ends early"
_SETTING = "what is set is read back, what is wrong is refused"
_LATE = "no wait ends 40 ms late: 40 ms / N for real"
_READY = "a thread sleeps within 10 ms (10 ms / N for real) of its start"
_CLOCK = "the clock of a time namespace"

CASES = (
    _timers("posix_timers", 10, "timers of CPU time and of REALTIME: 0.5 s (0.5 s / N) off"),
    _timers("nanosleep", 20, _NEVER_EARLY),
    _timers("nsleep-lat", 130, _LATE),
    _timers("set-timer-lat", 120, f"no timer fires early; {_LATE}"),
    _timers("mqueue-lat", 10, _LATE),
    _timers("inconsistency-check", 110, _ORDER),
    _timers("raw_skew", 120, "MONOTONIC against MONOTONIC_RAW: 1 ppm"),
    _timers("threadtest", 30, f"{_ORDER}, on several CPUs"),
    _timers("rtcpie", 20, "periodic interrupts at most 10 % late: at 2 Hz 50 ms / N for real"),
    _timers("valid-adjtimex", 1, _SETTING),
    _timers("adjtick", 144, "MONOTONIC follows adjtimex(): 100 ppm"),
    _timers(
        "change_skew", 1250, "raw_skew, inconsistency-check and nanosleep at five frequencies",
        before=_quicker(2), short_seconds=820,
    ),
    _timers(
        "skew_consistency", 600, f"{_ORDER} while the frequency changes",
        before=_quicker(60), short_seconds=60,
    ),
    _timers(
        "clocksource-switch", 1000, f"{_ORDER}, {_NEVER_EARLY}, while clocksources change",
        "-t", "10", short_seconds=400,
    ),
    _timers("freq-step", 195, "frequency to 0.02 ppm; skips where a clock takes 0.5 µs to read"),
    # A time zone that is in no file: the first date that it prints takes longer than 0.1 s.
    _timers(
        "leap-a-day", 160, "leap seconds; gives itself 10 s (10 s / N) to get ready for one",
        "-i", "2", always="export TZ=UTC0", short_seconds=32,
    ),
    _timers("leapcrash", 60, "the kernel survives leap seconds under fire"),
    _timers("set-tai", 1, _SETTING),
    _timers(
        "set-2038", 670, "dates up to 2038, then inconsistency-check, nanosleep, nsleep-lat",
        before=_without("nsleep-lat"), short_seconds=160,
    ),
    _timers("set-tz", 1, _SETTING),
    _plain("timens", "timens", _CLOCK),
    _plain("timens", "timerfd", f"{_CLOCK}: 60 s (60 s / N)"),
    _plain("timens", "timer", f"{_CLOCK}: 60 s (60 s / N)"),
    _plain("timens", "clock_nanosleep", f"{_CLOCK}: an hour less 300 s (300 s / N) remains"),
    _plain("timens", "procfs", f"{_CLOCK} in /proc/uptime and /proc/stat"),
    _plain("timens", "exec", f"{_CLOCK}: 5 s (5 s / N) for a fork and an exec"),
    _plain("timens", "futex", f"{_NEVER_EARLY} in a time namespace"),
    _plain("rtc", "rtctest", "the hardware's clock, in real time, against time-outs", seconds=170),
    _plain(_FUTEX, "futex_wait_timeout", "time-outs come"),
    _plain(_FUTEX, "futex_wait_timeout", "time-outs come", "-t", "500000000"),
    _plain(_FUTEX, "futex_wait", _READY),
    _plain(_FUTEX, "futex_waitv", _READY),
    _plain(_FUTEX, "futex_wait_wouldblock", "no wait begins for a wrong value"),
    _plain(_FUTEX, "futex_requeue", _READY),
    _plain(_FUTEX, "futex_requeue_pi", "hand-over in time", "-b", "-l", "-t", "500000"),
    _plain(_FUTEX, "futex_requeue_pi", "hand-over in time", "-l", "-t", "2000000000"),
    _plain(_FUTEX, "futex_requeue_pi_signal_restart", "a signal does not end the wait"),
)  # fmt: skip

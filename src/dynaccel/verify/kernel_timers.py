# SPDX-License-Identifier: GPL-2.0-or-later
"""When the timers inside a kernel may go off: which witness waits on what, and what holds for it.

A witness is something that a probe sees the kernel do after a time that it was asked for. What it
may be late follows from what it waits on: a timer of the wheel is rounded up to the wheel's grain
and goes off with a tick, and some users of a timer round on their own account.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged
from dynaccel.verify.waits import wheel_grain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PART = "kernel timers"
MAX_ERROR = 0.01
"""How far the ratio until the end may be off: the part "clocks" looks closer."""
SCATTER_SECONDS = 0.005
SCATTER_STEP_SECONDS = 0.003
"""Real time in which a probe under emulation on a shared host is woken up: once, and the kernel
for each timer of a row."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What a record of a probe is about.

    Attributes:
        label: How the check is called.
        timers: Gives, from the virtual seconds that were asked for, those of each timer of the
            wheel that goes off in turn.
        slack_seconds: Virtual time that the timer's user adds to it.
        early_seconds: Virtual time that the timer's user takes off.
        counted: It compares jiffies with those at which it began, whatever timer makes it look: in
            any Linux it counts from the last tick.
        steady: It is no wait but a rate, off to either side by what it takes to look.
        by_distance: Whether each time that was asked for is a check of its own.
    """

    label: str
    timers: Callable[[float], Iterable[float]] = lambda asked: (asked,)
    slack_seconds: float = 0.0
    early_seconds: float = 0.0
    counted: bool = False
    steady: bool = False
    by_distance: bool = False


def _in_steps(steps: int) -> Callable[[float], Iterable[float]]:
    return lambda asked: [asked / steps] * steps


def _doubling(steps: int) -> Callable[[float], Iterable[float]]:
    # TCP ends the doubling at 120 s: the last ones are shorter then and the first ones longer,
    # which makes no difference to what the wheel may add to all of them.
    return lambda asked: [asked / (2**steps - 1) * 2**step for step in range(steps)]


def _none(_asked: float) -> tuple[float, ...]:
    return ()


WITNESSES: Mapping[str, Witness] = {
    "reassembly": Witness(label="IP reassembly", by_distance=True),
    "neighbour-failed": Witness(
        label="neighbour INCOMPLETE to FAILED", timers=_in_steps(3), by_distance=True
    ),
    "neighbour-stale": Witness(label="neighbour REACHABLE to STALE"),
    # net/ipv6/addrconf.c looks each 120 s and when one is due (ADDR_CHECK_FREQUENCY), takes off
    # HZ/50 (ADDRCONF_TIMER_FUZZ_MINUS), and rounds up by HZ/4 or to HZ (ADDRCONF_TIMER_FUZZ_MAX).
    # The age of an address is told by the jiffies at which it was added. addrconf_verify_rtnl()
    # looks at it at least a second after its last look, rounded up by up to a quarter; a look that
    # something else asked for just before the end puts the next one off once more.
    "address": Witness(
        label="IPv6 address valid",
        timers=lambda asked: (min(asked, 120.0),),
        slack_seconds=2.25,
        early_seconds=0.02,
        counted=True,
        by_distance=True,
    ),
    **{
        f"tcp-syn-{number}": Witness(label=f"TCP SYN again, {number}", timers=_doubling(number))
        for number in range(1, 7)
    },
    "tcp-syn-timeout": Witness(
        label="TCP connect() times out",
        timers=lambda asked: _doubling(round(log2(asked + 1)))(asked),
    ),
    **{
        f"tcp-retransmit-{number}": Witness(
            label=f"TCP data again, {number}", timers=_doubling(number)
        )
        for number in range(1, 7)
    },
    # The last timer is set to what is left (tcp_clamp_rto_to_user_timeout), and to a jiffy after.
    "tcp-user-timeout": Witness(label="TCP_USER_TIMEOUT", timers=lambda asked: (asked, 0.0)),
    "tcp-keepalive-1": Witness(label="TCP keep-alive, 1", timers=_in_steps(1)),
    "tcp-keepalive-2": Witness(label="TCP keep-alive, 2", timers=_in_steps(2)),
    "tcp-keepalive-timeout": Witness(label="TCP keep-alive gives up", timers=_in_steps(3)),
    "tcp-time-wait": Witness(label="TCP TIME_WAIT"),
    # From TCP_ATO_MIN to TCP_DELACK_MAX (include/net/tcp.h).
    "tcp-delayed-ack": Witness(label="TCP delayed ACK", slack_seconds=0.16),
    "tcp-timestamps": Witness(label="TCP timestamps", timers=_none, steady=True),
    # A look can come just before a tick, so one timer that is due at once.
    "conntrack": Witness(
        label="conntrack entry", timers=lambda _: (0.0,), counted=True, by_distance=True
    ),
    "conntrack-countdown": Witness(
        label="conntrack, 5 days count down", timers=lambda _: (0.0,), steady=True
    ),
    "netem": Witness(label="netem delay", timers=_none),
    "wheel-short": Witness(label="socket time-out within a tick"),
    # The age is looked at by a timer of the flusher's period, which the probe tells as slack.
    "writeback": Witness(label="write-back", timers=lambda _: (5.0,), counted=True),
    # round_jiffies_up() (kernel/time/timer.c): to a whole second, up to 3 jiffies apart by CPU.
    "journal": Witness(label="ext4 commits", slack_seconds=1.1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A record, and how it lies to what may be.

    Attributes:
        name: The name of its check.
        late_seconds: Virtual time beyond what was asked for; negative when it was early.
        bar_seconds: How much of that there may be.
        early_seconds: How early it may be.
        steady: As in :class:`Witness`.
        tick_seconds: Virtual time between two ticks.
        reached: Virtual time by real time.
        torn: How far off that may be, as a fraction: clock and counter are read one by one.
        mechanism: What ends it, as in :class:`Check`.
    """

    name: str
    late_seconds: float
    bar_seconds: float
    early_seconds: float
    steady: bool
    tick_seconds: float
    reached: float
    torn: float
    mechanism: str

    @property
    def early(self) -> bool:
        """Whether it was."""
        return -self.late_seconds > self.early_seconds

    @property
    def by_a_tick(self) -> bool:
        """Whether it was early by no more than a tick that came as it was armed.

        Who arms a timer of the wheel reads jiffies first. A tick between that and the arming counts
        what the kernel would have added to it (docs/kernel-core.md). And a tick that the host
        delayed counts until it was due, while the probe sees when it came.
        """
        most = self.early_seconds + self.tick_seconds
        return self.mechanism != "hrtimer" and self.early and -self.late_seconds <= most

    @property
    def final(self) -> bool:
        """Whether it was early by what no busy host explains."""
        return self.early and not self.steady and not self.by_a_tick

    @property
    def beyond(self) -> float:
        """Virtual seconds outside of what may be, on either side; below 0 inside of it."""
        return max(self.late_seconds - self.bar_seconds, -self.late_seconds - self.early_seconds)


def bar_seconds(witness: Witness, asked: float, *, ratio: int, tick_seconds: float) -> float:
    """Return how late a witness may be, in virtual seconds.

    The wheel's grain is virtual. A tick brings ``ratio`` jiffies, so a timer may have to wait for
    the next one, and being armed that much further off may reach a coarser level of the wheel.
    """
    timers = list(witness.timers(asked))
    jiffies = sum(wheel_grain(ceil(one / tick_seconds) + ratio) + ratio for one in timers)
    scatter = SCATTER_SECONDS + SCATTER_STEP_SECONDS * len(timers)
    return jiffies * tick_seconds + witness.slack_seconds + scatter * ratio


def measured(
    record: Record, *, ratio: int, tick_seconds: float, real_seconds: Callable[[int], float]
) -> Measured:
    """Read a record.

    Args:
        record: One of a witness.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        real_seconds: What a difference of the counter is in real seconds.
    """
    witness = WITNESSES[record["witness"]]
    asked, took = record["asked_ns"] / 1e9, record["virtual_ns"] / 1e9
    bar = bar_seconds(witness, asked, ratio=ratio, tick_seconds=tick_seconds)
    bar += record["slack_ns"] / 1e9
    stale, tick = record["stale_ns"] / 1e9, tick_seconds * ratio
    if witness.steady:
        early = bar
    elif witness.counted:
        early = stale + tick_seconds
    else:
        # A tick that a busy host delayed beyond its period is none of the ratio's doing.
        early = max(0.0, stale - tick) if witness.timers(asked) else 0.0
    late, real = took - asked, real_seconds(record["counts"])
    early += witness.early_seconds
    if ratio == 1:
        # Linux' own: a timer is armed by jiffies that are up to a tick old, or what a host that
        # delays ticks makes of it.
        early = max(early, tick_seconds, stale)
    return Measured(
        name=f"{witness.label}, {asked:g} s" if witness.by_distance else witness.label,
        late_seconds=late,
        bar_seconds=bar,
        early_seconds=early,
        steady=witness.steady,
        tick_seconds=tick,
        reached=took / real,
        torn=real_seconds(record["torn_counts"]) / real,
        mechanism=_mechanism(witness, asked),
    )


def _mechanism(witness: Witness, asked: float) -> str:
    if witness.counted or witness.steady:
        return "jiffies"
    return "wheel" if witness.timers(asked) else "hrtimer"


def judge(
    records: Iterable[Record],
    *,
    ratio: int,
    tick_seconds: float,
    real_seconds: Callable[[int], float],
    base_us: Mapping[str, float],
) -> Iterator[Judged]:
    """Judge what the probes saw in one round: of each witness the best, unless one was early.

    Args:
        records: What they printed.
        ratio: The ratio that was asked for.
        tick_seconds: Real time between two ticks.
        real_seconds: What a difference of the counter is in real seconds.
        base_us: How late each check was at ratio 1, in real microseconds.
    """
    found: dict[str, list[Measured]] = defaultdict(list)
    for record in records:
        one = measured(record, ratio=ratio, tick_seconds=tick_seconds, real_seconds=real_seconds)
        found[one.name].append(one)
    for name, ones in found.items():
        early = [one for one in ones if one.early and not one.steady]
        told = max(early, key=_beyond) if early else min(ones, key=_beyond)
        error = told.reached / ratio - 1
        note = _why(told, ratio)
        if not note and abs(error) > MAX_ERROR + told.torn:
            note = f"by the counter time flowed {told.reached:.5g} times as fast until its end"
        check = Check(
            part=PART,
            name=name,
            ratio=ratio,
            ok=not note,
            reached=told.reached,
            error=error,
            late_us=told.late_seconds / ratio * 1e6,
            late_base_us=base_us.get(name),
            note=note or _room(told, ratio),
            mechanism=told.mechanism,
        )
        yield Judged(check=check, final=told.final, suspect=bool(early) and not told.final)


def _beyond(one: Measured) -> float:
    return one.beyond


def _room(one: Measured, ratio: int) -> str:
    early, late = (room / ratio * 1e3 for room in (one.early_seconds, one.bar_seconds))
    return f"may be {early:.1f} real ms early or {late:.1f} late"


def _why(one: Measured, ratio: int) -> str:
    if one.early:
        return (
            f"it came {-one.late_seconds:.3f} virtual s early, and may {one.early_seconds:.3f}:"
            " look at where jiffies stand when a timer is armed (kernel/time/timer.c)"
        )
    if one.beyond > 0:
        return (
            f"it came {one.late_seconds:.3f} virtual s late, and may {one.bar_seconds:.3f}"
            f" ({one.bar_seconds / ratio * 1e3:.1f} real ms): look at the timer wheel and the tick"
        )
    return ""

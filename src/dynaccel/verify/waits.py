# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the waits of a guest took: a round of all of them, and what holds for each.

A wait may never end early: that is exact, and it must hold in every round. How late it ended
depends on the host too, so the best of several rounds counts, and the bar comes from the same wait
at ratio 1 on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import StageError
from dynaccel.verify.check import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_ERROR = 0.01
"""How far the ratio that a wait reaches may be off; the timer wheel rounds, so not for it."""
MAX_LATE = 2
"""How many times as late as at ratio 1 a wait may be."""
MOST = 95
"""Percentile of the lateness at ratio 1 that is still taken for noise of the measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the plan by which the ratio changes during a round.

    Attributes:
        ratio: How fast time flows.
        real_ms: For how long, in real milliseconds.
    """

    ratio: int
    real_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A wait that is over, or that never came back.

    Attributes:
        name: The call.
        mechanism: What of the kernel ends it: ``hrtimer``, ``wheel`` or ``program``.
        outcome: ``done``, ``lost`` (it did not come back), ``failed`` or ``skipped``.
        why: It failed or was skipped.
        asked_ns: Virtual time that was asked for, as the call can express it.
        late_ns: Virtual time that it ended too late; negative when it ended early.
        steps: How many waits in a row it was; the kernel rounds each.
        absolute: Whether it waited until a moment instead of for a time.
        reached: Virtual time by real time, from the last change of the ratio until the end.
        missed: Whether it was over before the ratio changed for the last time, as it should have
            been: the change came too late.
    """

    name: str
    mechanism: str
    outcome: str
    why: str
    asked_ns: int
    late_ns: int
    steps: int
    absolute: bool
    reached: float | None
    missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All waits, made at the same time.

    Attributes:
        ratios: The ratios of the plan, in turn.
        tick_ns: How long a tick is: the length of a jiffy, virtual, and of a tick, real.
        waits: The waits by name.
    """

    ratios: tuple[int, ...]
    tick_ns: int
    waits: dict[str, Wait]

    def late_us(self, name: str) -> float:
        """Return how late a wait ended, in real microseconds: at the ratio that was last."""
        return self.waits[name].late_ns / 1000 / self.ratios[-1]

    def median_us(self) -> float | None:
        """Return how late half of the waits on hrtimers ended, as above; None if none did."""
        timers = (wait for wait in self.waits.values() if wait.mechanism == "hrtimer")
        late = [self.late_us(wait.name) for wait in timers if wait.outcome == "done"]
        return median(late) if late else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """How late the waits are at ratio 1.

    Attributes:
        late_us: The median for each wait, in real microseconds.
        noise_us: What most waits on an hrtimer keep to, by their own scatter.
        median_us: What half of them keep to.
        program_us: The most that a wait which another program makes took at ratio 1.
    """

    late_us: dict[str, float]
    noise_us: float
    median_us: float
    program_us: float


def round_of(
    plan: Sequence[Segment],
    records: Sequence[Mapping[str, Any]],
    real_seconds: Callable[[int], float],
) -> Round:
    """Read what the probe ``waits`` printed.

    Args:
        plan: What the probe was asked to do.
        records: Its lines.
        real_seconds: What a difference of the counter is in real seconds.

    Raises:
        StageError: The probe did not say how long a tick is.
    """
    ticks = [record["tick_ns"] for record in records if "tick_ns" in record]
    if not ticks:
        raise StageError("the probe of waits did not say how long a tick is")
    changes = [record for record in records if "change" in record]
    last = changes[-1] if changes else None
    waits = (_wait_of(record, last, real_seconds) for record in records if "wait" in record)
    return Round(
        ratios=tuple(segment.ratio for segment in plan),
        tick_ns=ticks[0],
        waits={wait.name: wait for wait in waits},
    )


def _wait_of(
    record: Mapping[str, Any],
    change: Mapping[str, Any] | None,
    real_seconds: Callable[[int], float],
) -> Wait:
    since_ns, counts = record["begin_monotonic_ns"], record["begin_counts"]
    due_ns = since_ns + record["asked_ns"]
    if change is not None:
        since_ns, counts = change["monotonic_ns"], change["counts"]
    virtual_ns, counts = record["end_monotonic_ns"] - since_ns, record["end_counts"] - counts
    # A part of it can have been early though the whole was not.
    late_ns = -record["early_ns"] or record["virtual_ns"] - record["asked_ns"]
    if record["mechanism"] == "wheel" and late_ns < 0:
        # In any Linux a time-out in jiffies counts from the last tick. If a busy host delayed that
        # one beyond its period, this is none of the ratio's doing.
        late_ns = min(0, late_ns + record["tick_late_ns"])
    return Wait(
        name=record["wait"],
        mechanism=record["mechanism"],
        outcome=record["outcome"],
        why=record["why"],
        asked_ns=record["asked_ns"],
        late_ns=late_ns,
        steps=record["steps"],
        absolute=record["absolute"],
        reached=virtual_ns / 1e9 / real_seconds(counts) if counts > 0 else None,
        missed=due_ns <= since_ns,
    )


def base_of(rounds: Sequence[Round]) -> Base:
    """Return how late the waits of several rounds at ratio 1 are, and how far that scatters."""
    late: dict[str, list[float]] = {}
    timers: list[float] = []
    programs = [0.0]
    for one in rounds:
        for wait in one.waits.values():
            if wait.outcome != "done":
                continue
            late.setdefault(wait.name, []).append(one.late_us(wait.name))
            if wait.mechanism == "hrtimer":
                timers.append(one.late_us(wait.name))
            elif wait.mechanism == "program":
                programs.append(one.late_us(wait.name))
    return Base(
        late_us={name: median(values) for name, values in late.items()},
        noise_us=quantiles([0.0, 0.0, *timers], n=100, method="inclusive")[MOST - 1],
        median_us=median(timers or [0.0]),
        program_us=max(programs),
    )


def wheel_grain(jiffies: int) -> int:
    """Return to how many jiffies the timer wheel rounds up a time-out of that many.

    Each level holds 64 buckets and is eight times as coarse as the one before; a time-out goes to
    the first level whose 63 buckets reach far enough (kernel/time/timer.c: LVL_START, LVL_GRAN,
    calc_wheel_index). The wheel has nine levels.
    """
    level = 0
    while level < 8 and jiffies >= 63 << (3 * level):  # noqa: PLR2004  (explained above)
        level += 1
    return 1 << (3 * level)


def wheel_window_us(wait: Wait, ratios: Sequence[int], tick_ns: int) -> float:
    """Return how late the timer wheel may end a wait, in real microseconds.

    Its grain is virtual. To that comes a tick of real time, until one finds that the wait is over
    (on a busy CPU jiffies lag by that much); so the wait can also reach the level above. What a
    wait in several steps lost at an earlier ratio counts at the last one.
    """
    lag = max(ratios) if wait.steps > 1 else ratios[-1]
    jiffies = -(-wait.asked_ns // wait.steps // tick_ns)
    grain = wheel_grain(jiffies + max(ratios))
    return wait.steps * (grain + lag) * tick_ns / 1000 / ratios[-1]


def judge(part: str, label: str, name: str, rounds: Sequence[Round], base: Base) -> Check:
    """Judge a wait by all rounds that were made with the same plan.

    Args:
        part: The group that the check belongs to.
        label: How the check is called.
        name: The wait.
        rounds: The rounds.
        base: How late the waits are at ratio 1 on the same machine under the same load.
    """
    ratio = rounds[0].ratios[-1]
    waits = [one.waits[name] for one in rounds if name in one.waits]
    bad = [wait for wait in waits if wait.outcome not in {"done", "skipped"}]
    done = [one for one in rounds if name in one.waits and one.waits[name].outcome == "done"]
    if len(waits) < len(rounds) or bad or not done:
        lost = len(waits) < len(rounds) or any(wait.outcome == "lost" for wait in bad)
        said = (bad or waits)[0].why if waits else ""
        why = f"it never came back; {said}" if lost else said
        skipped = not lost and not bad
        note = f"skipped: {why}" if skipped else why
        return Check(part=part, name=label, ratio=ratio, ok=skipped, note=note)
    judged = [one for one in done if not one.waits[name].missed or one.late_us(name) < 0]
    if not judged:
        note = "the host is too busy: it never still waited when the ratio changed at last"
        return Check(part=part, name=label, ratio=ratio, ok=False, note=note)
    # Of early ones the earliest, else the one that was least late.
    one = min(judged, key=lambda one: one.late_us(name))
    wait = one.waits[name]
    error = None if wait.reached is None else abs(wait.reached / ratio - 1)
    note = _early(one, name) or _late(one, name, base)
    if not note and wait.mechanism == "hrtimer" and (error is None or error > MAX_ERROR):
        note = f"by the counter time flowed {wait.reached or 0:.5g} times as fast until its end"
    ok = not note
    return Check(
        part=part,
        name=label,
        ratio=ratio,
        ok=ok,
        reached=wait.reached,
        error=error,
        late_us=one.late_us(name),
        late_base_us=base.late_us.get(name),
        note=_wheel_note(one, name) if ok and wait.mechanism == "wheel" else note,
        mechanism=wait.mechanism,
    )


def judge_median(part: str, label: str, rounds: Sequence[Round], base: Base) -> Check:
    """Judge how late half of the waits on an hrtimer were, all at one ratio.

    On a busy host the bar of a single wait is wide. When all are somewhat late, as when the clock
    event device is programmed with virtual time, only all of them together show it.

    Args:
        part: The group that the check belongs to.
        label: How the check is called.
        rounds: The rounds, by one plan of a single ratio; the best counts.
        base: How late the waits are at ratio 1 on the same machine under the same load.
    """
    (ratio,) = rounds[0].ratios
    medians = [one.median_us() for one in rounds]
    known = [value for value in medians if value is not None]
    if not known:
        note = "none of them came back"
        return Check(part=part, name=label, ratio=ratio, ok=False, note=note, mechanism="hrtimer")
    best_us = min(known)
    bar = MAX_LATE * base.median_us + rounds[0].tick_ns / 1000
    ok = best_us <= bar
    return Check(
        part=part,
        name=label,
        ratio=ratio,
        ok=ok,
        late_us=best_us,
        late_base_us=base.median_us,
        note="" if ok else f"they ended {best_us:.0f} us late; by ratio 1 they may {bar:.0f} us",
        mechanism="hrtimer",
    )


def bar_us(one: Round, name: str, base: Base) -> float:
    """Return how late a wait may be, in real microseconds."""
    wait = one.waits[name]
    # A relative wait counts from the moment at which the kernel gets to it. The real time until
    # then passes at the ratio of that moment and is made up for at the last one.
    stretch = 1 if wait.absolute else max(one.ratios) / one.ratios[-1]
    if wait.mechanism == "wheel":
        # What the wheel rounds at ratio 1 says nothing about another ratio.
        noise_us = base.noise_us * wait.steps * stretch
        return wheel_window_us(wait, one.ratios, one.tick_ns) + noise_us
    bar = max(MAX_LATE * base.late_us.get(name, 0.0), base.noise_us) * stretch
    # Most of it is the start of the program, from a shared root file system: it scatters by its own
    # size, and ratio 1 gave few samples.
    return max(bar, 2 * base.program_us) if wait.mechanism == "program" else bar


def _early(one: Round, name: str) -> str:
    late_us = one.late_us(name)
    wait = one.waits[name]
    # Any Linux counts a time-out in jiffies from the last tick, and a host may delay that while the
    # call is on its way, too. From ratio 2 on the count is set right.
    own_ns = one.tick_ns if wait.mechanism == "wheel" and set(one.ratios) == {1} else 0
    if wait.late_ns >= -own_ns:
        return ""
    ticks = -wait.late_ns / one.tick_ns
    why = "; jiffies lag by up to one real tick, which is the ratio in jiffies"
    return (
        f"it ended {-late_us:.0f} real us ({ticks:.1f} jiffies) early"
        f"{why if wait.mechanism == 'wheel' else ''}"
    )


def _late(one: Round, name: str, base: Base) -> str:
    late_us, bar = one.late_us(name), bar_us(one, name, base)
    if late_us <= bar:
        return ""
    if one.waits[name].mechanism == "wheel":
        return f"it ended {late_us:.0f} us late: {_wheel_note(one, name)}"
    return f"it ended {late_us:.0f} us late; by ratio 1 it may {bar:.0f} us"


def _wheel_note(one: Round, name: str) -> str:
    wait = one.waits[name]
    window = wheel_window_us(wait, one.ratios, one.tick_ns)
    return f"the timer wheel may round it up by {window / 1000:.1f} real ms"

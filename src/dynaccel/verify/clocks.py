# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the clocks of a guest run, by the host's monotonic clock.

The host sends a line, the guest answers with all its clocks. The answer was given somewhere
between the two moments that the host notes; of several tries the one with the shortest round trip
is taken, and half of it is the uncertainty. This is how NTP asks a server (RFC 5905, section 8).
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from dynaccel.core.errors import StageError
from dynaccel.verify import probes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRIES = 15
"""Round trips for one stamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """All clocks of a guest at one moment.

    Attributes:
        real_seconds: The moment, by the host's monotonic clock.
        uncertainty_seconds: How far off that may be.
        counter: What the hardware's counter showed.
        tick_ns: Real time between two ticks.
        clocks_ns: What each clock of the guest showed, in ns.
    """

    real_seconds: float
    uncertainty_seconds: float
    counter: int
    tick_ns: int
    clocks_ns: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast a clock ran between two stamps.

    Attributes:
        clock: Its name.
        ratio: Virtual seconds in a real second.
        uncertainty: How far off ``ratio`` may be, as a fraction of it.
    """

    clock: str
    ratio: float
    uncertainty: float


class ClockProbe:
    """The two ends of the probe ``clocks``, which tells a guest's clocks when it is asked."""

    def __init__(self, ask: IO[bytes], answers: IO[bytes]) -> None:
        self._ask = ask
        self._answers = answers

    def stamp(self, tries: int = TRIES) -> Stamp:
        """Ask for all clocks.

        Raises:
            StageError: The guest ended.
        """
        return min((self._once() for _ in range(tries)), key=lambda one: one.uncertainty_seconds)

    def _once(self) -> Stamp:
        before = time.monotonic()
        try:
            self._ask.write(b"?\n")
            self._ask.flush()
            line = self._answers.readline()
        except OSError:
            line = b""
        after = time.monotonic()
        if not line.endswith(b"\n"):
            raise StageError("the guest ended before it told its clocks")
        clocks: dict[str, int] = json.loads(line)
        return Stamp(
            real_seconds=(before + after) / 2,
            uncertainty_seconds=(after - before) / 2,
            counter=clocks.pop("counter"),
            tick_ns=clocks.pop("tick_ns"),
            clocks_ns=clocks,
        )


@contextmanager
def clock_probe(options: Sequence[str], *, spinning: int = 0) -> Iterator[ClockProbe]:
    """Run the probe in a guest for the length of the block.

    Args:
        options: Options of ``dynaccel run``.
        spinning: How many processes keep CPUs of the guest busy.
    """
    with probes.running("clocks", f"{spinning}", options=options, asked=True) as child:
        assert child.stdin is not None  # noqa: S101  (asked for above)
        assert child.stdout is not None  # noqa: S101
        yield ClockProbe(child.stdin, child.stdout)
        child.stdin.close()
        child.wait()


def rates(first: Stamp, last: Stamp) -> list[Rate]:
    """Return how fast each clock ran from ``first`` to ``last``."""
    real = last.real_seconds - first.real_seconds
    uncertainty = (first.uncertainty_seconds + last.uncertainty_seconds) / real
    return [
        Rate(clock=name, ratio=(end - first.clocks_ns[name]) / 1e9 / real, uncertainty=uncertainty)
        for name, end in last.clocks_ns.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """What a count of the counter is worth.

    Attributes:
        counts_per_second: Counts in a real second.
        uncertainty: How far off that may be, as a fraction of it.
    """

    counts_per_second: float
    uncertainty: float


def frequency(stamps: Sequence[Stamp]) -> Frequency:
    """Return the counter's frequency by the pair of stamps that allows the least at most.

    An emulated counter gains now and then: QEMU lets none of its CPUs see it go back, and when
    several read it at once moves all of them forward (cpu_get_ticks() in softmmu/cpu-timers.c).
    So two stamps tell the frequency or more, never less, but for their own uncertainty.

    Raises:
        ValueError: There are fewer than two stamps.
    """
    found = []
    for number, last in enumerate(stamps):
        for first in stamps[:number]:
            real = last.real_seconds - first.real_seconds
            part = (first.uncertainty_seconds + last.uncertainty_seconds) / real
            counts_per_second = (last.counter - first.counter) / real
            found.append(Frequency(counts_per_second=counts_per_second, uncertainty=part))
    return min(found, key=lambda one: one.counts_per_second * (1 + one.uncertainty))

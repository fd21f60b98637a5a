# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated series of memory: leaks, and what is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynaccel.recording.records import DAY_NS, Point, Series
from dynaccel.scenario.verdict.trend import Growth, judge_growth

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from dynaccel.scenario.verdict.blocks import Floats
    from dynaccel.scenario.verdict.records import Outcome, Trend

MIB = float(1 << 20)
SERIES = Series(id=1, sample="web", subject="nginx[812]", metric="rss", unit="bytes")
LIMIT = MIB
PER_NS = 30 * DAY_NS
"""The limit of all: 1 MiB in 30 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Series of one kind.

    Attributes:
        name: What they do.
        days: How long they are, virtual.
        leak: Whether they grow by more than 1 MiB in 30 days, steadily.
        shape: From days and a source of randomness to MiB.
        fails: Whether a check is to fail; as ``leak`` but for steps beyond the limit.
    """

    name: str
    days: float
    leak: bool
    shape: Callable[[Floats, Generator], Floats]
    fails: bool = False


def noise(t: Floats, r: Generator, size: float) -> Floats:
    return r.normal(0, size, len(t))


def remembering(t: Floats, r: Generator, size: float, days: float) -> Floats:
    """Values that remember what they were for about so many days."""
    keep = np.exp(-(t[1] - t[0]) / days)
    shocks = r.normal(0, size * np.sqrt(1 - keep**2), len(t))
    value, values = r.normal(0, size), np.empty(len(t))
    for index, shock in enumerate(shocks):
        value = value * keep + shock
        values[index] = value
    return values


def sawtooth(t: Floats, r: Generator, size: float, days: float) -> Floats:
    return size * ((t / days + r.random()) % 1.0)


def teeth(t: Floats, r: Generator, size: float) -> Floats:
    """A sawtooth whose periods are 6 hours to 6 days."""
    edges = np.cumsum(0.25 * 24 ** r.random(len(t)))
    edges = np.concatenate([[0.0], edges[: np.searchsorted(edges, t[-1]) + 1]])
    tooth = np.searchsorted(edges, t, side="right") - 1
    height: Floats = size * (t - edges[tooth]) / (edges[tooth + 1] - edges[tooth])
    return height


def daily(t: Floats, r: Generator, size: float) -> Floats:
    return size * np.sin(2 * np.pi * (t + r.random()))


def warm_up(t: Floats, size: float, days: float) -> Floats:
    return size * (1 - np.exp(-t / days))


def step(t: Floats, r: Generator, size: float) -> Floats:
    after: Floats = size * (t > t[-1] * r.uniform(0.3, 0.8))
    return after


def leak(t: Floats, per_month: float) -> Floats:
    return t / 30 * per_month


def pages(values: Floats) -> Floats:
    """In whole pages, above a base of 40 MiB."""
    rounded: Floats = np.round((40 + values) * 256) / 256
    return rounded


FAMILIES = (
    Family(name="flat, noise 1 MiB", days=60, leak=False,
           shape=lambda t, r: noise(t, r, 1)),
    Family(name="flat, remembers for 6 h, 1 MiB", days=60, leak=False,
           shape=lambda t, r: remembering(t, r, 1, 0.25)),
    Family(name="flat, remembers for 3 days, 1 MiB", days=60, leak=False,
           shape=lambda t, r: remembering(t, r, 1, 3)),
    Family(name="sawtooth of 20 MiB in 3 h", days=60, leak=False,
           shape=lambda t, r: sawtooth(t, r, 20, 0.125) + noise(t, r, 0.2)),
    Family(name="sawtooth of 20 MiB in 7.3 days", days=60, leak=False,
           shape=lambda t, r: sawtooth(t, r, 20, 7.3) + noise(t, r, 0.2)),
    Family(name="sawtooth of 20 MiB in 17 days (3.5 teeth)", days=60, leak=False,
           shape=lambda t, r: sawtooth(t, r, 20, 17) + noise(t, r, 0.2)),
    Family(name="sawtooth of 20 MiB in 1 h to 20 days", days=60, leak=False,
           shape=lambda t, r: sawtooth(t, r, 20, 20 / 480 ** r.random()) + noise(t, r, 0.2)),
    Family(name="sawtooth of 20 MiB in 6 h to 6 days, each tooth another", days=60, leak=False,
           shape=lambda t, r: teeth(t, r, 20) + noise(t, r, 0.2)),
    Family(name="weeks of 10 MiB", days=60, leak=False,
           shape=lambda t, r: daily(t / 7, r, 10) + noise(t, r, 1)),
    Family(name="days of 10 MiB", days=60, leak=False,
           shape=lambda t, r: daily(t, r, 10) + noise(t, r, 1)),
    Family(name="days of 10 MiB, only 4 of them", days=4, leak=False,
           shape=lambda t, r: daily(t, r, 10) + noise(t, r, 1)),
    Family(name="warm-up of 30 MiB in 2 days", days=60, leak=False,
           shape=lambda t, r: warm_up(t, 30, 2) + noise(t, r, 0.2)),
    Family(name="warm-up of 30 MiB in 6 days", days=60, leak=False,
           shape=lambda t, r: warm_up(t, 30, 6) + noise(t, r, 0.2)),
    Family(name="warm-up of 30 MiB in 6 days, no noise", days=60, leak=False,
           shape=lambda t, _: warm_up(t, 30, 6)),
    Family(name="step of 1 MiB", days=60, leak=False,
           shape=lambda t, r: step(t, r, 1) + noise(t, r, 0.2)),
    Family(name="step of 30 MiB (beyond the limit)", days=60, leak=False, fails=True,
           shape=lambda t, r: step(t, r, 30) + noise(t, r, 0.2)),
    Family(name="spikes of 100 MiB", days=60, leak=False,
           shape=lambda t, r: 100 * (r.random(len(t)) < 0.01) + noise(t, r, 0.5)),
    Family(name="leak of 0.5 MiB a month (within the limit), noise 0.2 MiB", days=60, leak=False,
           shape=lambda t, r: leak(t, 0.5) + noise(t, r, 0.2)),
    Family(name="shrinks by 2 MiB a month", days=60, leak=False,
           shape=lambda t, r: leak(t, -2) + noise(t, r, 0.2)),
    Family(name="leak of 2 MiB a month, noise 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + noise(t, r, 1)),
    Family(name="leak of 2 MiB a month, no noise", days=60, leak=True,
           shape=lambda t, _: leak(t, 2)),
    Family(name="leak of 2 MiB a month, remembers for 6 h, 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + remembering(t, r, 1, 0.25)),
    Family(name="leak of 5 MiB a month, remembers for 3 days, 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 5) + remembering(t, r, 1, 3)),
    Family(name="leak of 2 MiB a month, sawtooth of 20 MiB in 3 h", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + sawtooth(t, r, 20, 0.125) + noise(t, r, 0.2)),
    Family(name="leak of 5 MiB a month, sawtooth of 20 MiB in 31 h", days=60, leak=True,
           shape=lambda t, r: leak(t, 5) + sawtooth(t, r, 20, 1.3) + noise(t, r, 0.2)),
    Family(name="leak of 2 MiB a month, days of 10 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + daily(t, r, 10) + noise(t, r, 1)),
    Family(name="leak of 2 MiB a month after a warm-up of 30 MiB in 2 days", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + warm_up(t, 30, 2) + noise(t, r, 0.2)),
    Family(name="leak of 3 MiB a month and a step of 20 MiB down", days=60, leak=True,
           shape=lambda t, r: leak(t, 3) + step(t, r, -20) + noise(t, r, 0.2)),
    Family(name="leak of 5 MiB a month that begins at the middle", days=60, leak=True,
           shape=lambda t, r: leak(np.maximum(t - 30, 0), 5) + noise(t, r, 0.2)),
    Family(name="leak of 1 MiB at once each 5 days", days=60, leak=True,
           shape=lambda t, r: np.floor(t / 5 + r.random()) + noise(t, r, 0.2)),
    Family(name="leak of 2 MiB a month, 30 MiB given back at the middle", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) - 30 * (t > 30) + noise(t, r, 0.2)),
    Family(name="leak of 20 MiB a month, 3 days only, noise 0.2 MiB", days=3, leak=True,
           shape=lambda t, r: leak(t, 20) + noise(t, r, 0.2)),
    Family(name="leak of 5 MiB a month, spikes of 100 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 5) + 100 * (r.random(len(t)) < 0.01) + noise(t, r, 0.2)),
    Family(name="leak of 2 MiB a month for ten years, noise 5 MiB", days=3650, leak=True,
           shape=lambda t, r: leak(t, 2) + noise(t, r, 5)),
    Family(name="flat for ten years, remembers for 3 days, 5 MiB", days=3650, leak=False,
           shape=lambda t, r: remembering(t, r, 5, 3)),
)  # fmt: skip


HARD = (
    Family(name="leak of 1.1 MiB a month, noise 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 1.1) + noise(t, r, 1)),
    Family(name="leak of 1.25 MiB a month, noise 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 1.25) + noise(t, r, 1)),
    Family(name="leak of 2 MiB a month, 10 days only, noise 1 MiB", days=10, leak=True,
           shape=lambda t, r: leak(t, 2) + noise(t, r, 1)),
    Family(name="leak of 2 MiB a month, remembers for 3 days, 1 MiB", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + remembering(t, r, 1, 3)),
    Family(name="leak of 2 MiB a month, sawtooth of 20 MiB in 7.3 days", days=60, leak=True,
           shape=lambda t, r: leak(t, 2) + sawtooth(t, r, 20, 7.3) + noise(t, r, 0.2)),
    Family(name="leak of 20 MiB a month, sawtooth of 20 MiB in 17 days", days=60, leak=True,
           shape=lambda t, r: leak(t, 20) + sawtooth(t, r, 20, 17) + noise(t, r, 0.2)),
    Family(name="flat, remembers for 15 days, 1 MiB", days=60, leak=False,
           shape=lambda t, r: remembering(t, r, 1, 15)),
    Family(name="wanders by 1 MiB a day, never back", days=60, leak=False,
           shape=lambda t, r: np.cumsum(noise(t, r, 1 / 12))),
    Family(name="warm-up of 30 MiB in 20 days (still 1.5 MiB from its level)", days=60, leak=False,
           shape=lambda t, r: warm_up(t, 30, 20) + noise(t, r, 0.2)),
    Family(name="a cache that fills ever more slowly: 5 MiB each time the time doubles", days=60,
           leak=True, shape=lambda t, r: 5 * np.log2(1 + t) + noise(t, r, 0.2)),
)  # fmt: skip
"""Series at the edge of what can be told; no test asks for them."""


def points_of(family: Family, seed: int) -> list[Point]:
    """Return a series: a value each ten minutes, at most 4000, as a recording keeps them."""
    number = min(round(family.days * 144), 4000)
    t = np.arange(number) * (family.days / number)
    values = pages(family.shape(t, np.random.default_rng(seed))) * MIB
    stamps = [round(day * DAY_NS) for day in t]
    return [
        Point(at, at, at // 1000, at, 0, 1, value, value, value, value)
        for at, value in zip(stamps, values.tolist(), strict=True)
    ]


def judged(family: Family, seed: int) -> Trend:
    """Judge one series of a family."""
    points = points_of(family, seed)
    growth = Growth(limit=LIMIT, per_ns=PER_NS)
    return judge_growth(SERIES, points, 0, round(family.days * DAY_NS), growth)


def rates(family: Family, rounds: int) -> Counter[Outcome]:
    """Return how many of the family's first ``rounds`` series came out which way."""
    return Counter(judged(family, seed).outcome for seed in range(rounds))

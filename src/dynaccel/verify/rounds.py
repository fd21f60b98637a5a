# SPDX-License-Identifier: GPL-2.0-or-later
"""Measuring again what fell short: a busy host scatters, a broken kernel does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from dynaccel.verify.check import Check

ROUNDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A check of one round.

    Attributes:
        check: What the round came to.
        final: It fails by what no busy host explains: a wait that ended early, a clock that went
            back. No further round makes that good.
        suspect: It fails by what a busy host explains once. All rounds are made then, and a second
            one that is suspect is final.
    """

    check: Check
    final: bool = False
    suspect: bool = False


def best(measure: Callable[[], Iterable[Judged]], rounds: int = ROUNDS) -> list[Check]:
    """Measure until every check holds or ``rounds`` are over; return each at its best.

    Args:
        measure: One round: measures all and judges it. A check is known by its name.
        rounds: How many there are at most.
    """
    found: dict[str, Judged] = {}
    suspects: dict[str, Check] = {}
    done = 0
    while done < rounds:
        done += 1
        for judged in measure():
            name = judged.check.name
            again = judged.suspect and name in suspects
            if judged.suspect:
                suspects[name] = judged.check
            found[name] = _better(found.get(name), replace(judged, final=judged.final or again))
        if all(_settled(judged, suspects) for judged in found.values()):
            break
    return [_told(judged, done, suspects.get(name)) for name, judged in found.items()]


def _settled(judged: Judged, suspects: Container[str]) -> bool:
    return judged.final or (judged.check.ok and judged.check.name not in suspects)


def _better(known: Judged | None, new: Judged) -> Judged:
    if known is None or new.final:
        return new
    if known.final or known.check.ok:
        return known
    if new.check.ok or _badness(new.check) < _badness(known.check):
        return new
    return known


def _badness(check: Check) -> float:
    if check.late_us is not None:
        return check.late_us
    return float("inf") if check.error is None else abs(check.error)


def _told(judged: Judged, rounds: int, suspect: Check | None) -> Check:
    check = judged.check
    if check.ok and suspect is not None:
        return replace(check, note=f"{check.note}; in 1 of {rounds} rounds {suspect.note}")
    if check.ok or judged.final or rounds == 1:
        return check
    return replace(check, note=f"{check.note}; the best of {rounds} rounds")

# SPDX-License-Identifier: GPL-2.0-or-later
"""A straight line with steps and bends through a series: its change points.

A model of levels alone, as most libraries for change points have it, cuts a leak into stairs, and
a line alone takes a step for a leak. Here a step or a bend is taken only where a line with those
found before leaves much more unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynaccel.scenario.verdict.blocks import FEWEST

if TYPE_CHECKING:
    from dynaccel.scenario.verdict.blocks import Floats
MOST_TERMS = 4
_STEP = "step"
_BEND = "bend"
_CLEAR = 6.0
"""Standard errors that a step or bend must be large, after what neighbours share."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A change point.

    Attributes:
        kind: ``step`` or ``bend``.
        at: Where, as a share of the window.
        index: The first block after it.
        size: The step, or the change of the slope per window.
    """

    kind: str
    at: float
    index: int
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A line with change points.

    Attributes:
        terms: The change points, in order of time.
        coefficients: Level at the begin, slope per window, then the terms' sizes.
        residual: What is left.
        inflation: By how much what neighbours share widens variances; at least 1.
        slope: At the end of the window, per window.
        slope_error: Its standard error, with inflation.
    """

    terms: tuple[Term, ...]
    coefficients: Floats
    residual: Floats
    inflation: float
    slope: float
    slope_error: float

    def steps(self, at: Floats) -> Floats:
        """Return what the steps alone add at each place."""
        total = np.zeros_like(at)
        for term in self.terms:
            if term.kind == _STEP:
                total += term.size * (at >= term.at)
        return total


def fit(at: Floats, values: Floats) -> Fit:
    """Return a line with the change points that stand out.

    Args:
        at: Middles of blocks, as shares of the window, at least :data:`FEWEST`.
        values: Their values.
    """
    chosen: list[tuple[str, int]] = []
    scale = float(np.ptp(values)) or 1.0
    while len(chosen) < MOST_TERMS:
        best = _next(at, values, chosen, scale)
        if best is None:
            break
        chosen.append(best)
    while True:
        result, ratios = solve(at, values, chosen)
        if not chosen or min(ratios) >= _CLEAR:
            return result
        chosen.pop(int(np.argmin(ratios)))


def solve(at: Floats, values: Floats, chosen: list[tuple[str, int]]) -> tuple[Fit, list[float]]:
    """Return the line with these change points, and how many standard errors each is large."""
    basis = _basis(at, chosen)
    coefficients, *_ = np.linalg.lstsq(basis, values, rcond=None)
    residual = values - basis @ coefficients
    inflation = inflation_of(residual)
    freedom = max(len(at) - basis.shape[1], 1)
    # Numbers of a computer are never exacter than this.
    noise = max(float(residual @ residual) / freedom, (_TINY * (np.ptp(values) or 1.0)) ** 2)
    covariance = np.linalg.pinv(basis.T @ basis) * noise * inflation
    errors = np.sqrt(np.diag(covariance))
    at_end = np.array([0.0, 1.0, *(float(kind == _BEND) for kind, _ in chosen)])
    ratios = [abs(float(c)) / float(e) for c, e in zip(coefficients[2:], errors[2:], strict=True)]
    terms = sorted(
        (
            Term(kind=kind, at=_place(at, index), index=index, size=float(size))
            for (kind, index), size in zip(chosen, coefficients[2:], strict=True)
        ),
        key=lambda term: term.index,
    )
    result = Fit(
        terms=tuple(terms),
        coefficients=coefficients,
        residual=residual,
        inflation=inflation,
        slope=float(at_end @ coefficients),
        slope_error=float(np.sqrt(at_end @ covariance @ at_end)),
    )
    return result, ratios


def inflation_of(residual: Floats) -> float:
    """Return by how much a variance grows because neighbours are alike (Yue and Wang, 2004)."""
    correlation = min(correlation_of(residual), 0.95)
    return (1 + correlation) / (1 - correlation)


def correlation_of(residual: Floats) -> float:
    """Return how alike neighbours are: the first autocorrelation, not below zero."""
    power = float(residual @ residual)
    if power <= 0:
        return 0.0
    return max(float(residual[1:] @ residual[:-1]) / power, 0.0)


def _next(
    at: Floats,
    values: Floats,
    chosen: list[tuple[str, int]],
    scale: float,
) -> tuple[str, int] | None:
    """Return the change point that explains most of what is left; None when none does."""
    number = len(at)
    edge = max(3, number // 12)
    taken = [index for _, index in chosen]
    free = [k for k in range(edge, number - edge + 1) if all(abs(k - t) >= edge for t in taken)]
    candidates = [(_STEP, k) for k in free]
    candidates += [(_BEND, k) for k in free if number - k >= max(FEWEST, number // 4)]
    if not candidates:
        return None
    orthonormal, _ = np.linalg.qr(_basis(at, chosen))
    residual = values - orthonormal @ (orthonormal.T @ values)
    left = float(residual @ residual)
    if left <= number * (_TINY * scale) ** 2:
        return None
    columns = _basis(at, candidates)[:, 2:]
    columns = columns - orthonormal @ (orthonormal.T @ columns)
    lengths = np.einsum("ij,ij->j", columns, columns)
    gains = np.where(lengths > _TINY, (columns.T @ residual) ** 2 / np.maximum(lengths, _TINY), 0)
    best = int(np.argmax(gains))
    rest = max(left - float(gains[best]), left * _TINY)
    if number * np.log(left / rest) < 3 * np.log(number) + 6:
        return None
    return candidates[best]


def _basis(at: Floats, chosen: list[tuple[str, int]]) -> Floats:
    columns = [np.ones_like(at), at]
    for kind, index in chosen:
        place = _place(at, index)
        columns.append((at >= place) * 1.0 if kind == _STEP else np.maximum(at - place, 0.0))
    return np.column_stack(columns)


def _place(at: Floats, index: int) -> float:
    """Return the place between a block and the one before it."""
    return float(at[index - 1] + at[index]) / 2

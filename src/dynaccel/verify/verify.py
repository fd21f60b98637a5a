# SPDX-License-Identifier: GPL-2.0-or-later
"""All parts of the verification, one after the other on one bench."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import StageError, UserError
from dynaccel.core.events import Progress
from dynaccel.verify import culprits
from dynaccel.verify.check import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.verify.bench import Bench

RATIOS = (1, 10, 100, 1000)

PARTS = {
    "clocks": "dynaccel.verify.parts.clocks",
    "waits": "dynaccel.verify.parts.waits",
    "re-timed waits": "dynaccel.verify.parts.retimed",
    "32-bit programs": "dynaccel.verify.parts.narrow",
    "kernel timers": "dynaccel.verify.parts.kernel_timers",
    "hardware waits": "dynaccel.verify.parts.hardware",
    "cpu time": "dynaccel.verify.parts.cpu_time",
    "changes": "dynaccel.verify.parts.changes",
    "log": "dynaccel.verify.parts.log",
}
"""Every part and the module that measures it, in the order of measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification came to.

    Attributes:
        started: When it began, ISO 8601 in UTC, by this machine's clock.
        ratios: The ratios that were asked for.
        machine: Where it was measured: kernel, processor, clocksource.
        checks: Every check.
    """

    started: str
    ratios: tuple[int, ...]
    machine: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all holds."""
        return all(check.ok for check in self.checks)

    @property
    def hooks(self) -> dict[str, int]:
        """The changes of Linux to which the failures point, and how many each explains."""
        return culprits.likely(self.checks)

    def json_value(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**asdict(self), "ok": self.ok, "hooks": self.hooks}


def chosen_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts to measure, in their order; all when ``names`` is empty.

    Raises:
        UserError: There is no such part.
    """
    for name in names:
        if name not in PARTS:
            raise UserError(f"there is no part {name!r}", hint=f"parts: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if not names or part in names)


class Verifier:
    """A verification on its way; what was measured so far stays when the guest dies.

    Args:
        bench: Where to measure; its ratio is 1 afterwards.
        ratios: The ratios.
        parts: Names from :data:`PARTS`.

    Raises:
        StageError: The guest ended.
    """

    def __init__(self, bench: Bench, *, ratios: Sequence[int], parts: Sequence[str]) -> None:
        self._bench = bench
        self._ratios = tuple(ratios)
        self._parts = tuple(parts)
        self._checks: list[Check] = []
        self._started = datetime.now(tz=UTC).isoformat(timespec="seconds")
        self._machine = bench.description()

    def run(self) -> Verification:
        """Measure everything; a part that cannot be measured to its end is a check that fails.

        Raises:
            StageError: The guest ended.
        """
        reporter = self._bench.reporter
        total = len(self._parts)
        for number, part in enumerate(self._parts):
            reporter.progress(Progress(stage="verify", done=number, total=total, message=part))
            self._bench.set_ratio(1)
            measure = importlib.import_module(PARTS[part]).measure
            try:
                self._checks.extend(map(culprits.named, measure(self._bench, self._ratios)))
            except StageError as error:
                self._go_on_after(part, error)
        reporter.progress(Progress(stage="verify", done=total, total=total))
        self._bench.set_ratio(1)
        self._bench.calibrate()
        return self.so_far()

    def _go_on_after(self, part: str, error: StageError) -> None:
        """Note that a part stopped; raise its error again when the guest is gone with it."""
        try:
            self._bench.set_ratio(1)
        except StageError:
            raise error from None
        detail = f": {error.detail}" if error.detail else ""
        note = f"it stopped: {error.message}{detail} ({error.hint})"
        self._checks.append(Check(part=part, name="all of this part", ratio=1, ok=False, note=note))

    def so_far(self) -> Verification:
        """Return what has been measured up to now."""
        fineness = {
            "counts_per_second": self._bench.counts_per_second,
            "real_time_uncertainty": self._bench.real_uncertainty,
        }
        return Verification(
            started=self._started,
            ratios=self._ratios,
            machine={**self._machine, **fineness},
            checks=tuple(self._checks),
        )

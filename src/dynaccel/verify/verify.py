# SPDX-License-Identifier: GPL-2.0-or-later
"""All parts of the verification, one after the other on one bench."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import UserError
from dynaccel.core.events import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check

RATIOS = (1, 10, 100, 1000)

PARTS = {
    "clocks": "dynaccel.verify.parts.clocks",
    "waits": "dynaccel.verify.parts.waits",
    "re-timed waits": "dynaccel.verify.parts.retimed",
    "kernel timers": "dynaccel.verify.parts.kernel_timers",
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

    def json_value(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**asdict(self), "ok": self.ok}


def chosen_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts to measure, in their order; all when ``names`` is empty.

    Raises:
        UserError: There is no such part.
    """
    for name in names:
        if name not in PARTS:
            raise UserError(f"there is no part {name!r}", hint=f"parts: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if not names or part in names)


def run(bench: Bench, *, ratios: Sequence[int], parts: Sequence[str]) -> Verification:
    """Measure the parts at the ratios.

    Args:
        bench: Where to measure; its ratio is 1 afterwards.
        ratios: The ratios.
        parts: Names from :data:`PARTS`.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    started = datetime.now(tz=UTC).isoformat(timespec="seconds")
    checks = tuple(_measure(bench, ratios, parts))
    bench.set_ratio(1)
    bench.calibrate()
    return Verification(
        started=started, ratios=tuple(ratios), machine=bench.description(), checks=checks
    )


def _measure(bench: Bench, ratios: Sequence[int], parts: Sequence[str]) -> Iterator[Check]:
    for number, part in enumerate(parts):
        progress = Progress(stage="verify", done=number, total=len(parts), message=part)
        bench.reporter.progress(progress)
        bench.set_ratio(1)
        yield from importlib.import_module(PARTS[part]).measure(bench, ratios)
    bench.reporter.progress(Progress(stage="verify", done=len(parts), total=len(parts)))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Go through the matrix, row by row: one that fails does not keep the others from their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dynaccel.core.errors import DynaccelError
from dynaccel.core.events import Progress
from dynaccel.matrix import results
from dynaccel.matrix.outcome import Outcome, RowResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel
    from dynaccel.matrix.outcome import Measured
    from dynaccel.matrix.rows import Row
    from dynaccel.verify.verify import Verification


class Work(Protocol):
    """What is done for a row."""

    def find_source(self, row: Row) -> None:
        """Raise a DynaccelError when the row's source is not there."""

    def build(self, row: Row) -> Kernel:
        """Return the row's kernel; one that is built already at once."""

    def verify(self, kernel: Kernel, row: Row) -> Verification:
        """Measure a kernel as the row says."""


class Matrix:
    """The rows on their way.

    What is done is kept at once: kernels in the store, figures by the content of the kernel and of
    the tool. So an interrupted run goes on where it was when it is started again.

    Args:
        rows: The rows, in order.
        work: What is done for each.
        reporter: Gets lines and the progress.
        again: Measure what was measured before, too.
        conditions: What else the figures depend on, such as the accelerator.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        work: Work,
        *,
        reporter: Reporter,
        again: bool = False,
        conditions: str = "",
    ) -> None:
        self._rows = tuple(rows)
        self._work = work
        self._reporter = reporter
        self._again = again
        self._identity = f"{results.verify_identity()} {conditions}"

    def run(self) -> Iterator[RowResult]:
        """Yield the result of each row as soon as it is there."""
        for number, row in enumerate(self._rows):
            self._reporter.progress(
                Progress(stage="matrix", done=number, total=len(self._rows), message=row.name)
            )
            result = self._result(row)
            self._reporter.info(f"{row.name}: {result.outcome}")
            yield result

    def _result(self, row: Row) -> RowResult:
        if row.source is None:
            return _without_kernel(row, Outcome.NO_SOURCE, f"give one: --source {row.name}=REF")
        try:
            self._work.find_source(row)
        except DynaccelError as error:
            return _without_kernel(row, Outcome.NO_SOURCE, _told(error))
        # A mistake of this program in one row must not cost the night's others: hence Exception.
        try:
            kernel = self._work.build(row)
        except Exception as error:  # noqa: BLE001
            return _without_kernel(row, Outcome.NOT_BUILT, _told(error))
        name = results.key(kernel, row, self._identity)
        known = None if self._again else results.find(name)
        if known is not None:
            return _of_kernel(row, kernel, known, known=True)
        try:
            verification = self._work.verify(kernel, row)
        except Exception as error:  # noqa: BLE001
            return _of_kernel(row, kernel, None, problem=_told(error))
        return _of_kernel(row, kernel, results.keep(name, row, verification))


def _without_kernel(row: Row, outcome: Outcome, problem: str) -> RowResult:
    return RowResult(
        row=row.name,
        outcome=outcome,
        source=row.source or "",
        arch=row.arch,
        notes=_notes(row, problem),
    )


def _of_kernel(
    row: Row, kernel: Kernel, measured: Measured | None, *, known: bool = False, problem: str = ""
) -> RowResult:
    facts = kernel.manifest
    if measured is None:
        outcome = Outcome.NOT_MEASURED
    else:
        outcome = Outcome.HOLDS if measured.held == measured.total else Outcome.FALLS_SHORT
    return RowResult(
        row=row.name,
        outcome=outcome,
        source=facts.source,
        arch=facts.arch,
        release=facts.release,
        kernel=kernel.short_id,
        compiler=facts.compiler,
        build_seconds=facts.build_seconds,
        measured=measured,
        known=known,
        notes=_notes(row, problem),
    )


def _notes(row: Row, problem: str) -> tuple[str, ...]:
    return tuple(note for note in (problem, row.note) if note)


def _told(error: Exception) -> str:
    if not isinstance(error, DynaccelError):
        return f"dynaccel's own mistake: {error!r}"
    return " - ".join(part for part in (error.message, error.hint) if part)

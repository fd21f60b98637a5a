# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a recording, also while it is written: all answers are of one moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from dynaccel.recording import schema
from dynaccel.recording.records import (
    Attempt,
    Checkpoint,
    ClockPair,
    Event,
    JobDay,
    JobRun,
    JobTotals,
    LogLine,
    LogTotals,
    Match,
    Phase,
    Point,
    RatioChange,
    Series,
    Stamp,
)
from dynaccel.recording.tallies import Tallies

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_STAMP = "virtual_ns, realtime_ns, real_ns"
_END = "end_virtual_ns, end_realtime_ns, end_real_ns"


class Recording:
    """A recording, as it was when it was opened or last refreshed.

    Made by :meth:`open`; a context manager. Every method raises ``InfrastructureError`` when the
    file cannot be read.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._tallies = Tallies()
        self._layouts: dict[int, list[int]] = {}
        self.refresh()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the recording at ``path``.

        Raises:
            UserError: There is none, or a newer dynaccel wrote it.
            InfrastructureError: It cannot be read.
        """
        return cls(path, schema.open_for_reading(path))

    def refresh(self) -> None:
        """See what was recorded since; a run that goes on is read again and again like this."""
        with schema.guarded(self.path):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")
            # The first read fixes the moment.
            self._tallies = Tallies.from_json(self._state("tallies") or Tallies().to_json())
        self._layouts = {
            number: json.loads(series)
            for number, series in self._rows("SELECT id, series FROM layout ORDER BY id")
        }

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def meta(self) -> Mapping[str, str]:
        """What was said of the run as it began."""
        return dict(self._rows("SELECT key, value FROM meta ORDER BY key"))

    @property
    def last(self) -> Stamp | None:
        """The stamp of the last thing recorded; None when there is nothing yet."""
        text = self._state("last")
        return Stamp(*json.loads(text)) if text else None

    def phases(self) -> list[Phase]:
        """Return the phases that have begun, in order."""
        columns = f"idx, name, ratio, {_STAMP}, {_END}, ended_by"
        return [
            Phase(
                index=index,
                name=name,
                ratio=ratio,
                begun=Stamp(*stamps[:3]),
                ended=_end(stamps[3:6]),
                ended_by=stamps[6],
            )
            for index, name, ratio, *stamps in self._rows(
                f"SELECT {columns} FROM phase ORDER BY tick"
            )
        ]

    def ratio_changes(self) -> list[RatioChange]:
        """Return the changes of the ratio, in order."""
        return [
            RatioChange(before=before, after=after, why=why, stamp=Stamp(*stamp))
            for before, after, why, *stamp in self._rows(
                f"SELECT before, after, why, {_STAMP} FROM ratio_change ORDER BY tick"
            )
        ]

    def clock_pairs(self) -> list[ClockPair]:
        """Return virtual against real time, in order; thinned."""
        return [
            ClockPair(stamp=Stamp(*stamp), ratio=ratio)
            for ratio, *stamp in self._rows(f"SELECT ratio, {_STAMP} FROM clock_pair ORDER BY tick")
        ]

    def job_names(self) -> list[str]:
        """Return the jobs of which anything was recorded."""
        return self._tallies.job_names()

    def job_runs(self, job: str) -> list[JobRun]:
        """Return the runs of a job that were kept whole, in order."""
        columns = f"run, state, pid, status, signal, runtime_ns, message, phase, {_STAMP}, {_END}"
        return [
            JobRun(
                job=job,
                run=run,
                state=state,
                pid=pid,
                status=status,
                signal=signal,
                runtime_ns=runtime_ns,
                message=message,
                phase=phase,
                started=Stamp(*stamps[:3]),
                ended=_end(stamps[3:]),
            )
            for run, state, pid, status, signal, runtime_ns, message, phase, *stamps in self._rows(
                f"SELECT {columns} FROM job_run WHERE job = ? ORDER BY tick",
                job,
            )
        ]

    def job_totals(self, job: str) -> JobTotals:
        """Return all runs of a job together; empty for one of which nothing was recorded."""
        days = tuple(
            JobDay(
                day=day,
                well=well,
                failed=failed,
                skipped=skipped,
                runtime_ns=runtime_ns,
                longest_ns=longest_ns,
            )
            for day, well, failed, skipped, runtime_ns, longest_ns in self._rows(
                "SELECT day, well, failed, skipped, runtime_ns, longest_ns FROM job_day"
                " WHERE job = ? ORDER BY day",
                job,
            )
        )
        return self._tallies.job(job, days)

    def series_list(self) -> list[Series]:
        """Return what was measured, in the order of the first values."""
        return [
            Series(
                id=number,
                sample=sample,
                subject=subject,
                metric=metric,
                unit=unit,
                total=bool(total),
            )
            for number, sample, subject, metric, unit, total in self._rows(
                "SELECT id, sample, subject, metric, unit, total FROM series ORDER BY id"
            )
        ]

    def points(self, series: Series) -> list[Point]:
        """Return the values of a series in order: older ones merged, the newest whole."""
        points = [
            Point(*row)
            for row in self._rows(
                f"SELECT {_STAMP}, until_ns, level, count, min, max, mean, last FROM point"
                " WHERE series = ? ORDER BY tick",
                series.id,
            )
        ]
        fresh: list[tuple[int, Point]] = []
        for layout, members in self._layouts.items():
            if series.id not in members:
                continue
            place = members.index(series.id)
            for tick, virtual, realtime, real, data in self._rows(
                f"SELECT tick, {_STAMP}, data FROM fresh WHERE layout = ?",
                layout,
            ):
                value = json.loads(data)[place]
                point = Point(virtual, realtime, real, virtual, 0, 1, value, value, value, value)
                fresh.append((tick, point))
        fresh.sort(key=lambda each: each[0])
        return points + [point for _, point in fresh]

    def log_names(self) -> list[str]:
        """Return the logs, and the jobs whose output was recorded."""
        return [totals.log for totals in self._tallies.logs()]

    def log_totals(self, name: str) -> LogTotals:
        """Return a log as a whole; zeros for one without a line."""
        return self._tallies.log(name)

    def logs(self, name: str) -> list[LogLine]:
        """Return the lines of a log that were kept, in order."""
        return [
            LogLine(log=name, stream=stream, text=text, dropped=dropped, stamp=Stamp(*stamp))
            for stream, text, dropped, *stamp in self._rows(
                f"SELECT stream, text, dropped, {_STAMP} FROM log_line WHERE log = ? ORDER BY tick",
                name,
            )
        ]

    def matches(self, watch: str) -> list[Match]:
        """Return what a watch found, exact; empty when it found nothing or there is none."""
        return [match for match in self._tallies.matches() if match.watch == watch]

    def watches(self) -> Mapping[str, tuple[str, str | None]]:
        """Return pattern and log of each watch, by its name."""
        found = json.loads(self._state("watches") or "{}")
        return {name: (pattern, log) for name, (pattern, log) in found.items()}

    def events(self) -> list[Event]:
        """Return what happened, in order."""
        return [
            Event(kind=kind, name=name, text=text, stamp=Stamp(*stamp), data=json.loads(data))
            for kind, name, text, data, *stamp in self._rows(
                f"SELECT kind, name, text, data, {_STAMP} FROM event ORDER BY tick"
            )
        ]

    def event_counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many events there were by kind and name; exact, also of those not kept."""
        return self._tallies.events()

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, in order."""
        return [
            Checkpoint(
                tag=tag,
                seq=seq,
                wall=_wall(wall),
                bytes=size,
                seconds_stopped=stopped,
                kept=bool(kept),
                stamp=Stamp(*stamp),
            )
            for tag, seq, wall, size, stopped, kept, *stamp in self._rows(
                f"SELECT tag, seq, wall, bytes, seconds_stopped, kept, {_STAMP} FROM checkpoint"
                " ORDER BY tick"
            )
        ]

    def attempts(self) -> list[Attempt]:
        """Return the attempts, in order."""
        return [
            Attempt(
                number=number,
                begun_wall=_wall(begun_wall),
                ended_wall=None if ended_wall is None else _wall(ended_wall),
                begun=Stamp(*json.loads(begun)) if begun else None,
                ended=Stamp(*json.loads(ended)) if ended else None,
                why=why,
                checkpoint=checkpoint,
            )
            for number, begun_wall, ended_wall, begun, ended, why, checkpoint in self._rows(
                "SELECT number, begun_wall, ended_wall, begun, ended, why, checkpoint FROM attempt"
                " ORDER BY number"
            )
        ]

    def _state(self, key: str) -> str:
        rows = self._rows("SELECT value FROM state WHERE key = ?", key)
        return str(rows[0][0]) if rows else ""

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with schema.guarded(self.path):
            return self._connection.execute(query, values).fetchall()


def _end(columns: list[Any]) -> Stamp | None:
    return None if columns[0] is None else Stamp(*columns)


def _wall(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)

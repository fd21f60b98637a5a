# SPDX-License-Identifier: GPL-2.0-or-later
"""The writer's jobs: runs that go on, runs that ended, and what is counted of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynaccel.recording import bounds, schema
from dynaccel.recording.records import JobRun, Stamp

if TYPE_CHECKING:
    from dynaccel.recording.journal import Journal

_PUT = f"INSERT OR REPLACE INTO job_run VALUES ({', '.join('?' * 17)})"
_PUT_DAY = "INSERT OR REPLACE INTO job_day VALUES (?, ?, ?, ?, ?, ?, ?)"
_MANY = 2 * (2 * bounds.KEPT_RUNS + bounds.KEPT_FAILURES) + bounds.KEPT_RUNS
"""Runs of a job from which on there is something to drop, with some room."""


class JobBook:
    """Adds what jobs do to a journal, and keeps their runs bounded."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[tuple[str, int], tuple[int, JobRun]] = {}
        self._present: dict[str, int] = {}
        self._looked: dict[str, int] = {}

    def load(self) -> None:
        """Read which runs go on."""
        with schema.guarded(self._journal.path):
            execute = self._journal.connection.execute
            rows = execute(
                "SELECT tick, job, run, state, pid, message, phase,"
                " virtual_ns, realtime_ns, real_ns FROM job_run WHERE end_tick IS NULL"
            ).fetchall()
            self._present = dict(execute("SELECT job, count(*) FROM job_run GROUP BY job"))
        self._looked = {}
        self._open = {
            (job, run): (
                tick,
                JobRun(
                    job=job,
                    run=run,
                    state=state,
                    started=Stamp(*stamp),
                    pid=pid,
                    message=message,
                    phase=phase,
                ),
            )
            for tick, job, run, state, pid, message, phase, *stamp in rows
        }

    def add(
        self,
        stamp: Stamp,
        *,
        job: str,
        run: int,
        state: str,
        pid: int | None,
        status: int | None,
        signal: int | None,
        runtime_ns: int | None,
        message: str,
    ) -> None:
        """Add what a job did; ``state`` as the conductor names it."""
        tallies = self._journal.tallies
        tick, known = self._open.get((job, run), (0, None))
        late = (job, run) in tallies.late
        if not late:
            over = state in {"ended", "stopped"}
            exit_status = (status if signal is None else 128 + signal) if over else None
            tallies.add_outcome(stamp, job, state, exit_status)
            self._count_day(stamp, job, state, exit_status, runtime_ns or 0)
        if state == "restarting":
            return
        number = self._journal.next_tick(stamp)
        if known is None:
            tick = number
            known = JobRun(job=job, run=run, state=state, started=stamp, phase=tallies.phase)
            self._present[job] = self._present.get(job, 0) + 1
        over = state in {"skipped", "failed_to_start", "ended", "stopped"} or (
            state == "timeout" and (status is not None or signal is not None)
        )
        known = replace(
            known,
            state="timeout" if late else state,
            ended=stamp if over else None,
            pid=known.pid if pid is None else pid,
            status=status,
            signal=signal,
            runtime_ns=runtime_ns,
            message=message or known.message,
            phase=tallies.phase if over else known.phase,
        )
        if over:
            self._open.pop((job, run), None)
            tallies.late.discard((job, run))
        else:
            self._open[job, run] = (tick, known)
            if state == "timeout":
                tallies.late.add((job, run))
        self._put(tick, known, number if over else None)

    @property
    def due(self) -> bool:
        """Whether a job has more runs than are kept."""
        return any(count > self._due_at(job) for job, count in self._present.items())

    def trim(self, *, all_of_them: bool) -> None:
        """Drop what is too much and settled, in the journal's transaction."""
        settled = self._journal.settled()
        for job, count in list(self._present.items()):
            if count > (2 * bounds.KEPT_RUNS if all_of_them else self._due_at(job)):
                bounds.trim_runs(self._journal.connection, job, settled)
                (left,) = self._journal.connection.execute(
                    "SELECT count(*) FROM job_run WHERE job = ?", (job,)
                ).fetchone()
                self._present[job] = self._looked[job] = left

    def _due_at(self, job: str) -> int:
        return max(_MANY, self._looked.get(job, 0) + bounds.KEPT_RUNS)

    def _count_day(
        self, stamp: Stamp, job: str, state: str, exit_status: int | None, runtime_ns: int
    ) -> None:
        if state in {"started", "restarting"}:
            return
        well = state == "stopped" or (state == "ended" and exit_status == 0)
        skipped = state == "skipped"
        self._journal.tallies.add_day(
            stamp,
            job,
            well=int(well),
            failed=int(not well and not skipped),
            skipped=int(skipped),
            runtime_ns=runtime_ns,
        )
        day = self._journal.tallies.days[job]
        self._journal.put(
            _PUT_DAY,
            job,
            day.day,
            day.well,
            day.failed,
            day.skipped,
            day.runtime_ns,
            day.longest_ns,
        )

    def _put(self, tick: int, run: JobRun, end_tick: int | None) -> None:
        started, ended = run.started, run.ended
        self._journal.put(
            _PUT,
            tick,
            run.job,
            run.run,
            run.state,
            started.virtual_ns,
            started.realtime_ns,
            started.real_ns,
            ended and ended.virtual_ns,
            ended and ended.realtime_ns,
            ended and ended.real_ns,
            end_tick,
            run.pid,
            run.status,
            run.signal,
            run.runtime_ns,
            run.message,
            run.phase,
        )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a recording: one transaction a second, and back to a checkpoint when a run resumes."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from dynaccel.recording import bounds, checkpoints, schema
from dynaccel.recording.checkpoints import ADD_EVENT
from dynaccel.recording.jobs import JobBook
from dynaccel.recording.journal import Journal, stamp_text
from dynaccel.recording.lines import LineBook
from dynaccel.recording.records import NS, OUTSIDE, Checkpoint, Stamp, Watch
from dynaccel.recording.samples import SampleBook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_STAMPED = "?, ?, ?"


class RecordingWriter:
    """The one that writes a recording; made by :meth:`create` or :meth:`open`.

    A context manager. Calls must not overlap. Nothing is written before a second has passed or
    :meth:`flush` is called; whoever has nothing to add calls it once a second. All methods raise
    ``InfrastructureError`` when the file cannot be written: what is written already stays
    readable, and what waits is tried again with the next call.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._journal = Journal(path, connection)
        settings = json.loads(self._journal.state("settings") or "{}")
        self._budget: int = settings.get("budget", bounds.BUDGET)
        watches = json.loads(self._journal.state("watches") or "{}")
        self._samples = SampleBook(self._journal, self._budget)
        self._lines = LineBook(
            self._journal,
            [Watch(name=name, pattern=each[0], log=each[1]) for name, each in watches.items()],
            settings.get("limits", {}),
        )
        self._jobs = JobBook(self._journal)
        self._events: dict[tuple[str, str], int] = {}
        self._clocks = 0
        self._clocks_due = 0
        self._last_clock: tuple[int, int] | None = None
        self._journal.take_over()
        self._load()

    @classmethod
    def create(
        cls,
        path: Path,
        meta: Mapping[str, str],
        *,
        budget: int = bounds.BUDGET,
        limits: Mapping[str, int] | None = None,
        watches: Sequence[Watch] = (),
    ) -> Self:
        """Make a recording and begin its first attempt.

        Args:
            path: The file, in a directory that exists.
            meta: What is to be known of the run.
            budget: Points that each series keeps at most, beside those since the oldest checkpoint.
            limits: Bytes of logs, by their names.
            watches: What is looked for in each line as it comes.

        Raises:
            UserError: There is one already.
            InfrastructureError: It cannot be written.
        """
        connection = schema.create(path)
        settings = {"budget": budget, "limits": dict(limits or {})}
        state = {
            "settings": json.dumps(settings),
            "watches": json.dumps({each.name: [each.pattern, each.log] for each in watches}),
        }
        with schema.guarded(path):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            connection.executemany("INSERT INTO state VALUES (?, ?)", state.items())
            connection.execute(
                "INSERT INTO attempt VALUES (1, ?, NULL, '', NULL, '', '')", (time.time(),)
            )
            connection.execute("COMMIT")
        return cls(path, connection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a recording; :meth:`rewind` before anything is added.

        Raises:
            UserError: There is none, or a newer dynaccel wrote it.
            InfrastructureError: It cannot be written.
        """
        return cls(path, schema.open_for_writing(path))

    def add_phase_begin(self, stamp: Stamp, *, index: int, name: str, ratio: int) -> None:
        """Add that a phase began."""
        self._journal.tallies.phase = index
        self._put(
            f"INSERT INTO phase VALUES (?, ?, ?, ?, {_STAMPED}, NULL, NULL, NULL, NULL, '')",
            self._journal.next_tick(stamp),
            index,
            name,
            ratio,
            *stamp.columns,
        )

    def add_phase_end(self, stamp: Stamp, *, index: int, ended_by: str) -> None:
        """Add that a phase ended."""
        self._journal.tallies.phase = OUTSIDE
        self._put(
            "UPDATE phase SET end_virtual_ns = ?, end_realtime_ns = ?, end_real_ns = ?,"
            " end_tick = ?, ended_by = ? WHERE idx = ? AND end_tick IS NULL",
            *stamp.columns,
            self._journal.next_tick(stamp),
            ended_by,
            index,
        )

    def add_ratio_change(self, stamp: Stamp, *, before: int, after: int, why: str) -> None:
        """Add that the ratio changed."""
        self._journal.tallies.ratio = after
        self._put(
            f"INSERT INTO ratio_change VALUES (?, {_STAMPED}, ?, ?, ?)",
            self._journal.next_tick(stamp),
            *stamp.columns,
            before,
            after,
            why,
        )

    def add_job(
        self,
        stamp: Stamp,
        *,
        job: str,
        run: int,
        state: str,
        pid: int | None = None,
        status: int | None = None,
        signal: int | None = None,
        runtime_ns: int | None = None,
        message: str = "",
        stopped: bool = False,
    ) -> None:
        """Add what a job did; ``state`` and the others as the conductor's frame has them.

        A run that ``ended`` because it was told to, is ``stopped``.
        """
        self._jobs.add(
            stamp,
            job=job,
            run=run,
            state="stopped" if stopped and state == "ended" else state,
            pid=pid,
            status=status,
            signal=signal,
            runtime_ns=runtime_ns,
            message=message,
        )
        self._after_add()

    def add_sample(
        self, stamp: Stamp, sample: str, subject: str, values: Mapping[str, float]
    ) -> None:
        """Add a sample; values that are no finite numbers are left out."""
        note = self._samples.add(stamp, sample, subject, values)
        if note is not None and not self._journal.tallies.events().get(("recording", sample)):
            self.add_event(stamp, "recording", sample, note)
        self._after_add()

    def add_log(
        self, stamp: Stamp, log: str, stream: str, lines: Sequence[str], dropped: int = 0
    ) -> None:
        """Add lines of a log or of a job's output, before which ``dropped`` were lost."""
        self._lines.add(stamp, log, stream, lines, dropped)
        self._after_add()

    def add_event(
        self,
        stamp: Stamp,
        kind: str,
        name: str,
        text: str,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Add something that happened; ``data`` is what JSON can hold."""
        self._journal.tallies.add_event(kind, name)
        self._events[kind, name] = self._events.get((kind, name), 0) + 1
        self._put(
            ADD_EVENT,
            self._journal.next_tick(stamp),
            kind,
            name,
            text,
            *stamp.columns,
            json.dumps(dict(data or {}), separators=(",", ":")),
        )

    def add_clock(self, stamp: Stamp, ratio: int) -> None:
        """Add virtual against real time; more than one a real second at one ratio is left out."""
        last = self._last_clock
        if last is not None and last[1] == ratio and 0 <= stamp.real_ns - last[0] < NS:
            return
        self._last_clock = (stamp.real_ns, ratio)
        self._journal.tallies.ratio = ratio
        self._clocks += 1
        self._put(
            f"INSERT INTO clock_pair VALUES (?, {_STAMPED}, ?)",
            self._journal.next_tick(stamp),
            *stamp.columns,
            ratio,
        )

    def mark_checkpoint(
        self,
        stamp: Stamp,
        tag: str,
        *,
        seq: int,
        size: int = 0,
        seconds_stopped: float = 0.0,
        keep: int = 2,
    ) -> None:
        """Note that the guest is saved as it is now, on disk before this returns.

        Args:
            stamp: When; nothing later has been added.
            tag: The checkpoint's name, unique.
            seq: The last frame that came before it.
            size: Its bytes.
            seconds_stopped: Real time that the guest stood still for it.
            keep: How many can be rewound to from now on; what is older is settled, and may be
                merged and dropped.
        """
        journal = self._journal
        number = journal.next_tick(stamp)
        checkpoint = Checkpoint(
            tag=tag,
            seq=seq,
            stamp=stamp,
            wall=datetime.now(tz=UTC),
            bytes=size,
            seconds_stopped=seconds_stopped,
        )
        # A guest that is saved on disk must not be newer than what is on disk of its recording.
        with journal.on_disk():
            journal.transaction(lambda: checkpoints.mark(journal, number, checkpoint, keep))
        self._trim(all_of_them=True)

    def rewind(self, tag: str | None, *, why: str = "killed") -> Stamp:
        """Take the recording back to a checkpoint and begin the next attempt there.

        All that was recorded since is deleted; that there was such an attempt stays told, in the
        attempts and by an event.

        Args:
            tag: The checkpoint's; None: to the very beginning.
            why: How the attempt before ended, when it did not say so itself.

        Returns:
            The checkpoint's stamp; zeros for the beginning.

        Raises:
            UserError: There is no such checkpoint, or it is not kept any more.
        """
        journal = self._journal
        journal.flush()
        checkpoints.check(journal, tag)
        stamp = Stamp(0, 0, 0)

        def back() -> None:
            nonlocal stamp
            before = journal.last
            stamp = checkpoints.rewind(journal, tag or "")
            checkpoints.next_attempt(journal, before, stamp, tag or "", why)

        try:
            journal.transaction(back)
        finally:
            self._load()
        # What was read anew (lines that are gone for good) is counted, too.
        journal.transaction(lambda: None)
        return stamp

    def end_attempt(self, why: str) -> None:
        """Say how this attempt ended."""
        journal = self._journal
        self._put(
            "UPDATE attempt SET ended_wall = ?, ended = ?, why = ? WHERE ended_wall IS NULL",
            time.time(),
            stamp_text(journal.last),
            why,
        )
        self.flush()

    def flush(self) -> None:
        """Write what waits; merge and drop what is too much."""
        self._journal.flush()
        self._trim(all_of_them=False)

    def close(self) -> None:
        """Write what waits and let go of the file, which is then one file alone."""
        try:
            self.flush()
            # Not while somebody reads; then the last one to close it tidies up.
            with suppress(sqlite3.Error):
                self._journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._journal.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, query: str, *values: Any) -> None:
        self._journal.put(query, *values)
        self._after_add()

    def _after_add(self) -> None:
        if self._journal.due:
            self.flush()

    def _load(self) -> None:
        journal = self._journal
        journal.load()
        self._samples.load()
        self._lines.load()
        self._jobs.load()
        with schema.guarded(journal.path):
            execute = journal.connection.execute
            rows = execute("SELECT kind, name, count(*) FROM event GROUP BY kind, name").fetchall()
            (self._clocks,) = execute("SELECT count(*) FROM clock_pair").fetchone()
        self._events = {(kind, name): count for kind, name, count in rows}
        self._clocks_due = 2 * self._budget
        self._last_clock = None

    def _trim(self, *, all_of_them: bool) -> None:
        books = (self._samples, self._lines, self._jobs)
        many = 2 * bounds.KEPT_EVENTS + 200
        events = [each for each, count in self._events.items() if count > many]
        clocks = self._clocks > self._clocks_due
        if not (all_of_them or events or clocks or any(book.due for book in books)):
            return
        journal = self._journal

        def work() -> None:
            for book in books:
                book.trim(all_of_them=all_of_them)
            settled = journal.settled()
            for kind, name in events:
                bounds.trim_events(journal.connection, kind, name, settled)
                self._events[kind, name] = 2 * bounds.KEPT_EVENTS
            if clocks:
                self._clocks -= bounds.trim_clocks(journal.connection, settled, self._budget)
                self._clocks_due = max(2 * self._budget, self._clocks + self._budget // 4)

        try:
            journal.transaction(work)
        except BaseException:
            # What the parts believe to be gone is still there.
            self._load()
            raise

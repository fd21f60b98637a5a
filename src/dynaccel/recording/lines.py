# SPDX-License-Identifier: GPL-2.0-or-later
"""The writer's logs: lines as they come, what watches find in them, and their bound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynaccel.recording import bounds, schema
from dynaccel.recording.journal import readable
from dynaccel.recording.records import LogLine, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynaccel.recording.journal import Journal
    from dynaccel.recording.records import Stamp

KEPT_MATCHES = 100
"""Lines that a watch found in one log and phase that are never dropped."""
_LINE = "INSERT INTO log_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class LineBook:
    """Adds lines to a journal, and keeps each log bounded."""

    def __init__(
        self, journal: Journal, watches: Sequence[Watch], limits: Mapping[str, int]
    ) -> None:
        self._journal = journal
        self._watches = [(watch.name, watch.log, re.compile(watch.pattern)) for watch in watches]
        self._limits = dict(limits)
        self._present: dict[str, int] = {}
        self._carried: dict[str, int] = {}
        self._looked: dict[str, int] = {}

    def load(self) -> None:
        """Read how large the logs are, and set right what a rewind left of them."""
        tallies = self._journal.tallies
        with schema.guarded(self._journal.path):
            rows = self._journal.connection.execute(
                "SELECT log, count(*), sum(length(CAST(text AS BLOB)) + ?), sum(dropped)"
                " FROM log_line GROUP BY log",
                (bounds.LINE_COST,),
            ).fetchall()
        found = {log: (count, size, told) for log, count, size, told in rows}
        self._present = {log: size for log, (_, size, _) in found.items()}
        self._carried = {}
        self._looked = {}
        for totals in tallies.logs():
            count, _, told = found.get(totals.log, (0, 0, 0))
            dropped = totals.lines - count
            tallies.add_lines(totals.log, lines=0, size=0, lost=0, dropped=dropped - totals.dropped)
            if untold := totals.lost + dropped - told:
                self._carried[totals.log] = untold

    def add(self, stamp: Stamp, log: str, stream: str, lines: Sequence[str], dropped: int) -> None:
        """Add lines of one moment, before which ``dropped`` were lost."""
        journal = self._journal
        size = 0
        before = dropped + self._carried.pop(log, 0)
        for text in lines:
            clean = readable(text)
            line = LogLine(log=log, stream=stream, text=clean, stamp=stamp, dropped=before)
            kept = self._watch(line)
            journal.put(
                _LINE,
                log,
                journal.next_tick(stamp),
                stream,
                clean,
                stamp.virtual_ns,
                stamp.realtime_ns,
                stamp.real_ns,
                before,
                int(kept),
            )
            size += len(clean.encode())
            before = 0
        if before:
            self._carried[log] = before
        journal.tallies.add_lines(log, lines=len(lines), size=size, lost=dropped, dropped=0)
        cost = size + bounds.LINE_COST * len(lines)
        self._present[log] = self._present.get(log, 0) + cost

    @property
    def due(self) -> bool:
        """Whether a log is beyond its limit."""
        return any(size > self._due_at(log) for log, size in self._present.items())

    def trim(self, *, all_of_them: bool) -> None:
        """Drop what is too much and settled, in the journal's transaction."""
        settled = self._journal.settled()
        for log, size in list(self._present.items()):
            limit = self._limit(log)
            if size > (limit if all_of_them else self._due_at(log)):
                gone, left = bounds.trim_log(self._journal.connection, log, settled, limit)
                self._present[log] = self._looked[log] = left
                self._journal.tallies.add_lines(log, lines=0, size=0, lost=0, dropped=gone)

    def _due_at(self, log: str) -> int:
        # What is not settled stays: looked for again when there is a tenth more.
        limit = self._limit(log)
        return max(limit, self._looked.get(log, 0) + limit // 10)

    def _limit(self, log: str) -> int:
        return self._limits.get(log, bounds.LOG_LIMIT)

    def _watch(self, line: LogLine) -> bool:
        kept = False
        for name, log, pattern in self._watches:
            if (log is None or log == line.log) and pattern.search(line.text):
                kept |= self._journal.tallies.add_match(name, line) <= KEPT_MATCHES
        return kept

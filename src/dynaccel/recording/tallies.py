# SPDX-License-Identifier: GPL-2.0-or-later
"""What is counted while a run is recorded: exact, small, and saved with each checkpoint."""

from __future__ import annotations

import json
from typing import Any

from dynaccel.recording.records import (
    DAY_NS,
    OUTSIDE,
    JobDay,
    JobTotals,
    LogLine,
    LogTotals,
    Match,
    Outcome,
    Stamp,
)

_OutcomeKey = tuple[str, int, str, int | None]
_MatchKey = tuple[str, str, int]


class Tallies:
    """The counters.

    Attributes:
        phase: Index of the phase that goes on.
        ratio: The ratio, as the last change or pair of clocks said.
        days: The latest day of each job.
        subjects: Number of subjects of each sample.
        late: Runs (job and number) that took too long and have not ended yet.
    """

    def __init__(self) -> None:
        self.phase = OUTSIDE
        self.ratio = 1
        self.days: dict[str, JobDay] = {}
        self.subjects: dict[str, int] = {}
        self.late: set[tuple[str, int]] = set()
        self._outcomes: dict[_OutcomeKey, tuple[int, Stamp, Stamp]] = {}
        self._logs: dict[str, LogTotals] = {}
        self._matches: dict[_MatchKey, tuple[int, LogLine]] = {}
        self._events: dict[tuple[str, str], int] = {}

    def add_outcome(self, stamp: Stamp, job: str, state: str, exit_status: int | None) -> None:
        """Count what became of a run."""
        key = (job, self.phase, state, exit_status)
        count, first, _last = self._outcomes.get(key, (0, stamp, stamp))
        self._outcomes[key] = (count + 1, first, stamp)

    def add_day(
        self, stamp: Stamp, job: str, *, well: int, failed: int, skipped: int, runtime_ns: int
    ) -> None:
        """Count a run's end into the virtual day that it is in."""
        day = stamp.virtual_ns // DAY_NS
        old = self.days.get(job)
        if old is None or old.day != day:
            old = JobDay(day=day)
        self.days[job] = JobDay(
            day=day,
            well=old.well + well,
            failed=old.failed + failed,
            skipped=old.skipped + skipped,
            runtime_ns=old.runtime_ns + runtime_ns,
            longest_ns=max(old.longest_ns, runtime_ns),
        )

    def add_lines(self, log: str, *, lines: int, size: int, lost: int, dropped: int) -> None:
        """Count lines of a log."""
        old = self.log(log)
        self._logs[log] = LogTotals(
            log=log,
            lines=old.lines + lines,
            bytes=old.bytes + size,
            lost=old.lost + lost,
            dropped=old.dropped + dropped,
        )

    def log(self, name: str) -> LogTotals:
        """Return the totals of a log; zeros for one without a line."""
        return self._logs.get(name, LogTotals(log=name, lines=0, bytes=0, lost=0, dropped=0))

    def logs(self) -> list[LogTotals]:
        """Return the totals of all logs."""
        return list(self._logs.values())

    def add_match(self, watch: str, line: LogLine) -> int:
        """Count a line in which a watch found its pattern; return how many this phase had."""
        key = (watch, line.log, self.phase)
        count, first = self._matches.get(key, (0, line))
        self._matches[key] = (count + 1, first)
        return count + 1

    def matches(self) -> list[Match]:
        """Return what the watches found."""
        return [
            Match(watch=watch, log=log, phase=phase, count=count, first=first)
            for (watch, log, phase), (count, first) in self._matches.items()
        ]

    def add_event(self, kind: str, name: str) -> int:
        """Count an event; return how many there were of its kind and name."""
        self._events[kind, name] = self._events.get((kind, name), 0) + 1
        return self._events[kind, name]

    def events(self) -> dict[tuple[str, str], int]:
        """Return the number of events by kind and name."""
        return dict(self._events)

    def job_names(self) -> list[str]:
        """Return the jobs of which anything was told, in that order."""
        return list(dict.fromkeys(key[0] for key in self._outcomes))

    def job(self, name: str, days: tuple[JobDay, ...]) -> JobTotals:
        """Return the totals of a job."""
        outcomes = tuple(
            Outcome(
                phase=phase, state=state, exit_status=status, count=count, first=first, last=last
            )
            for (job, phase, state, status), (count, first, last) in self._outcomes.items()
            if job == name
        )
        return JobTotals(job=name, outcomes=outcomes, days=days)

    def to_json(self) -> str:
        """Return all as text."""
        value = {
            "phase": self.phase,
            "ratio": self.ratio,
            "subjects": self.subjects,
            "late": sorted(self.late),
            "days": [
                [job, d.day, d.well, d.failed, d.skipped, d.runtime_ns, d.longest_ns]
                for job, d in self.days.items()
            ],
            "outcomes": [
                [*key, count, first.columns, last.columns]
                for key, (count, first, last) in self._outcomes.items()
            ],
            "logs": [[t.log, t.lines, t.bytes, t.lost, t.dropped] for t in self._logs.values()],
            "matches": [
                [*key, count, first.stream, first.text, first.stamp.columns, first.dropped]
                for key, (count, first) in self._matches.items()
            ],
            "events": [[*key, count] for key, count in self._events.items()],
        }
        return json.dumps(value, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Tallies:
        """Return what :meth:`to_json` gave as text."""
        value: dict[str, Any] = json.loads(text)
        tallies = cls()
        tallies.phase = value["phase"]
        tallies.ratio = value["ratio"]
        tallies.subjects = value["subjects"]
        tallies.late = {(job, run) for job, run in value["late"]}
        for job, day, well, failed, skipped, runtime_ns, longest_ns in value["days"]:
            tallies.days[job] = JobDay(
                day=day,
                well=well,
                failed=failed,
                skipped=skipped,
                runtime_ns=runtime_ns,
                longest_ns=longest_ns,
            )
        for job, phase, state, status, count, first, last in value["outcomes"]:
            tallies._outcomes[job, phase, state, status] = (count, Stamp(*first), Stamp(*last))
        for log, lines, size, lost, dropped in value["logs"]:
            tallies.add_lines(log, lines=lines, size=size, lost=lost, dropped=dropped)
        for watch, log, phase, count, stream, text_, stamp, dropped in value["matches"]:
            line = LogLine(log=log, stream=stream, text=text_, stamp=Stamp(*stamp), dropped=dropped)
            tallies._matches[watch, log, phase] = (count, line)
        for kind, name, count in value["events"]:
            tallies._events[kind, name] = count
        return tallies

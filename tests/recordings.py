# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings that tests make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.recording.reader import Recording
from dynaccel.recording.records import NS, Stamp

if TYPE_CHECKING:
    from pathlib import Path

EPOCH_NS = 1_767_225_600 * NS
"""2026-01-01, the date at which the first phase of these recordings begins."""
MINUTE, HOUR, DAY = 60, 3600, 86400


def at(seconds: float, ratio: int = 1000) -> Stamp:
    """Return the stamp of a virtual second of a run at one ratio."""
    virtual_ns = round(seconds * NS)
    return Stamp(virtual_ns, EPOCH_NS + virtual_ns, virtual_ns // ratio)


def contents(path: Path) -> dict[str, Any]:
    """Return all that a recording tells of the run itself: not of attempts and resumptions."""
    with Recording.open(path) as recording:
        jobs, logs = recording.job_names(), recording.log_names()
        return {
            "last": recording.last,
            "phases": recording.phases(),
            "ratio_changes": recording.ratio_changes(),
            "clock_pairs": recording.clock_pairs(),
            "jobs": {job: (recording.job_runs(job), recording.job_totals(job)) for job in jobs},
            "series": {s.name: (s, recording.points(s)) for s in recording.series_list()},
            "logs": {log: (recording.logs(log), recording.log_totals(log)) for log in logs},
            "events": [each for each in recording.events() if each.kind != "resumed"],
            "matches": {name: recording.matches(name) for name in recording.watches()},
            "checkpoints": [(each.tag, each.seq, each.stamp) for each in recording.checkpoints()],
        }

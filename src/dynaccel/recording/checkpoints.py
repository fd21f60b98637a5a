# SPDX-License-Identifier: GPL-2.0-or-later
"""Marks where a guest was saved, and takes a recording back there; in the writer's transaction."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.core.units import format_duration
from dynaccel.recording import schema
from dynaccel.recording.journal import stamp_text
from dynaccel.recording.records import DAY_NS, NS, OUTSIDE, Stamp
from dynaccel.recording.tallies import Tallies

if TYPE_CHECKING:
    import sqlite3

    from dynaccel.recording.journal import Journal
    from dynaccel.recording.records import Checkpoint

ADD_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_APPENDED = (
    "checkpoint",
    "phase",
    "ratio_change",
    "clock_pair",
    "job_run",
    "series",
    "layout",
    "fresh",
    "log_line",
)
_REOPENED = ("phase", "job_run")
_STAYS = "kind IN ('resumed', 'panic')"
"""Events that no rewind takes back: a run that goes on after a panic has panicked all the same."""


def mark(journal: Journal, tick: int, checkpoint: Checkpoint, keep: int) -> None:
    """Add a checkpoint, and settle those but for the newest ``keep``.

    Raises:
        ValueError: There is one of that tag.
    """
    execute = journal.connection.execute
    if execute("SELECT 1 FROM checkpoint WHERE tag = ?", (checkpoint.tag,)).fetchone():
        raise ValueError(f"there is a checkpoint {checkpoint.tag!r} already")
    execute(
        "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
        (
            tick,
            checkpoint.tag,
            checkpoint.seq,
            *checkpoint.stamp.columns,
            checkpoint.wall.timestamp(),
            checkpoint.bytes,
            checkpoint.seconds_stopped,
            journal.tallies.to_json(),
        ),
    )
    execute(
        "UPDATE checkpoint SET kept = 0, state = '' WHERE kept AND tick NOT IN"
        " (SELECT tick FROM checkpoint WHERE kept ORDER BY tick DESC LIMIT ?)",
        (max(keep, 1),),
    )


def check(journal: Journal, tag: str | None) -> None:
    """See that there is a checkpoint to go back to; None is the very beginning.

    Raises:
        UserError: There is none of that tag, or it is settled.
    """
    if tag is None:
        return
    with schema.guarded(journal.path):
        row = journal.connection.execute(
            "SELECT kept FROM checkpoint WHERE tag = ?", (tag,)
        ).fetchone()
    if row is None or not row[0]:
        raise UserError(
            f"the recording has no checkpoint {tag!r} that it can go back to",
            hint="begin the run anew, in another directory",
        )


def rewind(journal: Journal, tag: str) -> Stamp:
    """Delete what came after a checkpoint, and open again what ended after it.

    Returns the checkpoint's stamp. An empty tag is the very beginning.
    """
    connection = journal.connection
    if tag:
        tick, state, *columns = connection.execute(
            "SELECT tick, state, virtual_ns, realtime_ns, real_ns FROM checkpoint WHERE tag = ?",
            (tag,),
        ).fetchone()
        stamp = Stamp(*columns)
        tallies = Tallies.from_json(state)
    else:
        tick, stamp, tallies = 0, Stamp(0, 0, 0), Tallies()
        connection.execute("DELETE FROM point")
        connection.execute("DELETE FROM job_day")
    for table in _APPENDED:
        connection.execute(f"DELETE FROM {table} WHERE tick > ?", (tick,))
    for table in _REOPENED:
        connection.execute(
            f"UPDATE {table} SET end_virtual_ns = NULL, end_realtime_ns = NULL,"
            " end_real_ns = NULL, end_tick = NULL WHERE end_tick > ?",
            (tick,),
        )
    connection.execute("UPDATE phase SET ended_by = '' WHERE end_tick IS NULL")
    connection.execute(f"DELETE FROM event WHERE tick > ? AND NOT {_STAYS}", (tick,))
    _restore_runs(connection, tallies)
    _restore_days(connection, stamp, tallies)
    for kind, name in connection.execute(
        f"SELECT kind, name FROM event WHERE tick > ? AND {_STAYS}", (tick,)
    ).fetchall():
        tallies.add_event(kind, name)
    journal.tallies = tallies
    journal.last = stamp if tag else None
    return stamp


def next_attempt(journal: Journal, before: Stamp | None, stamp: Stamp, tag: str, why: str) -> None:
    """Tell how the attempt before ended, and begin the next one at a checkpoint."""
    execute = journal.connection.execute
    wall = float(journal.state("wall") or time.time())
    execute(
        "UPDATE attempt SET ended_wall = ?, ended = ?, why = ? WHERE ended_wall IS NULL",
        (wall, stamp_text(before), why),
    )
    number, how, ended = execute(
        "SELECT number, why, ended FROM attempt ORDER BY number DESC LIMIT 1"
    ).fetchone()
    execute(
        "INSERT INTO attempt VALUES (?, ?, NULL, ?, NULL, '', ?)",
        (number + 1, time.time(), stamp_text(stamp) if tag else "", tag),
    )
    reached = format_duration(json.loads(ended)[0] / NS) if ended else "nothing"
    place = f"checkpoint {tag}, virtual {format_duration(stamp.virtual_ns / NS)}"
    text = (
        f"attempt {number} ended at virtual {reached} ({how});"
        f" attempt {number + 1} goes on from {place if tag else 'the beginning'}"
    )
    data = json.dumps({"attempt": number, "why": how})
    journal.tallies.add_event("resumed", tag)
    last = journal.last
    row = (journal.next_tick(stamp), "resumed", tag, text, *stamp.columns, data)
    execute(ADD_EVENT, row)
    journal.last = last


def _restore_runs(connection: sqlite3.Connection, tallies: Tallies) -> None:
    connection.execute(
        "UPDATE job_run SET state = 'started', status = NULL, signal = NULL, runtime_ns = NULL,"
        " message = '', phase = coalesce((SELECT idx FROM phase WHERE phase.tick < job_run.tick"
        " AND (phase.end_tick IS NULL OR phase.end_tick > job_run.tick)"
        " ORDER BY phase.tick DESC LIMIT 1), ?) WHERE end_tick IS NULL",
        (OUTSIDE,),
    )
    connection.executemany(
        "UPDATE job_run SET state = 'timeout' WHERE end_tick IS NULL AND job = ? AND run = ?",
        list(tallies.late),
    )


def _restore_days(connection: sqlite3.Connection, stamp: Stamp, tallies: Tallies) -> None:
    connection.execute("DELETE FROM job_day WHERE day >= ?", (stamp.virtual_ns // DAY_NS,))
    connection.executemany(
        "INSERT OR REPLACE INTO job_day VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (job, d.day, d.well, d.failed, d.skipped, d.runtime_ns, d.longest_ns)
            for job, d in tallies.days.items()
        ],
    )

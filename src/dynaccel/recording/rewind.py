# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes a recording back to a checkpoint; runs in the writer's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.recording.records import DAY_NS, Stamp
from dynaccel.recording.tallies import Tallies

if TYPE_CHECKING:
    import sqlite3

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


def rewind(connection: sqlite3.Connection, tag: str) -> tuple[Stamp, Tallies]:
    """Delete what came after a checkpoint, and open again what ended after it.

    Returns the checkpoint's stamp and counters. An empty tag is the very beginning.
    """
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
    # What was told of earlier resumptions is no part of the run that is taken back.
    connection.execute("DELETE FROM event WHERE tick > ? AND kind != 'resumed'", (tick,))
    _restore_runs(connection, tallies)
    _restore_days(connection, stamp, tallies)
    for (name,) in connection.execute(
        "SELECT name FROM event WHERE tick > ? AND kind = 'resumed'", (tick,)
    ).fetchall():
        tallies.add_event("resumed", name)
    return stamp, tallies


def _restore_runs(connection: sqlite3.Connection, tallies: Tallies) -> None:
    connection.execute(
        "UPDATE job_run SET state = 'started', status = NULL, signal = NULL, runtime_ns = NULL,"
        " message = '', phase = ? WHERE end_tick IS NULL",
        (tallies.phase,),
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

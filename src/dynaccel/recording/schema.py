# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of a recording, and how its file is opened. docs/recording.md tells them."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from dynaccel.core.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
"""Goes up when a reader of the version before could not read what is written now."""
APPLICATION_ID = 0x64796E61
"""``dyna``: what ``file`` shows, and how a recording is told from other databases."""

_STAMP = "virtual_ns INTEGER NOT NULL, realtime_ns INTEGER NOT NULL, real_ns INTEGER NOT NULL"
_END = "end_virtual_ns INTEGER, end_realtime_ns INTEGER, end_real_ns INTEGER, end_tick INTEGER"

# A tick numbers what was added, across all tables: a rewind is "delete what has a later tick".
TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE attempt (
  number INTEGER PRIMARY KEY, begun_wall REAL NOT NULL, ended_wall REAL,
  begun TEXT, ended TEXT, why TEXT NOT NULL, checkpoint TEXT NOT NULL);
CREATE TABLE checkpoint (
  tick INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, {_STAMP},
  wall REAL NOT NULL, bytes INTEGER NOT NULL, seconds_stopped REAL NOT NULL,
  kept INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE phase (
  tick INTEGER PRIMARY KEY, idx INTEGER NOT NULL, name TEXT NOT NULL, ratio INTEGER NOT NULL,
  {_STAMP}, {_END}, ended_by TEXT NOT NULL);
CREATE TABLE ratio_change (
  tick INTEGER PRIMARY KEY, {_STAMP}, before INTEGER NOT NULL, after INTEGER NOT NULL,
  why TEXT NOT NULL);
CREATE TABLE clock_pair (tick INTEGER PRIMARY KEY, {_STAMP}, ratio INTEGER NOT NULL);
CREATE TABLE job_run (
  tick INTEGER PRIMARY KEY, job TEXT NOT NULL, run INTEGER NOT NULL, state TEXT NOT NULL,
  {_STAMP}, {_END}, pid INTEGER, status INTEGER, signal INTEGER, runtime_ns INTEGER,
  message TEXT NOT NULL, phase INTEGER NOT NULL);
CREATE TABLE job_day (
  job TEXT NOT NULL, day INTEGER NOT NULL, well INTEGER NOT NULL, failed INTEGER NOT NULL,
  skipped INTEGER NOT NULL, runtime_ns INTEGER NOT NULL, longest_ns INTEGER NOT NULL,
  PRIMARY KEY (job, day)) WITHOUT ROWID;
CREATE TABLE series (
  id INTEGER PRIMARY KEY, sample TEXT NOT NULL, subject TEXT NOT NULL, metric TEXT NOT NULL,
  unit TEXT NOT NULL, total INTEGER NOT NULL, tick INTEGER NOT NULL);
CREATE TABLE layout (id INTEGER PRIMARY KEY, series TEXT NOT NULL, tick INTEGER NOT NULL);
CREATE TABLE fresh (
  layout INTEGER NOT NULL, tick INTEGER NOT NULL, {_STAMP}, data TEXT NOT NULL,
  PRIMARY KEY (layout, tick)) WITHOUT ROWID;
CREATE TABLE point (
  series INTEGER NOT NULL, tick INTEGER NOT NULL, {_STAMP}, until_ns INTEGER NOT NULL,
  level INTEGER NOT NULL, count INTEGER NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
  mean REAL NOT NULL, last REAL NOT NULL, PRIMARY KEY (series, tick)) WITHOUT ROWID;
CREATE TABLE event (
  tick INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, {_STAMP},
  data TEXT NOT NULL);
CREATE TABLE log_line (
  log TEXT NOT NULL, tick INTEGER NOT NULL, stream TEXT NOT NULL, text TEXT NOT NULL, {_STAMP},
  dropped INTEGER NOT NULL, kept INTEGER NOT NULL, PRIMARY KEY (log, tick)) WITHOUT ROWID;
CREATE VIEW value AS
  SELECT item.value AS series, fresh.virtual_ns, fresh.realtime_ns, fresh.real_ns,
         json_extract(fresh.data, '$[' || item.key || ']') AS value
  FROM fresh JOIN layout ON layout.id = fresh.layout, json_each(layout.series) AS item
  UNION ALL SELECT series, virtual_ns, realtime_ns, real_ns, mean FROM point;
"""


def create(path: Path) -> sqlite3.Connection:
    """Make a recording without content and return it, open for its one writer.

    Raises:
        UserError: There is a file of that name.
        InfrastructureError: It cannot be written.
    """
    if path.exists():
        raise UserError(
            f"there is a recording already: {path}",
            hint="name another directory, or go on with this one: dynaccel scenario resume",
        )
    with guarded(path):
        connection = _connect(path, "rwc")
        # The tables are there all at once, or the file is no recording.
        connection.executescript(
            f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )
        return _for_writing(connection)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a recording, open for its one writer.

    Raises:
        UserError: It is no recording, or a newer dynaccel wrote it.
        InfrastructureError: It cannot be read or written.
    """
    _check_there(path)
    with guarded(path):
        connection = _connect(path, "rw")
        try:
            _check(connection, path)
            return _for_writing(connection)
        except BaseException:
            connection.close()
            raise


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a recording, open for reading, also while it is written.

    Raises:
        UserError: It is no recording, or a newer dynaccel wrote it.
        InfrastructureError: It cannot be read.
    """
    _check_there(path)
    with guarded(path):
        connection = _connect(path, "ro")
        try:
            _check(connection, path)
        except sqlite3.OperationalError:
            connection.close()
            # In a directory that this user may not write, SQLite cannot share the file's log with
            # a writer; where there is no log, there is nothing to share.
            if path.with_name(path.name + "-wal").exists():
                raise
            connection = _connect(path, "ro&immutable=1")
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into our errors."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise _no_recording(path) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise InfrastructureError(
                f"the recording {path} is damaged: {error}",
                hint="the disk or a copy changed it; 'sqlite3 FILE .recover' may save a part",
            ) from error
        hint = "see that the file and its directory can be read and written"
        if code == sqlite3.SQLITE_FULL:
            hint = "free some room; the recording is whole up to there, and the run can be resumed"
        elif code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            hint = "another run writes into it: wait for its end, or name another directory"
        raise InfrastructureError(f"the recording {path}: {error}", hint=hint) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    # Transactions are begun by hand; whoever writes may do so from another thread than it opened.
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)


def _for_writing(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise UserError(
            f"there is no recording {path}",
            hint="name the directory of a run, or the file recording.sqlite in it",
        )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or not version:
        raise _no_recording(path)
    if version > VERSION:
        raise UserError(
            f"a newer dynaccel wrote {path} (schema {version}; this one reads up to {VERSION})",
            hint="use that dynaccel, or a newer one",
        )


def _no_recording(path: Path) -> UserError:
    return UserError(
        f"{path} is no recording of dynaccel",
        hint="the file is recording.sqlite in a run's directory",
    )

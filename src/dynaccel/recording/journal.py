# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of the writer share: the file, rows that wait to be written, the counters."""

from __future__ import annotations

import json
import re
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import InfrastructureError
from dynaccel.recording import schema
from dynaccel.recording.records import Stamp
from dynaccel.recording.tallies import Tallies

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVERY_SECONDS = 1.0
"""Real time after which what waits is written as the next thing is added."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_PUT_STATE = "INSERT OR REPLACE INTO state VALUES (?, ?)"


class Journal:
    """Rows in the order in which they came, written in transactions.

    Attributes:
        path: The file.
        connection: To it.
        tallies: The counters; saved with each transaction.
        tick: The number of the last thing added.
        last: Its stamp; None before the first.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.tallies = Tallies()
        self.tick = 0
        self.last: Stamp | None = None
        self._rows: list[tuple[str, tuple[Any, ...]]] = []
        self._since = 0.0
        self._token = secrets.token_hex(8)

    def take_over(self) -> None:
        """Become the one that writes; who wrote before is told so at its next transaction."""
        with schema.guarded(self.path):
            self._put_state("writer", self._token)

    def load(self) -> None:
        """Read where the recording is."""
        self.tallies = Tallies.from_json(self.state("tallies") or Tallies().to_json())
        self.tick = int(self.state("tick") or 0)
        last = self.state("last")
        self.last = Stamp(*json.loads(last)) if last else None

    def state(self, key: str) -> str:
        """Return a value of the table ``state``; empty when there is none."""
        with schema.guarded(self.path):
            row = self.connection.execute(
                "SELECT value FROM state WHERE key = ?", (key,)
            ).fetchone()
        return str(row[0]) if row else ""

    def settled(self) -> int:
        """Return the tick up to which rows may be merged and dropped."""
        with schema.guarded(self.path):
            (tick,) = self.connection.execute(
                "SELECT min(tick) FROM checkpoint WHERE kept"
            ).fetchone()
        return self.tick if tick is None else int(tick)

    def next_tick(self, stamp: Stamp) -> int:
        """Return the number of the next thing, which is of that moment."""
        self.tick += 1
        self.last = stamp
        return self.tick

    def put(self, query: str, *values: Any) -> None:
        """Have a row written with the next transaction."""
        if not self._rows:
            self._since = time.monotonic()
        self._rows.append((query, values))

    @property
    def due(self) -> bool:
        """Whether rows have waited for long enough."""
        return bool(self._rows) and time.monotonic() - self._since >= EVERY_SECONDS

    def flush(self) -> None:
        """Write what waits.

        Raises:
            InfrastructureError: It cannot be written, and waits on: the same call may succeed
                later. Or another process has taken over the recording.
        """
        if not self._rows:
            return
        self.transaction(lambda: None)

    def transaction(self, work: Callable[[], None]) -> None:
        """Write what waits, do ``work`` and save the counters, all or nothing; as :meth:`flush`."""
        with schema.guarded(self.path):
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                self._check_token()
                for query, values in self._rows:
                    self._execute(query, values)
                work()
                self._put_state("tallies", self.tallies.to_json())
                self._put_state("tick", str(self.tick))
                self._put_state("last", stamp_text(self.last))
                self._put_state("wall", repr(time.time()))
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        self._rows.clear()

    @contextmanager
    def on_disk(self) -> Iterator[None]:
        """Have what is written inside survive a loss of power, too."""
        with schema.guarded(self.path):
            self.connection.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA synchronous = NORMAL")

    def _execute(self, query: str, values: tuple[Any, ...]) -> None:
        try:
            self.connection.execute(query, values)
        except UnicodeEncodeError:
            clean = [readable(each) if isinstance(each, str) else each for each in values]
            self.connection.execute(query, clean)

    def _put_state(self, key: str, value: str) -> None:
        self.connection.execute(_PUT_STATE, (key, value))

    def _check_token(self) -> None:
        row = self.connection.execute("SELECT value FROM state WHERE key = 'writer'").fetchone()
        if row is None or row[0] != self._token:
            raise InfrastructureError(
                f"another process writes into {self.path} since",
                hint="the run goes on there; end one of the two",
            )


def readable(text: str) -> str:
    """Return a text without the halves of characters, which no file can hold."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def stamp_text(stamp: Stamp | None) -> str:
    """Return a stamp as JSON; empty for None."""
    if stamp is None:
        return ""
    return json.dumps(stamp.columns)

# SPDX-License-Identifier: GPL-2.0-or-later
"""How a recording stays bounded: what is dropped or merged, table by table.

Nothing newer than ``settled`` is touched: that is the tick of the oldest checkpoint which the
recording may still be rewound to. Each function runs inside the caller's transaction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dynaccel.recording.fold import Folded, thin

if TYPE_CHECKING:
    import sqlite3

BUDGET = 4000
"""Points of a series, and pairs of clocks, that are kept."""
KEPT_RUNS = 200
"""Of a job's runs, the first and the last so many of those that ended well (or were skipped)."""
KEPT_FAILURES = 500
"""Likewise of those that did not."""
KEPT_EVENTS = 1000
"""Likewise of events of one kind and name."""
LOG_LIMIT = 4 << 20
"""Bytes of a log when none are given."""
LINE_COST = 48
"""Bytes that a line takes beside its text."""
SUBJECTS = 300
"""Subjects of a sample that are told apart."""
SERIES = 6000
"""Series of a sample."""

_STAMP = "virtual_ns, realtime_ns, real_ns"


def fold_layout(connection: sqlite3.Connection, layout: int, settled: int, budget: int) -> int:
    """Move the settled fresh samples of a layout into the points of its series, and thin these.

    Returns how many samples they were.
    """
    rows = connection.execute(
        f"SELECT tick, {_STAMP}, data FROM fresh WHERE layout = ? AND tick <= ? ORDER BY tick",
        (layout, settled),
    ).fetchall()
    if not rows:
        return 0
    (text,) = connection.execute("SELECT series FROM layout WHERE id = ?", (layout,)).fetchone()
    values = [json.loads(row[4]) for row in rows]
    for place, series in enumerate(json.loads(text)):
        fresh = [
            Folded(tick, virtual, realtime, real, virtual, 0, 1, *(one[place],) * 4)
            for (tick, virtual, realtime, real, _), one in zip(rows, values, strict=True)
        ]
        _fold_series(connection, series, fresh, budget)
    connection.execute("DELETE FROM fresh WHERE layout = ? AND tick <= ?", (layout, settled))
    return len(rows)


def _fold_series(
    connection: sqlite3.Connection, series: int, fresh: list[Folded], budget: int
) -> None:
    columns = "until_ns, level, count, min, max, mean, last"
    old = [
        Folded(*row)
        for row in connection.execute(
            f"SELECT tick, {_STAMP}, {columns} FROM point WHERE series = ? ORDER BY tick",
            (series,),
        )
    ]
    # Several layouts may share a series: a metric that comes and goes.
    points = sorted(old + fresh, key=lambda point: point.tick)
    kept = thin(points, target=budget * 3 // 4, recent=budget // 8)
    ticks = {point.tick for point in kept}
    connection.executemany(
        "DELETE FROM point WHERE series = ? AND tick = ?",
        [(series, point.tick) for point in old if point.tick not in ticks],
    )
    before = set(old)
    connection.executemany(
        "INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(series, *point) for point in kept if point not in before],
    )


def trim_log(connection: sqlite3.Connection, log: str, settled: int, limit: int) -> tuple[int, int]:
    """Drop lines from the middle of a log until it is well within its limit.

    Returns how many were dropped, and the bytes that are left.

    The first quarter of the limit stays for ever, and so do lines that a watch found. Beyond
    twice the limit lines are dropped whether they are settled or not.
    """
    rows = connection.execute(
        "SELECT tick, length(CAST(text AS BLOB)), kept, dropped FROM log_line"
        " WHERE log = ? ORDER BY tick",
        (log,),
    ).fetchall()
    total = sum(size + LINE_COST for _, size, _, _ in rows)
    spare = total - limit * 9 // 10
    forced = total - limit * 2
    head = 0
    gone: list[tuple[str, int]] = []
    told: list[tuple[int, str, int]] = []
    carried = 0
    left = total
    for tick, size, kept, dropped in rows:
        cost = size + LINE_COST
        head += cost
        if head > limit // 4 and not kept and spare > 0 and (tick <= settled or forced > 0):
            gone.append((log, tick))
            carried += 1 + dropped
            left -= cost
            spare -= cost
            forced -= cost
        elif carried:
            told.append((dropped + carried, log, tick))
            carried = 0
    connection.executemany("DELETE FROM log_line WHERE log = ? AND tick = ?", gone)
    connection.executemany("UPDATE log_line SET dropped = ? WHERE log = ? AND tick = ?", told)
    return len(gone), left


def trim_runs(connection: sqlite3.Connection, job: str, settled: int) -> None:
    """Drop runs of a job from the middle: of those that ended well, of those that did not."""
    ended = connection.execute(
        "SELECT tick, state, status FROM job_run WHERE job = ? AND end_tick <= ? ORDER BY tick",
        (job, settled),
    ).fetchall()
    classes: dict[str, list[int]] = {"well": [], "skipped": [], "failed": []}
    for tick, state, status in ended:
        well = state == "stopped" or (state == "ended" and status == 0)
        classes["well" if well else "skipped" if state == "skipped" else "failed"].append(tick)
    for name, ticks in classes.items():
        kept = KEPT_FAILURES if name == "failed" else KEPT_RUNS
        connection.executemany(
            "DELETE FROM job_run WHERE tick = ?", [(tick,) for tick in ticks[kept:-kept]]
        )


def trim_events(connection: sqlite3.Connection, kind: str, name: str, settled: int) -> None:
    """Drop events of one kind and name from the middle."""
    ticks = connection.execute(
        "SELECT tick FROM event WHERE kind = ? AND name = ? AND tick <= ? ORDER BY tick",
        (kind, name, settled),
    ).fetchall()
    connection.executemany("DELETE FROM event WHERE tick = ?", ticks[KEPT_EVENTS:-KEPT_EVENTS])


def trim_clocks(connection: sqlite3.Connection, settled: int, budget: int) -> int:
    """Drop every second pair of clocks but for the newest, and where the ratio changes.

    Returns how many were dropped.
    """
    rows = connection.execute(
        "SELECT tick, ratio FROM clock_pair WHERE tick <= ? ORDER BY tick", (settled,)
    ).fetchall()
    gone = [
        (rows[index][0],)
        for index in range(1, len(rows) - budget // 4, 2)
        if rows[index - 1][1] == rows[index][1] == rows[index + 1][1]
    ]
    connection.executemany("DELETE FROM clock_pair WHERE tick = ?", gone)
    return len(gone)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The writer's samples: one row a sample while it is new, points of series when it is settled."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from dynaccel.recording import bounds, schema
from dynaccel.recording.metrics import is_total, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaccel.recording.journal import Journal
    from dynaccel.recording.records import Stamp

_PID = re.compile(r"\[\d+\]$")
_FRESH = "INSERT INTO fresh VALUES (?, ?, ?, ?, ?, ?)"


class SampleBook:
    """Adds samples to a journal, and keeps them bounded."""

    def __init__(self, journal: Journal, budget: int) -> None:
        self._journal = journal
        self._budget = budget
        self._series: dict[tuple[str, str, str], int] = {}
        self._of_sample: dict[str, int] = {}
        self._subjects: set[tuple[str, str]] = set()
        self._layouts: dict[tuple[int, ...], int] = {}
        self._waiting: dict[int, int] = {}
        self._looked: dict[int, int] = {}
        self._next_series = 1
        self._next_layout = 1

    def load(self) -> None:
        """Read which series there are."""
        self._series.clear()
        self._of_sample.clear()
        self._subjects.clear()
        with schema.guarded(self._journal.path):
            execute = self._journal.connection.execute
            for number, sample, subject, metric in execute(
                "SELECT id, sample, subject, metric FROM series"
            ):
                self._series[sample, subject, metric] = number
                self._subjects.add((sample, subject))
                self._of_sample[sample] = self._of_sample.get(sample, 0) + 1
            self._layouts = {
                tuple(json.loads(series)): number
                for number, series in execute("SELECT id, series FROM layout")
            }
            self._looked = {}
            self._waiting = dict(execute("SELECT layout, count(*) FROM fresh GROUP BY layout"))
        self._next_series = max(self._series.values(), default=0) + 1
        self._next_layout = max(self._layouts.values(), default=0) + 1

    def add(
        self, stamp: Stamp, sample: str, subject: str, values: Mapping[str, float]
    ) -> str | None:
        """Add a sample; return what is to be told when something of it could not be kept."""
        note = None
        if (sample, subject) not in self._subjects:
            known = self._journal.tallies.subjects.get(sample, 0)
            if known >= bounds.SUBJECTS:
                pooled, found = _PID.subn("[others]", subject)
                subject = pooled if found else "others"
            if (sample, subject) not in self._subjects:
                self._subjects.add((sample, subject))
                self._journal.tallies.subjects[sample] = known + 1
                if known == bounds.SUBJECTS:
                    note = (
                        f"more than {bounds.SUBJECTS} subjects of the sample {sample}:"
                        " further ones are recorded together"
                    )
        tick = self._journal.next_tick(stamp)
        members: list[int] = []
        numbers: list[float] = []
        for metric, value in values.items():
            number = self._number(tick, sample, subject, metric)
            if number is None:
                note = (
                    f"more than {bounds.SERIES} series of the sample {sample}:"
                    " further ones are not recorded"
                )
            elif math.isfinite(value):
                members.append(number)
                numbers.append(value)
        if members:
            layout = self._layout(tick, tuple(members))
            data = json.dumps(numbers, separators=(",", ":"))
            self._journal.put(
                _FRESH, layout, tick, stamp.virtual_ns, stamp.realtime_ns, stamp.real_ns, data
            )
            self._waiting[layout] = self._waiting.get(layout, 0) + 1
        return note

    @property
    def due(self) -> bool:
        """Whether enough fresh samples wait to be folded."""
        return any(count >= self._due_at(layout) for layout, count in self._waiting.items())

    def trim(self, *, all_of_them: bool) -> None:
        """Fold what is settled, in the journal's transaction.

        Args:
            all_of_them: Also where few samples came since it was looked at last.
        """
        settled = self._journal.settled()
        for layout, count in list(self._waiting.items()):
            if count >= (self._budget // 4 if all_of_them else self._due_at(layout)):
                gone = bounds.fold_layout(self._journal.connection, layout, settled, self._budget)
                self._waiting[layout] = self._looked[layout] = count - gone

    def _due_at(self, layout: int) -> int:
        # What is not settled stays fresh: looked for again when there is as much once more.
        return self._looked.get(layout, 0) + self._budget // 4

    def _number(self, tick: int, sample: str, subject: str, metric: str) -> int | None:
        key = (sample, subject, metric)
        number = self._series.get(key)
        if number is None:
            known = self._of_sample.get(sample, 0)
            if known >= bounds.SERIES:
                return None
            number = self._next_series
            self._next_series += 1
            self._series[key] = number
            self._of_sample[sample] = known + 1
            self._journal.put(
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)",
                number,
                *key,
                unit_of(metric),
                int(is_total(metric)),
                tick,
            )
        return number

    def _layout(self, tick: int, members: tuple[int, ...]) -> int:
        layout = self._layouts.get(members)
        if layout is None:
            layout = self._next_layout
            self._next_layout += 1
            self._layouts[members] = layout
            text = json.dumps(members, separators=(",", ":"))
            self._journal.put("INSERT INTO layout VALUES (?, ?, ?)", layout, text, tick)
        return layout

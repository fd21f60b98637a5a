# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of logs: around what failed, then the first and the last of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.scenario.report import figures
from dynaccel.scenario.report.anchors import anchor
from dynaccel.scenario.report.span import Moment, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import LogLine
    from dynaccel.scenario.report.findings import Finding
    from dynaccel.scenario.verdict.records import Excerpt

_LINES_MAX = 1800
"""Lines of all logs together that are shown; of each the first and, twice as many, the newest."""
_EACH_MAX = 120
_LONGEST = 300
"""Characters of a line that are shown."""
_EXCERPTS_MAX = 5
"""How many excerpts of a check are shown."""
_LOGS_MAX = 60
"""How many logs are shown; jobs' output is a log each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line as it is shown; ``gap`` is said before it when lines are missing there."""

    moment: Moment
    text: str
    hit: bool = False
    gap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Lines around what a check found."""

    id: str
    check: str
    check_id: str
    log: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """A log: how much came, and the lines that are shown."""

    id: str
    name: str
    about: str
    lines: tuple[Line, ...]


def log_parts(recording: Recording) -> tuple[list[LogPart], int]:
    """Return the logs that have lines, and the number of those left out."""
    names = recording.log_names()
    parts = []
    most = min(_EACH_MAX, _LINES_MAX // max(1, min(len(names), _LOGS_MAX)))
    for name in names[:_LOGS_MAX]:
        lines = recording.logs(name)
        if not lines:
            continue
        totals = recording.log_totals(name)
        about = "one line" if totals.lines == 1 else f"{figures.count(totals.lines)} lines"
        if totals.dropped:
            about += f", {figures.count(totals.dropped)} of them not kept"
        if totals.lost:
            about += f", and {figures.count(totals.lost)} lost in the guest"
        parts.append(
            LogPart(id=anchor("log", name), name=name, about=about, lines=tuple(_ends(lines, most)))
        )
    return parts, max(0, len(names) - _LOGS_MAX)


def excerpts(findings: Sequence[Finding]) -> list[Around]:
    """Return the lines around what failed checks found, check by check."""
    found: list[Around] = []
    for finding in findings:
        if finding.tone == "pass":
            continue
        for number, (log, lines, hits) in enumerate(_joined(finding.excerpts[:_EXCERPTS_MAX])):
            name = anchor("excerpt", finding.name)
            found.append(
                Around(
                    id=f"{name}-{number}" if number else name,
                    check=finding.name,
                    check_id=finding.id,
                    log=log,
                    lines=tuple(
                        _line(line, hit=line in hits, gap=_dropped(line)) for line in lines
                    ),
                )
            )
    return found


def _joined(
    excerpts: Sequence[Excerpt],
) -> list[tuple[str, list[LogLine], set[LogLine]]]:
    """Return log, lines and those found; excerpts that have lines in common are one."""
    joined: list[tuple[str, list[LogLine], set[LogLine]]] = []
    for excerpt in excerpts:
        hits = {excerpt.lines[excerpt.found]} if excerpt.found is not None else set()
        if joined and joined[-1][0] == excerpt.log and set(joined[-1][1]) & set(excerpt.lines):
            _, lines, before = joined[-1]
            lines += [line for line in excerpt.lines if line not in lines]
            before |= hits
        else:
            joined.append((excerpt.log, list(excerpt.lines), hits))
    return joined


def cut(text: str) -> str:
    """Return a line's text, without its end when it is too long to show."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} \N{HORIZONTAL ELLIPSIS} ({figures.count(len(text))} characters)"


def _ends(lines: Sequence[LogLine], most: int) -> list[Line]:
    if len(lines) <= most:
        return [_line(line, gap=_dropped(line)) for line in lines]
    newest = len(lines) - 2 * most // 3
    first = [_line(line, gap=_dropped(line)) for line in lines[: most // 3]]
    last = [_line(line, gap=_dropped(line)) for line in lines[newest:]]
    left_out = figures.count(newest - most // 3)
    told = f"{left_out} lines are in the recording and not on this page"
    return [*first, _line(lines[newest], gap=told), *last[1:]]


def _line(line: LogLine, *, hit: bool = False, gap: str = "") -> Line:
    return Line(moment=moment(line.stamp), text=cut(visible(line.text)), hit=hit, gap=gap)


def visible(text: str) -> str:
    """Return text with control characters as pictures: they are no part of a page."""
    return "".join(
        chr(0x2400 + ord(c))
        if c < " " and c != "\t"
        else "\N{SYMBOL FOR DELETE}"
        if c == "\x7f"
        else c
        for c in text
    )


def _dropped(line: LogLine) -> str:
    return f"{figures.count(line.dropped)} lines were not kept" if line.dropped else ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Charts of what was measured: one for each metric of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.model import SampleKind
from dynaccel.scenario.report import axes, figures, metrics, strokes
from dynaccel.scenario.report.anchors import anchor, chart_anchor
from dynaccel.scenario.report.chart import Chart, Judged, Key, Stroke
from dynaccel.scenario.report.lineage import Lineage, lineages
from dynaccel.scenario.report.strokes import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.recording.records import Point, Series
    from dynaccel.scenario.model import Sample, Scenario
    from dynaccel.scenario.report.findings import Finding, Looked
    from dynaccel.scenario.report.span import Span

_LINES = 4
"""How many lines are told apart; further ones are grey."""
_GREY = 4
_BOUNDS = 4
"""Of more series than these, trends and limits are drawn only where a check failed."""
_LEAST_COLUMNS = 3
"""A process that was seen more rarely has no line."""
_IN_WORDS = {
    SampleKind.SYSTEM: "the whole system",
    SampleKind.DISK: "file systems",
    SampleKind.FILE: "files",
    SampleKind.COMMAND: "what a command prints",
    SampleKind.CLOCKS: "readings of all clocks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The charts of one sample; ``more`` are those that few want to see."""

    id: str
    name: str
    about: str
    charts: tuple[Chart, ...]
    more: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A lineage as it is drawn."""

    lineage: Lineage
    columns: list[Column]

    @property
    def ids(self) -> list[int]:
        """The numbers of its series."""
        return [series.id for series in self.lineage.series]


def groups(
    scenario: Scenario,
    measured: Sequence[tuple[Series, Sequence[Point]]],
    span: Span,
    findings: Sequence[Finding],
) -> list[Group]:
    """Return the charts of all that was measured, in the scenario's order."""
    by_sample: dict[str, dict[str, list[tuple[Series, Sequence[Point]]]]] = {}
    for each in measured:
        metrics_of = by_sample.setdefault(each[0].sample, {})
        metrics_of.setdefault(each[0].metric, []).append(each)
    samples = {sample.name: sample for sample in scenario.samples}
    width = strokes.column_ns(span.virtual_ns, sum(map(len, by_sample.values())))
    found = []
    for name in sorted(
        by_sample, key=lambda n: list(samples).index(n) if n in samples else 1 << 30
    ):
        charts: list[Chart] = []
        more: list[Chart] = []
        for metric in sorted(by_sample[name], key=metrics.place):
            members = by_sample[name][metric]
            looked = _looked_at(findings, {series.id for series, _ in members})
            chart = _chart(members, span, looked, width=width)
            if chart is not None:
                shown = metrics.is_first(metric) or looked
                (charts if shown else more).append(chart)
        if charts or more:
            about = _about(samples[name]) if name in samples else ""
            found.append(
                Group(
                    id=anchor("sample", name),
                    name=name,
                    about=about,
                    charts=tuple(charts),
                    more=tuple(more),
                )
            )
    return found


def _looked_at(findings: Sequence[Finding], ids: set[int]) -> list[tuple[Finding, Looked]]:
    return [
        (finding, looked)
        for finding in findings
        for looked in finding.looked
        if looked.series_id in ids
    ]


def _about(sample: Sample) -> str:
    what = _IN_WORDS.get(sample.kind, "")
    if sample.kind is SampleKind.PROCESS:
        what = f"processes of {sample.job}" if sample.job else f"processes named {sample.process}"
    return f"{what}, every {format_duration(sample.every.total_seconds())}"


def _chart(
    measured: Sequence[tuple[Series, Sequence[Point]]],
    span: Span,
    looked: Sequence[tuple[Finding, Looked]],
    *,
    width: int,
) -> Chart | None:
    first = measured[0][0]
    as_rate = first.total and not looked
    drawn = _drawn(measured, span, width, as_rate=as_rate)
    # What a check looked at is drawn in any case, and first of all what made it fail.
    wanted = {shown.series_id: shown.failed for _, shown in looked}
    drawn.sort(key=lambda d: -max(1 + wanted[s] if s in wanted else 0 for s in d.ids))
    lines = [d for d in drawn if len(d.columns) >= _LEAST_COLUMNS][:_LINES] or drawn[:_LINES]
    if not lines:
        return None
    grey = [d for d in drawn if d not in lines and len(d.columns) >= _LEAST_COLUMNS][:_GREY]
    title, unit = _title_and_unit(first, as_rate=as_rate)
    ids = {series for d in lines for series in d.ids}
    bounds = [each for _, each in looked if each.series_id in ids]
    if len(bounds) > _BOUNDS:
        bounds = [each for each in bounds if each.failed][:_BOUNDS]
    shown = [column for d in [*lines, *grey] for column in d.columns]
    y = _axis(shown, unit, bounds, from_zero=as_rate)
    of_bounds = [each for bound in bounds for each in _bounds(bound, span, y)]
    keys = _keys(lines, unit, grey=len(grey), unseen=len(drawn) - len(lines) - len(grey))
    keys += [Key(style=stroke.style, text=text) for stroke, text in of_bounds]
    summary = _summary(lines, unit)
    return Chart(
        id=chart_anchor(first.sample, first.metric),
        title=title,
        note=_note(first.metric, lines),
        label=f"{title} of {first.sample} over virtual time. {summary}",
        x=axes.date_axis(0, span.virtual_ns, span.epoch_ns, most=5),
        y=y,
        x_ends=(0, span.end_ms),
        epoch=span.epoch_ms,
        scale=figures.scale(unit, max(abs(y.low), abs(y.high))),
        strokes=(*_lines(lines, grey, y), *(stroke for stroke, _ in of_bounds)),
        keys=tuple(dict.fromkeys(keys)),
        summary=summary,
        judged=tuple(
            Judged(
                check=finding.name,
                href=f"#{finding.id}",
                tone=finding.tone,
                word=finding.word,
                message=finding.message,
            )
            for finding in {finding.id: finding for finding, _ in looked}.values()
        ),
    )


def _drawn(
    measured: Sequence[tuple[Series, Sequence[Point]]], span: Span, width: int, *, as_rate: bool
) -> list[_Drawn]:
    found = []
    for lineage in lineages(measured):
        if as_rate:
            in_seconds = lineage.series[0].unit == figures.SECONDS
            columns = _rates(lineage.points, span, width, per=100 * NS if in_seconds else 3600 * NS)
        else:
            columns = strokes.thin(lineage.points, span.virtual_ns, width)
        if columns:
            found.append(_Drawn(lineage=lineage, columns=columns))
    return found


def _lines(lines: Sequence[_Drawn], grey: Sequence[_Drawn], y: axes.Axis) -> Iterator[Stroke]:
    for d in grey:
        yield Stroke(style="others", path=strokes.line(d.columns, y.place))
    for number, d in enumerate(lines, 1):
        if outline := strokes.band(d.columns, y.place):
            yield Stroke(style=f"band s{number}", path=outline)
    for number, d in enumerate(lines, 1):
        alike = sum(other.lineage.short == d.lineage.short for other in lines) > 1
        name = d.lineage.name if alike else d.lineage.short
        name = name if len(lines) > 1 else ""
        yield Stroke(style=f"line s{number}", path=strokes.line(d.columns, y.place), name=name)


def _keys(lines: Sequence[_Drawn], unit: str, *, grey: int, unseen: int) -> list[Key]:
    keys = []
    if len(lines) > 1:
        for number, d in enumerate(lines, 1):
            last = figures.number(d.columns[-1].mean, unit)
            keys.append(Key(style=f"s{number}", text=f"{d.lineage.name} {last}"))
    if grey or unseen:
        keys.append(Key(style="others", text=_left_out(grey, unseen)))
    return keys


def _note(metric: str, lines: Sequence[_Drawn]) -> str:
    name = lines[0].lineage.name
    return metric if len(lines) > 1 or name == SampleKind.SYSTEM else f"{metric} of {name}"


def _title_and_unit(series: Series, *, as_rate: bool) -> tuple[str, str]:
    title = metrics.title(series.metric)
    unit = "" if series.unit == "count" else series.unit
    if not as_rate:
        return (f"{title}, total" if series.total else title), unit
    if unit == figures.SECONDS:
        return f"{title}, share of one", figures.PERCENT
    return f"{title}, per virtual hour", unit


def _rates(points: Sequence[Point], span: Span, width: int, *, per: int) -> list[Column]:
    """Return a total as its rate per so many virtual nanoseconds."""
    ends: dict[int, Point] = {}
    for point in points:
        if point.virtual_ns >= 0:
            ends[point.until_ns // width] = point
    columns = []
    kept = list(ends.values())
    for before, after in pairwise(kept):
        passed = after.until_ns - before.until_ns
        grown = after.last - before.last
        # Another process of the same name begins at zero again.
        if passed > 0 and grown >= 0:
            rate = grown * per / passed
            at = (span.place(before.until_ns) + span.place(after.until_ns)) / 2
            columns.append(Column(at=at, low=rate, high=rate, mean=rate))
    return columns


def _axis(
    columns: Sequence[Column], unit: str, looked: Sequence[Looked], *, from_zero: bool
) -> axes.Axis:
    """Return the y axis: all values, and bounds that are not so far off that they hide these."""
    low, high = min(c.low for c in columns), max(c.high for c in columns)
    reach = max(high - low, 0.02 * abs(high), 1e-9)
    for value in (value for each in looked for value in each.values()):
        if low - 1.5 * reach <= value <= high + 1.5 * reach:
            low, high = min(low, value), max(high, value)
    return axes.number_axis(0.0 if from_zero else low, high, unit, most=4)


def _bounds(looked: Looked, span: Span, y: axes.Axis) -> Iterator[tuple[Stroke, str]]:
    """Yield the lines of a trend and of bounds, as far as a check has them, and their names."""
    lines = [("trend", looked.trend, "trend"), ("limit", looked.steepest, "steepest allowed")]
    for style, ends, name in lines:
        if ends is not None:
            places = [(span.place(at), y.place(value)) for at, value in ends]
            yield Stroke(style=style, path=strokes.path(places)), name
    for value, name in ((looked.minimum, "least allowed"), (looked.limit, "most allowed")):
        if value is not None and y.low <= value <= y.high:
            height = y.place(value)
            yield Stroke(style="limit", path=strokes.path([(0, height), (1, height)])), name


def _left_out(grey: int, unseen: int) -> str:
    words = []
    if grey:
        words.append(f"{grey} more")
    if unseen:
        words.append(f"{unseen} not drawn")
    return ", ".join(words)


def _summary(lines: Sequence[_Drawn], unit: str) -> str:
    if len(lines) > 1:
        lowest = min(column.low for d in lines for column in d.columns)
        highest = max(column.high for d in lines for column in d.columns)
        if lowest == highest:
            return f"always {figures.number(lowest, unit)}"
        return f"between {figures.number(lowest, unit)} and {figures.number(highest, unit)}"
    columns = lines[0].columns
    scale = figures.scale(unit, max(column.high for column in columns))
    low, high = min(c.low for c in columns), max(c.high for c in columns)
    if low == high:
        return f"always {scale.text(low)}"
    return (
        f"first {scale.text(columns[0].mean)}, last {scale.text(columns[-1].mean)},"
        f" between {scale.text(low)} and {scale.text(high)}"
    )

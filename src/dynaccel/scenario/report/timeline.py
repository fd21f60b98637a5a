# SPDX-License-Identifier: GPL-2.0-or-later
"""The run at a glance: virtual against real time, what happened when, and the ratio reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.scenario.report import axes, figures, pace, strokes
from dynaccel.scenario.report.chart import Chart, Key, Stroke
from dynaccel.scenario.report.span import duration, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynaccel.recording.records import Attempt, Checkpoint, ClockPair, Event, Phase
    from dynaccel.scenario.report.span import Span

_NEAR = 1.2
"""Marks closer than so many percent of the width are drawn as one."""
_NARROW = 3.0
"""A phase narrower than so many percent has no room for its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something at a moment of the timeline; ``at`` in percent of its width."""

    at: float
    title: str
    icon: str
    tone: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Something that lasted; ``at`` and ``width`` in percent."""

    at: float
    width: float
    title: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A row below the timeline; ``style`` is its blocks'."""

    name: str
    style: str = "stretch"
    marks: tuple[Mark, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """A phase in the table of phases."""

    name: str
    begun: str
    day: str
    virtual: str
    real: str
    wanted: str
    reached: str
    off: str
    ended: str


def real_and_virtual(span: Span, pairs: Sequence[ClockPair]) -> Chart:
    """Return the chart of virtual time over real time."""
    y = axes.date_axis(0, span.virtual_ns, span.epoch_ns, most=5)
    x = axes.duration_axis(span.real_ns, most=8)
    places = [
        (pair.stamp.real_ns / span.real_ns, span.place(pair.stamp.virtual_ns))
        for pair in _thinned(pairs)
    ]
    begin, end = span.at(0), span.at(span.virtual_ns)
    return Chart(
        id="timeline-chart",
        title="Virtual over real time",
        note=f"{duration(span.virtual_ns)} in {duration(span.real_ns)}",
        label=(
            f"Virtual time over real time: from {begin.date} to {end.date} of the guest,"
            f" {duration(span.virtual_ns)}, in {duration(span.real_ns)} of real time."
        ),
        x=x,
        y=y,
        x_ends=(0, span.real_ns // 1_000_000),
        x_kind="real",
        y_kind="date",
        epoch=span.epoch_ms,
        strokes=(Stroke(style="line s1", path=strokes.path(places), name=""),),
        wide=True,
    )


def ratio_charts(span: Span, pairs: Sequence[ClockPair], share: float | None) -> list[Chart]:
    """Return charts of the ratio over virtual time; none when the run was too short.

    Args:
        span: The time that the run covers.
        pairs: As recorded.
        share: By how much a check lets it be off.
    """
    found = pace.stretches(pairs)
    if not found:
        return []
    ratios = [stretch.reached for stretch in found]
    y = axes.ratio_axis(min(ratios), max(*ratios, *(float(s.wanted) for s in found)))
    figure = figures.significant
    ratio = Chart(
        id="ratio-chart",
        title="Ratio",
        note="virtual over real time" + (", logarithmic" if y.logarithmic else ""),
        label=(
            f"The ratio over virtual time: reached between {figure(min(ratios))} and"
            f" {figure(max(ratios))}, asked for between {min(s.wanted for s in found)} and"
            f" {max(s.wanted for s in found)}. The table of phases has the figures."
        ),
        x=axes.date_axis(0, span.virtual_ns, span.epoch_ns, most=5),
        y=y,
        x_ends=(0, span.end_ms),
        epoch=span.epoch_ms,
        strokes=(
            Stroke(style="line s1", path=_level(found, ratios, span, y), name="reached"),
            Stroke(
                style="wanted",
                path=_level(found, [float(s.wanted) for s in found], span, y),
                name="asked for",
            ),
        ),
        keys=(Key(style="s1", text="reached"), Key(style="wanted", text="asked for")),
    )
    return [ratio, _kept_chart(span, found, share)]


def _kept_chart(span: Span, found: Sequence[pace.Stretch], share: float | None) -> Chart:
    shares = [100 * stretch.reached / stretch.wanted for stretch in found]
    allowed = [100 * (1 - share), 100 * (1 + share)] if share is not None else []
    y = axes.number_axis(min(*shares, *allowed, 99.0), max(*shares, *allowed, 101.0), "%", most=4)
    low, high = figures.significant(min(shares), 4), figures.significant(max(shares), 4)
    lines = [Stroke(style="line s1", path=_level(found, shares, span, y), name="reached")]
    keys = [Key(style="s1", text="reached")]
    for bound in allowed:
        height = y.place(bound)
        lines.append(Stroke(style="limit", path=strokes.path([(0, height), (1, height)])))
        keys.append(Key(style="limit", text="allowed"))
    return Chart(
        id="kept-chart",
        title="Reached, of what was asked for",
        note="in percent",
        label=f"The ratio reached, in percent of the one asked for: from {low} to {high}.",
        x=axes.date_axis(0, span.virtual_ns, span.epoch_ns, most=5),
        y=y,
        x_ends=(0, span.end_ms),
        epoch=span.epoch_ms,
        scale=figures.scale(figures.PERCENT, 100),
        strokes=tuple(lines),
        keys=tuple(dict.fromkeys(keys)),
        summary=f"from {low}{figures.THIN}% to {high}{figures.THIN}%",
    )


def _level(found: Sequence[pace.Stretch], values: Sequence[float], span: Span, y: axes.Axis) -> str:
    """Return the path that holds each value for the length of its stretch."""
    places = []
    for stretch, value in zip(found, values, strict=True):
        height = min(1.0, max(0.0, y.place(value)))
        places += [(span.place(stretch.begin_ns), height), (span.place(stretch.end_ns), height)]
    return strokes.path(places)


def phase_rows(phases: Sequence[Phase], pairs: Sequence[ClockPair]) -> list[PhaseRow]:
    """Return the table of phases."""
    rows = []
    last = pairs[-1].stamp if pairs else None
    for phase in phases:
        end = phase.ended or last or phase.begun
        begun = moment(phase.begun)
        found = pace.of_phase(phase, pairs)
        rows.append(
            PhaseRow(
                name=phase.name,
                begun=begun.date,
                day=begun.day,
                virtual=duration(end.virtual_ns - phase.begun.virtual_ns),
                real=duration(end.real_ns - phase.begun.real_ns),
                wanted=figures.count(phase.ratio),
                reached=figures.significant(found[0], 5) if found else "",
                off=_off(found[0] / found[1] - 1) if found else "",
                ended=_ENDS.get(phase.ended_by, phase.ended_by) if phase.ended else "goes on",
            )
        )
    return rows


def _off(share: float) -> str:
    percent = round(100 * share, 2)
    text = f"{percent:+.2f}" if percent else "0"
    return f"{text}{figures.THIN}%".replace("-", figures.MINUS)


_ENDS = {
    "time": "its time was over",
    "date": "its date was reached",
    "file": "its file was there",
    "job": "its job had ended",
    "host": "ended by hand",
    "limit": "took longer than its limit",
}


def lanes(
    span: Span,
    *,
    phases: Sequence[Phase],
    events: Sequence[Event],
    checkpoints: Sequence[Checkpoint],
    attempts: Sequence[Attempt],
    offences: Sequence[tuple[str, str, int]],
) -> list[Lane]:
    """Return the rows below the timeline.

    Args:
        span: The time that the run covers.
        phases: As recorded.
        events: As recorded.
        checkpoints: As recorded.
        attempts: As recorded.
        offences: Failed checks: name, where a link points to, real time of the first offence.
    """

    def at(real_ns: int) -> float:
        return round(min(100.0, max(0.0, 100 * real_ns / span.real_ns)), 3)

    blocks = []
    for phase in phases:
        begin = at(phase.begun.real_ns)
        end = at(phase.ended.real_ns) if phase.ended else 100.0
        blocks.append(
            Block(
                at=begin,
                width=round(max(0.0, end - begin), 3),
                title=f"phase {phase.name} at {phase.ratio}, {moment(phase.begun).date}",
                name=f"{phase.name}, {phase.ratio}" if end - begin > _NARROW else "",
            )
        )
    faults = [event for event in events if event.kind == "fault"]
    found = [
        Lane(name="Phases", style="phase", blocks=tuple(blocks)),
        Lane(
            name="Faults",
            marks=_marks([(at(e.stamp.real_ns), _said(e)) for e in faults], "fault", "care"),
            blocks=tuple(_lasting(faults, at)),
        ),
        Lane(
            name="Failures",
            marks=tuple(
                Mark(at=at(real_ns), title=f"check {name}", icon="fail", tone="fail", href=href)
                for name, href, real_ns in offences
            ),
        ),
        Lane(
            name="Broke off",
            marks=_marks(
                [
                    (
                        at(a.ended.real_ns),
                        f"attempt {a.number} ended at {moment(a.ended).date}: {a.why}",
                    )
                    for a in attempts[:-1]
                    if a.ended is not None
                ],
                "broken",
                "fail",
            ),
        ),
        Lane(
            name="Checkpoints",
            marks=_marks(
                [
                    (at(c.stamp.real_ns), f"checkpoint {c.tag}, {moment(c.stamp).date}")
                    for c in checkpoints
                ],
                "checkpoint",
                "",
            ),
        ),
    ]
    return [lane for lane in found if lane.marks or lane.blocks]


def _lasting(faults: Sequence[Event], at: Callable[[int], float]) -> list[Block]:
    """Return how long each fault lasted, from the events of its begin and its end."""
    begun: dict[str, Event] = {}
    blocks = []
    for event in faults:
        state = event.data.get("state")
        if state == "begun":
            begun[event.name] = event
        elif state == "ended" and event.name in begun:
            first = begun.pop(event.name)
            left, right = at(first.stamp.real_ns), at(event.stamp.real_ns)
            took = duration(event.stamp.virtual_ns - first.stamp.virtual_ns)
            blocks.append(
                Block(at=left, width=round(right - left, 3), title=f"{event.name}, for {took}")
            )
    return blocks


def _said(event: Event) -> str:
    return f"{event.name}: {event.text}, {moment(event.stamp).date}"


def _marks(found: Sequence[tuple[float, str]], icon: str, tone: str) -> tuple[Mark, ...]:
    """Return marks for moments; neighbours that would cover each other are one."""
    groups: list[list[tuple[float, str]]] = []
    for at, title in sorted(found):
        if groups and at - groups[-1][0][0] < _NEAR:
            groups[-1].append((at, title))
        else:
            groups.append([(at, title)])
    return tuple(
        Mark(
            at=group[0][0],
            title=group[0][1] + (f" (and {len(group) - 1} more)" if len(group) > 1 else ""),
            icon=icon,
            tone=tone,
        )
        for group in groups
    )


def _thinned(pairs: Sequence[ClockPair]) -> list[ClockPair]:
    """Return the pairs that a line needs: the ends, changes of the ratio, and some between."""
    if len(pairs) <= strokes.COLUMNS:
        return list(pairs)
    every = len(pairs) / strokes.COLUMNS
    kept = {round(k * every) for k in range(strokes.COLUMNS)} | {len(pairs) - 1}
    for k in range(1, len(pairs)):
        if pairs[k].ratio != pairs[k - 1].ratio:
            kept |= {k - 1, k}
    return [pairs[k] for k in sorted(kept) if k < len(pairs)]

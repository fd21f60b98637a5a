# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the page together: what is in it, its style and its script, in one file."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import dynaccel
from dynaccel.core.artifacts import write_atomic
from dynaccel.host import paths
from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.report import (
    chart,
    events,
    facts,
    figures,
    findings,
    jobs,
    logs,
    measured,
    overview,
    pace,
    timeline,
)
from dynaccel.scenario.report.span import span

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.recording.reader import Recording
    from dynaccel.scenario.model import Scenario
    from dynaccel.scenario.verdict.records import Verdict

PARTS = (
    ("checks", "Checks"),
    ("timeline", "Timeline"),
    ("measured", "Measured"),
    ("jobs", "Jobs"),
    ("events", "Events"),
    ("logs", "Logs"),
    ("about", "Scenario and machine"),
)
"""Ids and titles of the page's sections; each has a template of its id's name."""

_CONSOLE_LINES = 40


def write_report(
    scenario: Scenario,
    recording: Recording,
    verdict: Verdict | None,
    path: Path,
    *,
    console: str = "",
) -> None:
    """Write the report of a run, whole or not at all; it needs no network and no other file.

    The same recording and verdict make the same page.

    Args:
        scenario: What was to be done.
        recording: What was recorded, so far when the run goes on.
        verdict: What the checks found; None: the run goes on, or broke off.
        path: The HTML file.
        console: The guest's console; its last lines are shown when the run did not end well.

    Raises:
        InfrastructureError: The recording cannot be read or the file not be written, or the
            installation is incomplete.
    """
    text = page(scenario, recording, verdict, console=console)
    write_atomic(path, text.encode(errors="replace"))


def page(
    scenario: Scenario, recording: Recording, verdict: Verdict | None, *, console: str = ""
) -> str:
    """Return the page's text; as :func:`write_report`."""
    phases = recording.phases()
    # What was before the first phase has no place on an axis.
    pairs = [
        pair
        for pair in pace.with_changes(recording.clock_pairs(), recording.ratio_changes())
        if pair.stamp.virtual_ns >= 0
    ]
    time = span(scenario, phases, pairs, recording.last)
    series = [(each, recording.points(each)) for each in recording.series_list()]
    found = findings.findings(scenario, verdict, time, series)
    real = pace.RealTimes(pairs)
    shown, logs_left_out = logs.log_parts(recording)
    ends = [(p.begun, p.ended) for p in phases]
    return _render(
        version=dynaccel.__version__,
        parts=PARTS,
        overview=overview.overview(
            scenario,
            recording,
            time,
            passed=None if verdict is None else verdict.passed,
            findings=found,
            pairs=pairs,
            measured=series,
        ),
        console=_last_lines(console) if _broke_off(recording, verdict) else "",
        findings=found,
        shade_virtual=chart.shades(
            [time.place(begun.virtual_ns) for begun, _ in ends],
            [time.place(ended.virtual_ns) if ended else 1.0 for _, ended in ends],
        ),
        shade_real=chart.shades(
            [begun.real_ns / time.real_ns for begun, _ in ends],
            [ended.real_ns / time.real_ns if ended else 1.0 for _, ended in ends],
        ),
        timeline=timeline.real_and_virtual(time, pairs),
        lanes=timeline.lanes(
            time,
            phases=phases,
            events=recording.events(),
            checkpoints=recording.checkpoints(),
            attempts=recording.attempts(),
            offences=[
                (each.name, f"#{each.id}", real.at(each.moment.virtual_ns))
                for each in found
                if each.moment is not None and each.tone == "fail"
            ],
        ),
        ratio=timeline.ratio_charts(time, pairs, _ratio_share(scenario)),
        phases=timeline.phase_rows(phases, pairs),
        groups=measured.groups(scenario, series, time, found),
        jobs=jobs.job_rows(scenario, recording, time),
        events=events.happened(recording),
        excerpts=logs.excerpts(found),
        logs=shown,
        logs_left_out=logs_left_out,
        facts=facts.facts(scenario, recording),
        again=facts.again(scenario),
        scenario_text=scenario.text.strip("\n"),
    )


def _broke_off(recording: Recording, verdict: Verdict | None) -> bool:
    """Return whether the console may say why the run ended."""
    if verdict is None:
        attempts = recording.attempts()
        return bool(attempts) and attempts[-1].ended_wall is not None
    return any(
        result.check.kind is CheckKind.FINISHED and not result.passed for result in verdict.results
    ) or any(event.kind == "panic" for event in recording.events())


def _last_lines(console: str) -> str:
    lines = [logs.visible(line.rstrip()) for line in console.splitlines()[-_CONSOLE_LINES:]]
    return "\n".join(lines).strip()


def _ratio_share(scenario: Scenario) -> float | None:
    return next((c.share for c in scenario.checks if c.kind is CheckKind.RATIO), None)


def _render(**values: Any) -> str:
    # Imported here: most commands make no page.
    import jinja2  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    directory = paths.data_dir("report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = figures.count
    # Both are files of ours: all else in the page is escaped.
    style = Markup((directory / "style.css").read_text(encoding="utf-8"))  # noqa: S704
    script = Markup((directory / "page.js").read_text(encoding="utf-8"))  # noqa: S704
    digest = hashlib.sha256(script.encode()).digest()
    template = environment.get_template("page.html.j2")
    return template.render(
        style=style,
        script=script,
        script_hash=f"sha256-{base64.b64encode(digest).decode()}",
        **values,
    )

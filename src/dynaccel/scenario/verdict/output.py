# SPDX-License-Identifier: GPL-2.0-or-later
"""A verdict for programs and for people: JSON, JUnit XML, lines of text."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from dynaccel.core.units import format_duration
from dynaccel.recording.records import NS
from dynaccel.scenario.verdict.records import Outcome

if TYPE_CHECKING:
    from dynaccel.recording.records import Stamp
    from dynaccel.scenario.verdict.records import Result, Verdict

FORMAT = 1
"""Version of the JSON; goes up when a reader of the one before could not read it."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = {Outcome.PASSED: "passed", Outcome.FAILED: "FAILED", Outcome.UNDECIDED: "UNDECIDED"}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as what JSON can hold; docs/verdicts.md tells the keys."""
    return {
        "format": FORMAT,
        "scenario": verdict.scenario,
        "passed": verdict.passed,
        "virtual_seconds": verdict.virtual_ns / NS,
        "real_seconds": verdict.real_ns / NS,
        "ratio": verdict.ratio,
        "attempts": verdict.attempts,
        "checks": [_check_json(result) for result in verdict.results],
    }


def junit_xml(verdict: Verdict) -> bytes:
    """Return a verdict as JUnit XML: each check a test case of one suite.

    A check that is undecided is a failure of the type ``undecided``.
    """
    failures = sum(not result.passed for result in verdict.results)
    counts = {"tests": str(len(verdict.results)), "failures": str(failures), "errors": "0"}
    seconds = f"{verdict.real_ns / NS:.3f}"
    root = ET.Element("testsuites", {"name": "dynaccel", "time": seconds, **counts})
    suite = ET.SubElement(
        root, "testsuite", {"name": _clean(verdict.scenario), "time": seconds, **counts}
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("virtual_seconds", f"{verdict.virtual_ns / NS:.3f}"),
        ("ratio", f"{verdict.ratio:.3f}"),
        ("attempts", str(verdict.attempts)),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for result in verdict.results:
        names = {"classname": _clean(f"{verdict.scenario}.{result.check.kind}"), "time": "0"}
        case = ET.SubElement(suite, "testcase", {"name": _clean(result.check.name), **names})
        if not result.passed:
            failure = ET.SubElement(
                case,
                "failure",
                {"message": _clean(result.message), "type": result.outcome.value},
            )
            failure.text = _clean("\n".join(evidence_lines(result)))
        ET.SubElement(case, "system-out").text = _clean("\n".join([result.message, *result.notes]))
    ET.SubElement(suite, "system-out").text = _clean("\n".join(summary_lines(verdict)))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n".encode()


def summary_lines(verdict: Verdict) -> list[str]:
    """Return a verdict in lines: one a check, the whole in the last."""
    width = max((len(result.check.name) for result in verdict.results), default=0)
    lines = []
    for result in verdict.results:
        at = "" if result.virtual_ns is None else f" [virtual {_moment(result.virtual_ns)}]"
        mark = _MARKS[result.outcome]
        lines.append(f"{mark:<9} {result.check.name:<{width}}  {result.message}{at}")
        lines += [f"{'':<9} {'':<{width}}  note: {note}" for note in result.notes]
    well = sum(result.passed for result in verdict.results)
    took = (
        f"{_moment(verdict.virtual_ns)} of virtual time in {format_duration(verdict.real_ns / NS)}"
        f" (ratio {verdict.ratio:.1f})"
    )
    word = "passed" if verdict.passed else "FAILED"
    lines.append(
        f"{verdict.scenario}: {word}, {well} of {len(verdict.results)} checks hold; {took}"
    )
    return lines


def evidence_lines(result: Result) -> list[str]:
    """Return what a result rests on, in lines."""
    lines = [result.message]
    if result.virtual_ns is not None:
        date = f", the guest's date {_date(result.realtime_ns)}" if result.realtime_ns else ""
        lines.append(f"first at virtual {_moment(result.virtual_ns)}{date}")
    lines += [f"{trend.series}: {trend.message}" for trend in result.trends]
    for run in result.runs:
        status = "" if run.exit_status is None else f", status {run.exit_status}"
        message = f": {run.message}" if run.message else ""
        lines.append(f"{run.job} run {run.run} {run.state} {_at(run.ended)}{status}{message}")
    lines += [
        f"{event.kind} {event.name} {_at(event.stamp)}: {event.text}" for event in result.events
    ]
    for excerpt in result.excerpts:
        lines.append(f"--- {excerpt.log}")
        for index, line in enumerate(excerpt.lines):
            if line.dropped:
                lines.append(f"    ({line.dropped} lines dropped)")
            mark = ">" if index == excerpt.found else " "
            lines.append(f"{mark} {_date(line.stamp.realtime_ns)} {line.text}")
    return lines + [f"note: {note}" for note in result.notes]


def _check_json(result: Result) -> dict[str, Any]:
    value: dict[str, Any] = {
        "name": result.check.name,
        "kind": result.check.kind.value,
        "outcome": result.outcome.value,
        "passed": result.passed,
        "message": result.message,
        "virtual_ns": result.virtual_ns,
        "realtime_ns": result.realtime_ns,
    }
    for name in ("trends", "excerpts", "runs", "events", "ratios", "notes"):
        if found := getattr(result, name):
            value[name] = [_plain(each) for each in found]
    return value


def _plain(value: Any) -> Any:
    """Return a value with what JSON can hold; numbers that are none become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _at(stamp: Stamp | None) -> str:
    return "" if stamp is None else f"at virtual {_moment(stamp.virtual_ns)}"


def _moment(virtual_ns: int) -> str:
    return format_duration(virtual_ns / NS)


def _date(realtime_ns: int) -> str:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=realtime_ns // 1000)
    return f"{date:%Y-%m-%dT%H:%M:%SZ}"


def _clean(text: str) -> str:
    """Replace what XML cannot hold."""
    return _NO_XML.sub("\ufffd", text)

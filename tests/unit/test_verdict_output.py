# SPDX-License-Identifier: GPL-2.0-or-later
"""A verdict as JSON, as JUnit XML and as lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from verdict_case import Run, stamp_of

from dynaccel.scenario.model import Check, CheckKind
from dynaccel.scenario.verdict import junit_xml, summary_lines, verdict_json

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.scenario.verdict import Verdict

HOSTILE = "ERROR <b>&\"' \x00\x1b[31m ]]> \ud800 \U0001f600"


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    run = Run(tmp_path / "recording.sqlite")
    run.at_day[7.1] = lambda w: w.add_log(stamp_of(7.1), "daemon", "out", [HOSTILE])
    return run.judged(
        Check(name="finished", kind=CheckKind.FINISHED),
        Check(name="no-errors", kind=CheckKind.LOG_ABSENT, pattern="ERROR"),
        Check(name="memory", kind=CheckKind.GROWTH, series="daemon.rss", limit=1e5),
        Check(name="nothing", kind=CheckKind.VALUE, series="none.rss", limit=1.0),
    )


def test_json_has_all_and_is_json(verdict: Verdict) -> None:
    value = json.loads(json.dumps(verdict_json(verdict), allow_nan=False))
    assert value["format"] == 1
    assert (value["passed"], value["scenario"], value["attempts"]) == (False, "daemon", 1)
    assert value["virtual_seconds"] == 30 * 86400
    assert value["ratio"] == pytest.approx(600)
    finished, errors, memory, nothing = value["checks"]
    assert (finished["passed"], finished["kind"]) == (True, "finished")
    assert (errors["outcome"], nothing["outcome"]) == ("failed", "undecided")
    assert errors["virtual_ns"] == stamp_of(7.1).virtual_ns
    assert errors["excerpts"][0]["lines"][errors["excerpts"][0]["found"]]["text"].startswith(
        "ERROR"
    )
    (trend,) = memory["trends"]
    assert trend["series"] == "daemon.daemon[9].rss"
    assert trend["slope_low"] <= trend["slope"] <= trend["slope_high"]


def test_junit_has_a_case_a_check(verdict: Verdict) -> None:
    root = ET.fromstring(junit_xml(verdict).decode())  # noqa: S314
    (suite,) = root
    assert (root.tag, suite.get("name"), suite.get("tests"), suite.get("failures")) == (
        "testsuites", "daemon", "4", "2",
    )  # fmt: skip
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert list(cases) == ["finished", "no-errors", "memory", "nothing"]
    assert cases["finished"].find("failure") is None
    failure = cases["no-errors"].find("failure")
    assert failure is not None
    assert failure.get("type") == "failed"
    assert failure.text is not None
    assert "first at virtual 7 d 2 h, the guest's date 2026-01-08T02:24:00Z" in failure.text
    assert "> 2026-01-08T02:24:00Z ERROR <b>&\"' \ufffd\ufffd[31m ]]>" in failure.text
    undecided = cases["nothing"].find("failure")
    assert undecided is not None
    assert undecided.get("type") == "undecided"
    output = suite.findtext("system-out")
    assert output is not None
    assert "daemon: FAILED, 2 of 4 checks hold" in output


def test_lines_tell_each_check_and_the_whole(verdict: Verdict) -> None:
    lines = summary_lines(verdict)
    assert lines[0].startswith("passed    finished   all 2 phases ended")
    assert lines[1].startswith("FAILED    no-errors  1 lines match")
    assert lines[1].endswith("[virtual 7 d 2 h]")
    assert lines[3].startswith("UNDECIDED nothing    no series 'none.rss' was recorded")
    assert lines[-1] == (
        "daemon: FAILED, 2 of 4 checks hold; 30 d of virtual time in 1 h 12 min (ratio 600.0)"
    )

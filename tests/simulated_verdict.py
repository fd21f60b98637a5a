# SPDX-License-Identifier: GPL-2.0-or-later
"""A verdict on the simulated year, by hand: each kind of outcome and of evidence is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.recording.records import DAY_NS, NS
from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.verdict.records import (
    Change,
    Excerpt,
    Outcome,
    PhaseRatio,
    Result,
    Trend,
    Verdict,
)

if TYPE_CHECKING:
    from dynaccel.recording.reader import Recording
    from dynaccel.recording.records import Series
    from dynaccel.scenario.model import Check, Scenario

MIB = float(1 << 20)


def verdict(scenario: Scenario, recording: Recording) -> Verdict:
    """Return the verdict on a recording of the year."""
    last = recording.last
    assert last is not None
    results = [_result(check, recording, last.virtual_ns) for check in scenario.checks]
    return Verdict(
        scenario=scenario.name,
        results=tuple(results),
        virtual_ns=last.virtual_ns,
        real_ns=last.real_ns,
        attempts=len(recording.attempts()),
    )


def _result(check: Check, recording: Recording, end_ns: int) -> Result:
    series = {each.name: each for each in recording.series_list()}
    told: dict[str, Any] = {"check": check, "outcome": Outcome.PASSED}
    if check.name == "exit-status":
        bad = [run for run in recording.job_runs("send") if run.status == 75]
        told |= {
            "outcome": Outcome.FAILED,
            "message": f"{len(bad)} of {recording.job_totals('send').started} runs of send ended"
            " with status 75",
            "runs": tuple(bad[:5]),
            "excerpts": _excerpts(recording, "send", "fatal"),
        }
        if bad and bad[0].ended:
            told |= {
                "virtual_ns": bad[0].ended.virtual_ns, "realtime_ns": bad[0].ended.realtime_ns
            }  # fmt: skip
    elif check.name == "no-leak":
        told |= _leak(series["helper.helper[815].rss"], end_ns)
    elif check.name == "disk":
        told |= {"message": "never above 1.42 GiB"}
        told["trends"] = (
            Trend(
                series="disk./.used", series_id=series["disk./.used"].id, unit="bytes",
                outcome=Outcome.PASSED, message="within its bounds", begin_ns=0, end_ns=end_ns,
                values=end_ns // (3600 * NS), low=1.1e9, high=1.52e9, limit=1024 * 1.5 * MIB,
            ),
        )  # fmt: skip
    elif check.name == "no-fatal":
        found = [line for line in recording.logs("journal") if "fatal" in line.text]
        told |= {
            "outcome": Outcome.FAILED,
            "message": f"{len(found)} lines of journal match",
            "virtual_ns": found[0].stamp.virtual_ns,
            "realtime_ns": found[0].stamp.realtime_ns,
            "excerpts": _excerpts(recording, "journal", "fatal"),
        }
    elif check.name == "files":
        told |= {
            "outcome": Outcome.UNDECIDED,
            "message": "smtpd is never seen for long enough to judge it",
            "notes": ("give processes that live shorter a sample of their own",),
        }
    elif check.kind is CheckKind.RATIO:
        ratio = PhaseRatio(phase="year", wanted=1000, reached=999.43, real_ns=31_446 * NS)
        told |= {"message": "within 0.06 % in each of 3 phases", "ratios": (ratio,)}
    else:
        told |= {"message": "nothing to complain of"}
    return Result(**told)


def _leak(series: Series, end_ns: int) -> dict[str, Any]:
    slope = 46e3 * 30
    begin = 2 * DAY_NS
    grown = slope * (end_ns - begin) / (30 * DAY_NS)
    message = "helper[815] grows by 1.32 MiB per 30 d; 1 MiB is allowed"
    trend = Trend(
        series=series.name, series_id=series.id, unit="bytes", outcome=Outcome.FAILED,
        message=message, begin_ns=begin, end_ns=end_ns, values=8712, low=13.9 * MIB,
        high=30.8 * MIB, limit=MIB, per_ns=30 * DAY_NS, blocks=182, slope=slope,
        slope_low=slope - 2e3, slope_high=slope + 2e3, p_value=1e-40, line_begin_ns=begin,
        line_begin=14.6 * MIB, line_end=14.6 * MIB + grown,
        changes=(Change(virtual_ns=20 * DAY_NS, kind="step", size=0.1 * MIB),),
    )  # fmt: skip
    return {
        "outcome": Outcome.FAILED, "message": message, "trends": (trend,), "virtual_ns": begin
    }  # fmt: skip


def _excerpts(recording: Recording, log: str, word: str) -> tuple[Excerpt, ...]:
    lines = recording.logs(log)
    places = [k for k, line in enumerate(lines) if word in line.text]
    return tuple(
        Excerpt(log=log, lines=tuple(lines[max(0, k - 4) : k + 4]), found=min(4, k))
        for k in places[:3]
    )

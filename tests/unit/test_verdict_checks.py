# SPDX-License-Identifier: GPL-2.0-or-later
"""Each check passes where all is well, and tells what is not and when it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from verdict_case import SCENARIO, Run, stamp_of

from dynaccel.recording.reader import Recording
from dynaccel.recording.records import NS
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.model import Check, CheckKind, Fault, FaultKind, Job, JobKind
from dynaccel.scenario.verdict import judge
from dynaccel.scenario.verdict.records import Outcome
from recordings import DAY, HOUR

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "recording.sqlite")


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (CheckKind.FINISHED, {}, "all 2 phases ended, 30 d of virtual time"),
        (CheckKind.EXIT_STATUS, {}, "32 runs ended as they should"),
        (CheckKind.EXIT_STATUS, {"job": "cron", "phase": "first"}, "10 runs ended"),
        (CheckKind.RUNS, {"job": "cron", "share": 1.0}, "cron ran 30 of 30 times"),
        (CheckKind.RESTARTS, {"job": "daemon"}, "daemon ended by itself 0 times, 0 are allowed"),
        (CheckKind.LOG_ABSENT, {"pattern": "panic"}, "none of 60 lines matches"),
        (CheckKind.LOG_PRESENT, {"log": "daemon", "pattern": "over$", "minimum": 30}, "30 lines"),
        (CheckKind.GROWTH, {"series": "daemon.rss", "limit": 1e5}, "no growth that stands out"),
        (CheckKind.GROWTH, {"series": "daemon.*.descriptors", "limit": 1.0}, "always 12"),
        (CheckKind.VALUE, {"series": "daemon.daemon.rss", "limit": 5e6}, "between 3.81 MiB and"),
        (CheckKind.CLOCKS, {}, "no clock went back (71,900 readings)"),
        (CheckKind.RATIO, {}, "first: 1000.00 of 1000 (+0.00%) over 14 min 24 s; second: 500.00"),
        (CheckKind.KERNEL_LOG, {}, "none of 30 lines matches"),
    ],
)
def test_where_all_is_well(run: Run, kind: CheckKind, values: dict[str, object], said: str) -> None:
    result = run.result(kind, **values)
    assert result.outcome is Outcome.PASSED, result.message
    assert said in result.message
    assert result.virtual_ns is None


# --- finished


def test_a_phase_that_did_not_end_is_told(run: Run) -> None:
    run.ends = "killed"
    result = run.result(CheckKind.FINISHED)
    assert result.outcome is Outcome.FAILED
    assert "the phase 'second' did not come to its end, at virtual 29 d 12 h" in result.message


@pytest.mark.parametrize(
    ("kind", "said"), [("panic", "kernel panicked: stack is corrupt"), ("lost", "guest was lost")]
)
def test_a_guest_that_dies_is_told_with_the_kernel_s_last_lines(
    run: Run, kind: str, said: str
) -> None:
    run.ends = kind
    run.at_day[29.9] = lambda w: w.add_event(stamp_of(29.9), kind, "guest", "stack is corrupt")
    result = run.result(CheckKind.FINISHED)
    assert result.outcome is Outcome.FAILED
    assert said in result.message
    assert result.virtual_ns == stamp_of(29.9).virtual_ns
    (excerpt,) = result.excerpts
    assert excerpt.lines[-1].text == "info: day 29"


def test_a_panic_fails_a_run_that_went_on_from_a_checkpoint_before_it(run: Run) -> None:
    def die(writer: RecordingWriter) -> None:
        writer.mark_checkpoint(stamp_of(3.2), "one", seq=1)
        writer.add_event(stamp_of(3.3), "panic", "daemon", "VFS: no root")
        writer.end_attempt("the guest's kernel panicked")
        writer.rewind("one")

    run.at_day[3.2] = die
    result = run.result(CheckKind.FINISHED)
    assert result.outcome is Outcome.FAILED
    assert "kernel panicked: VFS: no root, at virtual 3 d 7 h" in result.message


@pytest.mark.parametrize("why", ["lost", ""])
def test_a_qemu_or_tool_that_was_killed_does_not_fail_a_run_that_went_on(
    run: Run, why: str
) -> None:
    def die(writer: RecordingWriter) -> None:
        writer.mark_checkpoint(stamp_of(3.2), "one", seq=1)
        if why:
            writer.add_event(stamp_of(3.3), why, "daemon", "QEMU ended")
            writer.end_attempt(why)
        writer.rewind("one")

    run.at_day[3.2] = die
    result = run.result(CheckKind.FINISHED)
    assert result.outcome is Outcome.PASSED
    assert "in 2 attempts" in result.message


def test_the_budget_is_kept(run: Run) -> None:
    run.scenario = replace(SCENARIO, budget_real=timedelta(minutes=60))
    result = run.result(CheckKind.FINISHED)
    assert result.outcome is Outcome.FAILED
    assert "took 1 h 12 min of real time, budget 1 h" in result.message


# --- jobs


Step = Callable[[RecordingWriter], None]


def end_badly(
    day: float, *, status: int | None = None, signal: int | None = None, message: str = ""
) -> Step:
    def step(writer: RecordingWriter) -> None:
        writer.add_job(stamp_of(day), job="cron", run=900, state="started", pid=3)
        writer.add_log(stamp_of(day), "cron", "err", ["cannot open /var/x"])
        writer.add_job(
            stamp_of(day + 0.01), job="cron", run=900, state="ended",
            status=status, signal=signal, message=message,
        )  # fmt: skip

    return step


def test_a_run_that_ends_badly_is_told_with_its_output(run: Run) -> None:
    run.at_day[12.2] = end_badly(12.2, status=3, message="x")
    result = run.result(CheckKind.EXIT_STATUS)
    assert result.outcome is Outcome.FAILED
    assert "1 of 33 runs ended otherwise: cron: status 3, first at virtual 12 d 5 h, 1 times" in (
        result.message
    )
    assert result.virtual_ns == stamp_of(12.21).virtual_ns
    assert [offence.run for offence in result.runs] == [900]
    assert result.excerpts[0].lines[-1].text == "cannot open /var/x"


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"statuses": (0, 3)}, Outcome.PASSED),
        ({"phase": "first"}, Outcome.PASSED),
        ({"phase": "second"}, Outcome.FAILED),
        ({"job": "daemon"}, Outcome.PASSED),
        ({"job": "nobody"}, Outcome.UNDECIDED),
        ({"phase": "third"}, Outcome.UNDECIDED),
    ],
)
def test_statuses_phases_and_jobs_narrow_what_is_looked_at(
    run: Run, values: dict[str, object], outcome: Outcome
) -> None:
    run.at_day[12.2] = end_badly(12.2, status=3)
    assert run.result(CheckKind.EXIT_STATUS, **values).outcome is outcome


def test_a_death_by_signal_is_told_by_its_name(run: Run) -> None:
    run.at_day[12.2] = end_badly(12.2, signal=11)
    assert "killed by SIGSEGV" in run.result(CheckKind.EXIT_STATUS).message


def test_a_service_that_crashes_when_it_is_told_to_end_fails(run: Run) -> None:
    def crash(writer: RecordingWriter) -> None:
        writer.add_job(stamp_of(29.9), job="o", run=1, state="started")
        writer.add_job(stamp_of(29.95), job="o", run=1, state="ended", signal=11, stopped=True)

    run.at_day[29.9] = crash
    assert run.result(CheckKind.EXIT_STATUS).outcome is Outcome.FAILED


def test_a_kill_that_was_asked_for_is_no_offence(run: Run) -> None:
    fault = Fault(name="murder", kind=FaultKind.KILL, job="daemon", after=timedelta(days=5))
    run.scenario = replace(SCENARIO, faults=(fault,))

    def kill(writer: RecordingWriter) -> None:
        day, second = 5.2, 1 / DAY
        writer.add_event(stamp_of(day), "fault", "murder", "", {"state": "begun"})
        writer.add_job(stamp_of(day + second), job="daemon", run=1, state="ended", signal=9)
        writer.add_job(stamp_of(day + 2 * second), job="daemon", run=2, state="restarting")
        writer.add_job(stamp_of(day + 3 * second), job="daemon", run=2, state="started", pid=5)

    run.at_day[5.2] = kill
    verdict = run.judged(
        Check(name="a", kind=CheckKind.RESTARTS, job="daemon"),
        Check(name="b", kind=CheckKind.EXIT_STATUS),
    )
    assert [result.outcome for result in verdict.results] == [Outcome.PASSED] * 2


def test_a_service_that_falls_is_told(run: Run) -> None:
    def fall(writer: RecordingWriter) -> None:
        writer.add_job(stamp_of(5.2), job="daemon", run=1, state="ended", status=1)
        writer.add_job(stamp_of(5.3), job="daemon", run=2, state="started", pid=5)

    run.at_day[5.2] = fall
    verdict = run.judged(
        Check(name="none", kind=CheckKind.RESTARTS, job="daemon"),
        Check(name="one", kind=CheckKind.RESTARTS, job="daemon", limit=1.0),
        Check(name="later", kind=CheckKind.RESTARTS, job="daemon", phase="second"),
    )
    none, one, later = verdict.results
    assert (none.outcome, one.outcome, later.outcome) == (
        Outcome.FAILED, Outcome.PASSED, Outcome.PASSED,
    )  # fmt: skip
    assert none.virtual_ns == stamp_of(5.2).virtual_ns


def test_runs_that_were_skipped_are_missing(run: Run) -> None:
    run.scenario = replace(
        SCENARIO,
        jobs=(Job(name="cron", kind=JobKind.REPEAT, command=("x",), every=timedelta(hours=12)),),
    )
    run.at_day[4.2] = lambda w: w.add_job(stamp_of(4.2), job="cron", run=77, state="skipped")
    verdict = run.judged(
        Check(name="most", kind=CheckKind.RUNS, job="cron", share=0.9),
        Check(name="half", kind=CheckKind.RUNS, job="cron", share=0.5),
    )
    most, half = verdict.results
    assert most.outcome is Outcome.FAILED
    assert "cron ran 30 of 60 times, at least 54 are asked for, 1 were skipped" in most.message
    assert most.virtual_ns == stamp_of(4.2).virtual_ns
    assert half.outcome is Outcome.PASSED


def test_runs_by_cron_are_reckoned_by_the_guest_s_date(run: Run) -> None:
    # 1 to 30 January 2026: four Sundays and the 15th, a Thursday.
    run.scenario = replace(
        SCENARIO,
        jobs=(Job(name="cron", kind=JobKind.REPEAT, command=("x",), cron="0 3 15 * sun"),),
    )
    result = run.result(CheckKind.RUNS, job="cron", share=1.0)
    assert "cron ran 30 of 5 times" in result.message
    assert result.passed


# --- logs


def write(day: float, log: str, text: str) -> Step:
    return lambda writer: writer.add_log(stamp_of(day), log, "line", [text])


@pytest.mark.parametrize("watched", [True, False])
def test_a_line_that_must_not_be_is_told_with_those_around(run: Run, *, watched: bool) -> None:
    run.watched = watched
    run.at_day[7.1] = write(7.1, "daemon", "ERROR: disk on fire")
    run.at_day[8.1] = write(8.1, "daemon", "ERROR: still on fire")
    result = run.result(CheckKind.LOG_ABSENT, pattern="ERROR")
    assert result.outcome is Outcome.FAILED
    assert result.message == (
        "2 lines match, the first (daemon, virtual 7 d 2 h): ERROR: disk on fire"
    )
    assert result.virtual_ns == stamp_of(7.1).virtual_ns
    (excerpt,) = result.excerpts
    assert excerpt.found is not None
    assert [line.text for line in excerpt.lines][excerpt.found - 1 : excerpt.found + 2] == [
        "day 6 is over", "ERROR: disk on fire", "day 7 is over",
    ]  # fmt: skip


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(("phase", "passed"), [("first", False), ("second", True)])
def test_only_the_phase_asked_for_is_looked_at(
    run: Run, phase: str, *, passed: bool, watched: bool
) -> None:
    run.watched = watched
    run.at_day[7.1] = write(7.1, "daemon", "ERROR: disk on fire")
    assert run.result(CheckKind.LOG_ABSENT, pattern="ERROR", phase=phase).passed is passed


def test_lines_that_were_not_looked_at_are_told(run: Run) -> None:
    run.watched = False
    run.at_day[7.1] = lambda w: w.add_log(stamp_of(7.1), "daemon", "out", ["x" * 8000] * 1000)
    run.at_day[7.2] = lambda w: w.add_log(stamp_of(7.2), "daemon", "out", ["y"], dropped=11)
    result = run.result(CheckKind.LOG_ABSENT, pattern="ERROR")
    assert result.passed
    assert "11 lines of daemon were lost in the guest and not looked at" in result.notes
    assert any("were dropped and not looked at" in note for note in result.notes)


def test_too_few_lines_fail(run: Run) -> None:
    result = run.result(CheckKind.LOG_PRESENT, log="daemon", pattern="over$", minimum=31)
    assert result.outcome is Outcome.FAILED
    assert "30 lines match /over$/, at least 31 are asked for" in result.message


@pytest.mark.parametrize(
    ("line", "passed"),
    [
        ("warning: BUG: soft lockup - CPU#0 stuck for 22s! [nginx:812]", False),
        ("err: rcu: INFO: rcu_sched self-detected stall on CPU", False),
        ("err: INFO: task nginx:812 blocked for more than 122 seconds.", False),
        ("warning: WARNING: CPU: 0 PID: 1 at kernel/time/timer.c:17", False),
        ("alert: Oops: general protection fault: 0000 [#1]", False),
        ("info: nginx[812]: segfault at 0 ip 0000", True),
        ("info: traps: nginx[812] general protection fault ip:7f", True),
        ("notice: systemd[1]: WARNING: this program says so", True),
        ("info: install of a package took 3 s", True),
    ],
)
def test_the_kernel_s_complaints_are_told_and_others_are_not(
    run: Run, line: str, *, passed: bool
) -> None:
    run.at_day[7.1] = write(7.1, "kernel", line)
    assert run.result(CheckKind.KERNEL_LOG).passed is passed


def test_a_kernel_log_that_is_not_recorded_decides_nothing(run: Run) -> None:
    run.scenario = replace(SCENARIO, logs=())
    assert run.result(CheckKind.KERNEL_LOG).outcome is Outcome.UNDECIDED


# --- series


def test_a_value_out_of_bounds_is_told(run: Run) -> None:
    run.at_day[3.2] = lambda w: w.add_sample(
        stamp_of(3.2), "daemon", "daemon[9]", {"rss": 9e6, "descriptors": 3.0}
    )
    verdict = run.judged(
        Check(name="high", kind=CheckKind.VALUE, series="daemon.rss", limit=5e6),
        Check(name="low", kind=CheckKind.VALUE, series="daemon.descriptors", minimum=4.0),
        Check(name="settled", kind=CheckKind.VALUE, series="daemon.rss", limit=5e6,
              settle=timedelta(days=4)),
        Check(name="phase", kind=CheckKind.VALUE, series="daemon.rss", limit=5e6, phase="second"),
    )  # fmt: skip
    assert [result.passed for result in verdict.results] == [False, False, True, True]
    high = verdict.results[0]
    assert high.virtual_ns == stamp_of(3.2).virtual_ns
    assert high.realtime_ns == stamp_of(3.2).realtime_ns
    assert "daemon.daemon[9].rss: between 3.81 MiB and 8.58 MiB; limit 4.77 MiB" in high.message


def test_a_growth_is_told_and_short_lived_processes_are_forgiven(run: Run) -> None:
    def step(writer: RecordingWriter) -> None:
        for hour in range(24 * 29):
            moment = stamp_of(0.99 + hour / 24)
            writer.add_sample(moment, "daemon", "leaky[10]", {"rss": 4e6 + 5000.0 * hour})
        for pid in range(20, 23):
            writer.add_sample(stamp_of(29.999), "daemon", f"sh[{pid}]", {"rss": 1e5})

    run.at_day[29.99] = step
    result = run.result(CheckKind.GROWTH, series="daemon.*.rss", limit=1e6)
    assert result.outcome is Outcome.FAILED
    assert "daemon.leaky[10].rss: grows by +3.4" in result.message
    outcomes = {trend.series: trend.outcome for trend in result.trends}
    assert outcomes == {
        "daemon.daemon[9].rss": Outcome.PASSED,
        "daemon.leaky[10].rss": Outcome.FAILED,
        "daemon.sh[20].rss": Outcome.PASSED,
        "daemon.sh[21].rss": Outcome.PASSED,
        "daemon.sh[22].rss": Outcome.PASSED,
    }


@pytest.mark.parametrize("kind", [CheckKind.GROWTH, CheckKind.VALUE])
def test_a_series_that_is_not_there_decides_nothing(run: Run, kind: CheckKind) -> None:
    result = run.result(kind, series="daemon.pss", limit=1.0)
    assert result.outcome is Outcome.UNDECIDED
    assert "daemon.*.rss" in result.message


# --- clocks and ratio


def back(day: float, clock: str, back_ns: int) -> Step:
    return lambda writer: writer.add_event(
        stamp_of(day), "clock", clock, "went back", {"back_ns": back_ns}
    )


def test_a_clock_that_goes_back_is_told(run: Run) -> None:
    run.at_day[6.6] = back(6.6, "monotonic", 1500)
    run.at_day[6.7] = back(6.7, "realtime", -90 * NS)
    result = run.result(CheckKind.CLOCKS)
    assert result.outcome is Outcome.FAILED
    assert "clocks went back 1 times, first monotonic by 0.000001500 s" in result.message
    assert result.virtual_ns == stamp_of(6.6).virtual_ns


@pytest.mark.parametrize(("clock", "passed"), [("realtime", True), ("monotonic", False)])
def test_a_step_of_the_date_that_was_asked_for_is_no_offence(
    run: Run, clock: str, *, passed: bool
) -> None:
    fault = Fault(name="back", kind=FaultKind.DATE_STEP, step=timedelta(hours=-1))
    run.scenario = replace(SCENARIO, faults=(fault,))
    run.at_day[6.6] = lambda w: w.add_event(stamp_of(6.6), "fault", "back", "", {"state": "begun"})
    run.at_day[6.6001] = back(6.6001, clock, HOUR * NS)
    assert run.result(CheckKind.CLOCKS).passed is passed


def ratio_run(path: Path, reached: float, ramp_seconds: float = 0) -> Run:
    """Record a phase at 1000 that reaches another ratio; before it a ramp at what it likes."""
    stamps = [0.0, 4.0, 9.0]
    with RecordingWriter.create(path, {}) as writer:
        real, virtual = 0.0, 0.0

        def now() -> object:
            return replace(stamp_of(0), virtual_ns=round(virtual * NS), real_ns=round(real * NS))

        writer.add_phase_begin(now(), index=0, name="only", ratio=1000)  # type: ignore[arg-type]
        if ramp_seconds:
            for index, _ in enumerate(stamps):
                writer.add_ratio_change(now(), before=1, after=10 + index, why="ramp")  # type: ignore[arg-type]
                real, virtual = real + ramp_seconds, virtual + ramp_seconds * 7
            writer.add_ratio_change(now(), before=12, after=1000, why="ramp")  # type: ignore[arg-type]
        else:
            writer.add_ratio_change(now(), before=1, after=1000, why="phase")  # type: ignore[arg-type]
        real, virtual = real + 60, virtual + 60 * reached
        writer.add_phase_end(now(), index=0, ended_by="time")  # type: ignore[arg-type]
    return Run(path)


@pytest.mark.parametrize(
    ("reached", "ramp_seconds", "outcome"),
    [(1000, 0, "passed"), (1009, 0, "passed"), (985, 0, "failed"), (1012, 0, "failed"),
     (1000, 30, "passed"), (900, 30, "failed")],
)  # fmt: skip
def test_the_ratio_reached_is_judged_but_for_ramps(
    tmp_path: Path, reached: float, ramp_seconds: float, outcome: str
) -> None:
    path = tmp_path / "recording.sqlite"
    ratio_run(path, reached, ramp_seconds)
    scenario = replace(SCENARIO, checks=(Check(name="ratio", kind=CheckKind.RATIO),))
    with Recording.open(path) as recording:
        (result,) = judge(scenario, recording).results
    assert result.outcome == outcome, result.message
    (ratio,) = result.ratios
    assert ratio.reached == pytest.approx(reached)
    assert ratio.wanted == pytest.approx(1000)
    assert ratio.real_ns == 60 * NS


def test_a_ratio_that_the_host_sets_is_the_one_asked_for(run: Run) -> None:
    run.at_day[5] = lambda w: w.add_ratio_change(stamp_of(5), before=1000, after=900, why="host")
    result = run.result(CheckKind.RATIO)
    first = next(each for each in result.ratios if each.phase == "first")
    assert first.wanted == pytest.approx(950)
    assert first.reached == pytest.approx(1000)
    assert result.outcome is Outcome.FAILED


def test_a_phase_of_a_moment_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        writer.add_phase_begin(stamp_of(0), index=0, name="only", ratio=1000)
        writer.add_phase_end(stamp_of(0.05), index=0, ended_by="time")
    scenario = replace(SCENARIO, checks=(Check(name="ratio", kind=CheckKind.RATIO),))
    with Recording.open(path) as recording:
        (result,) = judge(scenario, recording).results
    assert result.outcome is Outcome.UNDECIDED


def test_an_empty_recording_decides_without_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    RecordingWriter.create(path, {}).close()
    names = {CheckKind.RUNS: "cron", CheckKind.RESTARTS: "daemon"}
    checks = tuple(
        Check(name=kind, kind=kind, job=names.get(kind), series="daemon.rss", limit=1.0)
        for kind in CheckKind
    )
    with Recording.open(path) as recording:
        verdict = judge(replace(SCENARIO, checks=checks), recording)
    assert not verdict.passed
    outcomes = {result.check.kind: result.outcome for result in verdict.results}
    assert outcomes[CheckKind.FINISHED] is Outcome.FAILED
    assert outcomes[CheckKind.GROWTH] is Outcome.UNDECIDED
    assert outcomes[CheckKind.RUNS] is Outcome.UNDECIDED
    assert outcomes[CheckKind.RATIO] is Outcome.UNDECIDED

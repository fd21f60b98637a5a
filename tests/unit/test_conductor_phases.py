# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's phases: how they begin and end, and what the ratio does meanwhile."""

from __future__ import annotations

import math
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from conductor_lab import (
    Conductor,
    Lab,
    conductor_program,
    is_running,
    lab,
    phase,
    scenario,
    seconds,
    shell,
)

from dynaccel.core.units import epoch_ns
from dynaccel.scenario.conductor import orders
from dynaccel.scenario.conductor.reports import (
    Alive,
    Done,
    JobReport,
    PhaseReport,
    RatioReport,
    Ready,
)
from dynaccel.scenario.model import JobKind

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)


def ends(conductor: Conductor) -> list[tuple[str, str | None]]:
    return [(report.name, report.ended_by) for report in conductor.find(PhaseReport, state="ended")]


def ratio_file(path: Path, ratio: int = 1) -> str:
    (path / "accel").write_text(f"{ratio}\n")
    return str(path / "accel")


def test_it_says_what_the_machine_is(lab: Lab) -> None:
    conductor = lab.run(scenario())
    ready = conductor.one(Ready)
    assert ready.seq == 1
    assert ready.cpus == len(os.sched_getaffinity(0))
    assert ready.page_size == os.sysconf("SC_PAGESIZE")
    assert ready.hz == os.sysconf("SC_CLK_TCK")
    assert ready.memory_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    assert conductor.one(Done).reason == "finished"


def test_phases_follow_each_other_by_their_own_time(lab: Lab) -> None:
    conductor = lab.run(scenario(*(phase(f"p{i}", duration=seconds(0.05)) for i in range(6))))
    said = conductor.find(PhaseReport)
    assert [(report.name, report.index, report.state.value) for report in said] == [
        (f"p{i}", i, state) for i in range(6) for state in ("begun", "ended")
    ]
    for i, report in enumerate(conductor.find(PhaseReport, state="ended")):
        assert report.ended_by == "time"
        # Late by the load of the machine, never early, and lateness does not add up.
        assert report.virtual_ns >= (i + 1) * 50_000_000
    assert 0 <= said[0].virtual_ns < 10**9


def test_set_up_is_before_the_begin(lab: Lab) -> None:
    conductor = lab.run(
        scenario(phase(duration=seconds(0)), jobs=(shell("a", ":", JobKind.SETUP),))
    )
    assert all(report.virtual_ns < 0 for report in conductor.find(JobReport))
    stamps = [report.virtual_ns for report in conductor.said]
    assert stamps == sorted(stamps)
    assert stamps[0] == pytest.approx(-3600e9, abs=1e6)


def test_a_phase_ends_at_a_date(lab: Lab) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    conductor = lab.run(scenario(phase("until", until=until), phase("past", until=until)))
    assert ends(conductor) == [("until", "date"), ("past", "date")]
    ended = conductor.find(PhaseReport, state="ended")[0]
    assert ended.realtime_ns >= epoch_ns(until)


@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_a_phase_ends_when_a_file_is_there(lab: Lab, tmp_path: Path, below: str) -> None:
    wanted = tmp_path / below / "there"
    conductor = lab.start()
    conductor.begin(scenario(phase(until_file=PurePosixPath(wanted))))
    conductor.wait_for_any(PhaseReport)
    (tmp_path / "other").touch()
    wanted.parent.mkdir(parents=True, exist_ok=True)
    assert not conductor.find(Done)
    wanted.touch()
    conductor.finish()
    assert ends(conductor) == [("only", "file")]


def test_a_file_that_is_there_already_ends_the_phase(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.run(scenario(phase(until_file=PurePosixPath(tmp_path))))
    assert ends(conductor) == [("only", "file")]


def test_a_phase_ends_with_a_job(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase("one", until_job="short"),
            phase("two", until_job="short"),
            jobs=(shell("short", "sleep 0.2"),),
        )
    )
    assert ends(conductor) == [("one", "job"), ("two", "job")]
    ended = conductor.one(JobReport, name="short", state="ended")
    assert ended.seq < conductor.find(PhaseReport, state="ended")[0].seq


def test_a_phase_does_not_wait_for_a_job_that_is_not_there(lab: Lab) -> None:
    conductor = lab.run(scenario(phase(until_job="nobody")))
    assert conductor.errors() == ["the phase only waits for nobody, and there is no such job"]
    assert ends(conductor) == [("only", "job")]


def test_a_phase_over_its_limit_fails_the_run(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase("long", until_file=PurePosixPath("/nonesuch/file"), limit=seconds(0.1)),
            phase("never", duration=seconds(0)),
            jobs=(shell("last", ":", JobKind.FINISH),),
        )
    )
    assert [report.state.value for report in conductor.find(PhaseReport)] == [
        "begun",
        "limit",
        "ended",
    ]
    assert conductor.one(Done).reason == "limit"
    assert conductor.job_states("last") == ["started", "ended"]


def test_the_host_ends_a_phase(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase("a", duration=FOREVER), phase("b", duration=FOREVER)))
    conductor.tell(orders.next_phase(), orders.next_phase(), orders.next_phase())
    conductor.finish()
    assert ends(conductor) == [("a", "host"), ("b", "host")]
    assert conductor.errors() == ["there is no phase that could be ended"]
    assert conductor.one(Done).reason == "finished"


def test_the_host_ends_the_run(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase("a", duration=FOREVER),
            phase("b", duration=FOREVER),
            jobs=(shell("last", "echo end", JobKind.FINISH),),
        )
    )
    conductor.tell(orders.end())
    conductor.finish()
    assert ends(conductor) == [("a", "host")]
    assert conductor.lines("last") == ["end"]
    assert conductor.one(Done).reason == "ended"


def test_a_second_end_skips_the_finish_jobs(lab: Lab) -> None:
    conductor = lab.start()
    jobs = (shell("slow", "sleep 1000", JobKind.FINISH), shell("never", ":", JobKind.FINISH))
    conductor.begin(scenario(phase(duration=FOREVER), jobs=jobs))
    conductor.tell(orders.end())
    conductor.wait_for_any(JobReport, name="slow", state="started")
    conductor.tell(orders.end())
    conductor.finish()
    ended = conductor.one(JobReport, name="slow", state="ended")
    assert (ended.signal, ended.stopped) == (15, True)
    assert conductor.job_states("never") == []


@pytest.mark.parametrize("how", ["eof", "SIGTERM"])
def test_a_host_that_is_gone_leaves_nothing_behind(lab: Lab, tmp_path: Path, how: str) -> None:
    path = ratio_file(tmp_path)
    conductor = lab.start("--ratio-file", path)
    service = shell("service", "sleep 1000 & echo $! $$; wait", JobKind.SERVICE)
    conductor.begin(scenario(phase(ratio=7, duration=FOREVER), jobs=(service,)))
    conductor.wait_for(lambda: bool(conductor.lines("service")))
    assert (tmp_path / "accel").read_text() == "7\n"
    if how == "eof":
        conductor.leave()
    else:
        conductor.child.send_signal(signal.SIGTERM)
    conductor.finish()
    for pid in conductor.lines("service")[0].split():
        assert not is_running(pid)
    assert (tmp_path / "accel").read_text() == "1\n"
    assert conductor.one(Done).reason == "ended"


def test_each_phase_sets_its_ratio(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.run(
        scenario(
            phase("a", ratio=50, duration=seconds(0)),
            phase("b", ratio=50, duration=seconds(0)),
            phase("c", ratio=1000, duration=seconds(0)),
        ),
        "--ratio-file",
        ratio_file(tmp_path, 3),
    )
    changes = [(report.before, report.after, report.why) for report in conductor.find(RatioReport)]
    assert changes == [
        (3, 1, "phase"),
        (1, 50, "phase"),
        (50, 1000, "phase"),
        (1000, 1, "finish"),
    ]
    assert [report.ratio for report in conductor.find(PhaseReport, state="ended")] == [
        50,
        50,
        1000,
    ]


def test_a_ramp_goes_in_equal_factors(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.run(
        scenario(
            phase("low", ratio=100, duration=seconds(0)),
            phase("up", ratio=200, ramp=seconds(0.5), duration=seconds(0.6)),
            phase("down", ratio=150, ramp=seconds(0.2), duration=seconds(0.3)),
        ),
        "--ratio-file",
        ratio_file(tmp_path),
    )
    ramps = conductor.find(RatioReport, why="ramp")
    up = [report for report in ramps if report.after > report.before]
    down = [report for report in ramps if report.after < report.before]
    assert (up[0].before, up[-1].after, down[0].before, down[-1].after) == (100, 200, 200, 150)
    # 2 % each, but for the rounding to whole numbers.
    assert all(abs(math.log(one.after / one.before)) < 0.03 for one in ramps)
    assert len(up) == math.ceil(math.log(2) / math.log(1.02))
    assert up[-1].virtual_ns >= 500_000_000
    assert conductor.find(PhaseReport, name="up", state="ended")[0].ratio == 200


def test_the_longest_ramp_has_two_hundred_steps(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.run(
        scenario(phase(ratio=1000, ramp=seconds(0.2), duration=seconds(0.3))),
        "--ratio-file",
        ratio_file(tmp_path),
    )
    ramps = conductor.find(RatioReport, why="ramp")
    assert len(ramps) <= 200
    assert ramps[-1].after == 1000
    assert [one.after for one in ramps] == sorted({one.after for one in ramps})


def test_the_hosts_ratio_holds_until_the_phase_ends(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.start("--ratio-file", ratio_file(tmp_path))
    conductor.begin(
        scenario(
            phase("a", ratio=10, ramp=FOREVER, duration=FOREVER),
            phase("b", ratio=20, duration=FOREVER),
        )
    )
    conductor.wait_for_any(PhaseReport, name="a")
    conductor.tell(orders.set_ratio(500))
    conductor.wait_for_any(RatioReport, after=500, why="host")
    conductor.tell(orders.next_phase())
    conductor.wait_for_any(RatioReport, before=500, after=20, why="phase")
    conductor.tell(orders.end(), orders.set_ratio(5))
    conductor.finish()
    assert conductor.errors() == ["there is no phase whose ratio could be changed"]


def test_a_ratio_that_somebody_else_sets_is_told(lab: Lab, tmp_path: Path) -> None:
    path = ratio_file(tmp_path)
    conductor = lab.start("--ratio-file", path)
    conductor.begin(scenario(phase(ratio=10, duration=FOREVER)))
    conductor.wait_for_any(RatioReport, after=10)
    (tmp_path / "accel").write_text("77\n")
    told = conductor.wait_for_any(RatioReport, after=77)
    assert (told.before, told.why, told.ratio) == (10, "host", 77)


def test_a_kernel_that_cannot_accelerate_is_told_once(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.run(
        scenario(
            phase("a", ratio=5, duration=seconds(0)),
            phase("b", ratio=5, duration=seconds(0)),
        ),
        "--ratio-file",
        str(tmp_path / "none"),
    )
    assert conductor.errors() == ["the ratio stays 1: this kernel cannot accelerate"]
    assert ends(conductor) == [("a", "time"), ("b", "time")]


def test_it_says_now_and_then_that_it_lives(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER)))
    conductor.wait_for_any(Alive)

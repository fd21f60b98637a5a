# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's jobs: when they run, how they end, and what they are given."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path, PurePosixPath

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

from dynaccel.scenario.conductor import orders
from dynaccel.scenario.conductor.reports import Done, JobReport, LogReport, PhaseReport
from dynaccel.scenario.model import Job, JobKind, Restart

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def runs(conductor: Conductor, name: str) -> list[tuple[int, str, int]]:
    return [
        (report.run, report.state.value, report.count)
        for report in conductor.find(JobReport, name=name)
    ]


def test_set_up_jobs_run_one_after_the_other(lab: Lab) -> None:
    jobs = tuple(shell(f"s{i}", f"echo {i}; sleep 0.0{3 - i}", JobKind.SETUP) for i in range(3))
    conductor = lab.run(scenario(phase(duration=seconds(0)), jobs=jobs))
    told = [(report.name, report.state.value) for report in conductor.find(JobReport)]
    assert told == [(f"s{i}", state) for i in range(3) for state in ("started", "ended")]
    last = conductor.find(JobReport)[-1]
    assert last.seq < conductor.find(PhaseReport)[0].seq


@pytest.mark.parametrize("command", [("false",), ("no-such-program",), ("sh", "-c", "kill -9 $$")])
def test_a_set_up_that_fails_ends_the_run(lab: Lab, command: tuple[str, ...]) -> None:
    jobs = (
        Job(name="bad", kind=JobKind.SETUP, command=command),
        shell("never", ":", JobKind.SETUP),
        shell("service", "sleep 1000", JobKind.SERVICE),
        shell("last", ":", JobKind.FINISH),
    )
    conductor = lab.run(scenario(phase(duration=FOREVER), jobs=jobs))
    assert conductor.one(Done).reason == "setup_failed"
    assert conductor.job_states("never") == conductor.job_states("service") == []
    assert conductor.job_states("last") == ["started", "ended"]
    assert conductor.find(PhaseReport) == []


def test_all_finish_jobs_run_while_services_do(lab: Lab) -> None:
    jobs = (
        shell("service", "echo $$; exec sleep 1000", JobKind.SERVICE),
        shell("one", "exit 3", JobKind.FINISH),
        shell("two", "echo two", JobKind.FINISH),
    )
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), jobs=jobs))
    conductor.wait_for(lambda: bool(conductor.lines("service")))
    conductor.tell(orders.next_phase())
    conductor.finish()
    assert conductor.one(JobReport, name="one", state="ended").status == 3
    service = conductor.one(JobReport, name="service", state="ended")
    assert (service.signal, service.stopped) == (15, True)
    assert service.seq > conductor.one(JobReport, name="two", state="ended").seq
    assert conductor.one(Done).seq > service.seq


def test_a_job_runs_once_after_its_time(lab: Lab) -> None:
    jobs = (shell("once", "exit 7", after=seconds(0.3)),)
    conductor = lab.run(scenario(phase(until_job="once"), jobs=jobs))
    started = conductor.one(JobReport, name="once", state="started")
    assert started.virtual_ns >= 300_000_000
    ended = conductor.one(JobReport, name="once", state="ended")
    assert (ended.status, ended.signal, ended.stopped) == (7, None, False)
    assert ended.runtime_ns is not None
    assert ended.runtime_ns > 0


def test_repeats_are_due_at_their_own_times(lab: Lab) -> None:
    jobs = (shell("tick", ":", JobKind.REPEAT, after=seconds(0.1), every=seconds(0.1)),)
    conductor = lab.run(scenario(phase(duration=seconds(1.5)), jobs=jobs))
    due = 1
    for run, state, count in runs(conductor, "tick"):
        if state in {"started", "skipped"}:
            assert run == due
            due += count
    for report in conductor.find(JobReport, name="tick", state="started"):
        assert report.virtual_ns >= report.run * 100_000_000
    assert due - 1 in {14, 15}


def test_a_run_that_is_due_while_the_last_goes_on_is_skipped(lab: Lab) -> None:
    jobs = (shell("slow", "sleep 0.55", JobKind.REPEAT, every=seconds(0.1)),)
    conductor = lab.run(scenario(phase(duration=seconds(1.5)), jobs=jobs))
    told = runs(conductor, "slow")
    assert told[0] == (1, "started", 1)
    ended = [run for run, state, _ in told if state == "ended"]
    skipped = sum(count for _, state, count in told if state == "skipped")
    started = [run for run, state, _ in told if state == "started"]
    assert ended == started  # the last one is stopped by the end
    assert skipped >= 5 * (len(started) - 1)
    assert all(later - earlier > 5 for earlier, later in pairwise(started))


def test_a_run_that_never_ends_has_its_skips_told_now_and_then(lab: Lab) -> None:
    jobs = (shell("stuck", "sleep 1000", JobKind.REPEAT, every=seconds(0.01)),)
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), jobs=jobs))
    conductor.wait_for(lambda: len(conductor.find(JobReport, state="skipped")) >= 2)
    first, second = conductor.find(JobReport, state="skipped")[:2]
    assert first.run == 2
    assert second.run == first.run + first.count


@pytest.mark.parametrize(
    ("restart", "script", "again"),
    [
        (Restart.NO, "exit 1", False),
        (Restart.ON_FAILURE, "exit 0", False),
        (Restart.ON_FAILURE, "exit 1", True),
        (Restart.ON_FAILURE, "kill -9 $$", True),
        (Restart.ALWAYS, "exit 0", True),
    ],
)
def test_services_are_started_again_as_told(
    lab: Lab, restart: Restart, script: str, again: bool
) -> None:
    service = shell(
        "service", script, JobKind.SERVICE, restart=restart, restart_delay=seconds(0.05)
    )
    jobs = (service, shell("clock", "sleep 0.6"))
    conductor = lab.start()
    conductor.begin(scenario(phase(until_job="clock"), jobs=jobs))
    if again:
        conductor.wait_for_any(JobReport, name="service", state="started", run=3)
    conductor.finish()
    states = conductor.job_states("service")
    assert states[:3] == (["started", "ended", "restarting"] if again else ["started", "ended"])
    if not again:
        return
    ended = conductor.find(JobReport, name="service", state="ended")[0]
    second = conductor.find(JobReport, name="service", state="started")[1]
    assert second.virtual_ns - ended.virtual_ns >= 50_000_000


def test_a_service_that_cannot_start_does_not_spin(lab: Lab) -> None:
    service = Job(
        name="service", kind=JobKind.SERVICE, command=("no-such-program",),
        restart=Restart.ALWAYS, restart_delay=seconds(0),
    )  # fmt: skip
    conductor = lab.run(scenario(phase(duration=seconds(0.5)), jobs=(service,)))
    failed = conductor.find(JobReport, state="failed_to_start")
    assert failed[0].message == "cannot run no-such-program: No such file or directory"
    assert 2 <= len(failed) <= 30


def test_what_is_left_of_a_service_is_killed_before_it_starts_again(lab: Lab) -> None:
    script = "sleep 1000 & echo $!; exit 1"
    service = shell(
        "service", script, JobKind.SERVICE, restart=Restart.ALWAYS, restart_delay=seconds(0.05)
    )
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), jobs=(service,)))
    conductor.wait_for(lambda: len(conductor.lines("service")) >= 2)
    first = int(conductor.lines("service")[0])
    limit = time.monotonic() + 60
    while is_running(first):
        assert time.monotonic() < limit
        conductor.listen(0.1)


def test_a_run_over_its_time_is_ended(lab: Lab) -> None:
    jobs = (shell("slow", "trap 'exit 5' TERM; sleep 1000 & wait", timeout=seconds(0.3)),)
    conductor = lab.run(scenario(phase(until_job="slow"), jobs=jobs))
    assert conductor.job_states("slow") == ["started", "timeout", "ended"]
    ended = conductor.one(JobReport, state="ended")
    assert (ended.status, ended.stopped) == (5, False)
    assert conductor.one(JobReport, state="timeout").virtual_ns >= 300_000_000


def test_who_does_not_listen_is_killed_ten_real_seconds_later(lab: Lab) -> None:
    jobs = (shell("deaf", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"),)
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), jobs=jobs))
    conductor.wait_for(lambda: bool(conductor.lines("deaf")))
    conductor.tell(orders.end())
    ended = conductor.wait_for_any(JobReport, name="deaf", state="ended")
    assert (ended.signal, ended.stopped) == (9, True)
    left = conductor.one(PhaseReport, state="ended")
    assert ended.virtual_ns - left.virtual_ns >= 9_900_000_000


def test_daemons_of_the_set_up_live_until_the_end(lab: Lab) -> None:
    script = "setsid sh -c 'echo $$; while :; do sleep 0.1; done' & sleep 0.2"
    conductor = lab.start()
    conductor.begin(
        scenario(phase(duration=FOREVER), jobs=(shell("daemon", script, JobKind.SETUP),))
    )
    conductor.wait_for_any(PhaseReport)
    conductor.wait_for(lambda: bool(conductor.lines("daemon")))
    pid = int(conductor.lines("daemon")[0])
    assert is_running(pid)
    conductor.tell(orders.end())
    conductor.finish()
    assert not is_running(pid)


def test_a_job_has_the_surroundings_that_it_asks_for(lab: Lab, tmp_path: Path) -> None:
    script = "pwd; env; cat; umask; ps -o sid= -p $$ | tr -d ' '; echo $$; trap"
    job = shell(
        "job", script, directory=PurePosixPath(tmp_path),
        environment=(("LANG", "C"), ("EMPTY", ""), ("SPACED", "a b=c")),
    )  # fmt: skip
    conductor = lab.run(scenario(phase(until_job="job"), jobs=(job,)))
    lines = conductor.lines("job")
    assert lines[0] == str(tmp_path)
    for line in ("LANG=C", "EMPTY=", "SPACED=a b=c", "USER=root", "DYNACCEL_JOB=job"):
        assert line in lines
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in lines
    assert lines.count("LANG=C") == 1
    assert lines[-3] == "0022"
    assert lines[-2] == lines[-1]  # a session of its own


@ROOT
@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("nobody", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)"),
        ("0", "uid=0(root) gid=0(root) groups=0(root)"),
        ("4711", "uid=4711 gid=4711 groups=4711"),
    ],
)
def test_a_job_runs_as_somebody(lab: Lab, user: str, told: str) -> None:
    job = shell("who", "id", user=user)
    conductor = lab.run(scenario(phase(until_job="who"), jobs=(job,)))
    assert conductor.lines("who") == [told]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"user": "nobody-at-all"}, "there is no user nobody-at-all in /etc/passwd"),
        (
            {"directory": PurePosixPath("/nonesuch")},
            "cannot enter the directory /nonesuch: No such file or directory",
        ),
        ({"command": ("/etc/passwd",)}, "cannot run /etc/passwd: Permission denied"),
    ],
)
def test_a_job_that_cannot_start_says_why(lab: Lab, more: dict[str, object], message: str) -> None:
    wanted: dict[str, object] = {"name": "bad", "kind": JobKind.ONCE, "command": ("true",), **more}
    conductor = lab.run(scenario(phase(until_job="bad"), jobs=(Job(**wanted),)))  # type: ignore[arg-type]
    assert conductor.one(JobReport).message == message
    assert conductor.one(JobReport).state == "failed_to_start"


def test_output_comes_whole_in_order_and_before_the_end(lab: Lab) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf 'no newline'"
    conductor = lab.run(scenario(phase(until_job="loud"), jobs=(shell("loud", script),)))
    assert conductor.lines("loud") == [*(f"line {i}" for i in range(20000)), "no newline"]
    last = conductor.find(LogReport)[-1]
    assert last.seq < conductor.one(JobReport, state="ended").seq


def test_streams_are_told_apart(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase(until_job="both"),
            jobs=(shell("both", "echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c"),),
        )
    )
    lines = [line for report in conductor.find(LogReport) for line in report.lines]
    assert [(line.stream, line.text) for line in lines] == [
        ("out", "a"),
        ("err", "b"),
        ("out", "c"),
    ]
    stamps = [line.virtual_ns for line in lines]
    assert stamps == sorted(stamps)
    assert stamps[2] - stamps[0] >= 150_000_000


def test_long_lines_come_in_pieces_and_odd_bytes_survive(lab: Lab) -> None:
    script = r"head -c 20000 /dev/zero | tr '\0' x; echo; printf 'a\0b\377\n'; printf '\n'"
    conductor = lab.run(scenario(phase(until_job="odd"), jobs=(shell("odd", script),)))
    lines = conductor.lines("odd")
    assert [len(line) for line in lines] == [8192, 8192, 3616, 4, 0]
    assert lines[3] == "a?b�"


@ROOT
def test_control_groups_find_whoever_hides(lab: Lab) -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [Path(entry[1]) for entry in mounts if entry[2] == "cgroup2"]
    if not places:
        pytest.skip("no cgroup2 file system is mounted here")
    base = places[0] / f"dynaccel-test-{os.getpid()}"
    try:
        base.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        conductor = lab.start("--cgroups", str(base))
        script = "env -i setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.3"
        conductor.begin(scenario(phase(duration=FOREVER), jobs=(shell("hidden", script),)))
        conductor.wait_for_any(JobReport, state="ended")
        conductor.wait_for(lambda: bool(conductor.lines("hidden")))
        pid = conductor.lines("hidden")[0]
        assert pid in (base / "hidden" / "cgroup.procs").read_text().split()
        conductor.tell(orders.end())
        conductor.finish()
        assert not is_running(pid)
        assert not (base / "hidden").exists()
    finally:
        base.rmdir()

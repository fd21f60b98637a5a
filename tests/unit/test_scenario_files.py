# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenario files without mistakes: what is read, what the defaults are, what is warned of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from scenario_toml import scenarios, toml_of

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.recording.metrics import unit_of
from dynaccel.scenario.files import ScenarioFileError, read_file, read_scenario
from dynaccel.scenario.metrics import METRICS, split_series
from dynaccel.scenario.model import (
    CheckKind,
    Checkpoints,
    CopiedFile,
    FaultKind,
    Job,
    JobKind,
    LogKind,
    Machine,
    Phase,
    RootKind,
    SampleKind,
    Scenario,
)

SMALL = """
name = "small"
[[phase]]
ratio = 500
for = "30d"
[job.daemon]
command = "exec daemon --foreground"
"""


def read(directory: Path, text: str) -> Scenario:
    path = directory / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return read_scenario(path)


def warnings(directory: Path, text: str) -> list[str]:
    path = directory / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return [f"{w.place.line}:{w.place.column}: {w.message}" for w in read_file(path).warnings]


def test_six_lines_are_a_scenario(tmp_path: Path) -> None:
    scenario = read(tmp_path, SMALL)
    assert scenario.text == SMALL
    assert scenario.machine == Machine()
    assert scenario.checkpoints == Checkpoints()
    assert scenario.phases == (Phase(name="phase-1", ratio=500, duration=timedelta(days=30)),)
    command = ("/bin/sh", "-c", "exec daemon --foreground")
    assert scenario.jobs == (Job(name="daemon", kind=JobKind.SERVICE, command=command),)
    assert [(one.name, one.kind, one.every, one.job) for one in scenario.samples] == [
        ("system", SampleKind.SYSTEM, timedelta(minutes=10), None),
        ("clocks", SampleKind.CLOCKS, timedelta(hours=1), None),
        ("daemon", SampleKind.PROCESS, timedelta(minutes=10), "daemon"),
    ]
    assert [(log.name, log.kind) for log in scenario.logs] == [("kernel", LogKind.KERNEL)]
    assert [check.kind.value for check in scenario.checks] == [
        "finished", "exit-status", "kernel-log", "clocks", "ratio",
    ]  # fmt: skip


def test_a_default_stays_away_when_the_file_has_its_own(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        SMALL
        + """
[job.night]
cron = "@daily"
command = ["backup"]
[sample.memory]
kind = "system"
[sample.daemon]
kind = "process"
job = "daemon"
every = "1h"
pss = true
[log.dmesg]
kind = "kernel"
match = 'x'
[check.backups]
kind = "exit-status"
job = "night"
statuses = [0, 3]
[check.memory]
kind = "growth"
series = "daemon.pss"
limit = "1M"
[check.speed]
kind = "ratio"
share = "5%"
""",
    )
    assert [one.name for one in scenario.samples] == ["clocks", "memory", "daemon"]
    assert [one.name for one in scenario.logs] == ["dmesg"]
    assert [(check.name, check.job) for check in scenario.checks] == [
        ("finished", None), ("kernel-log", None), ("clocks", None),
        ("exit-status-daemon", "daemon"), ("backups", "night"), ("memory", None), ("speed", None),
    ]  # fmt: skip
    assert scenario.jobs[1].kind is JobKind.REPEAT
    assert scenario.jobs[1].cron == "0 0 * * *"


def test_defaults_can_be_switched_off(tmp_path: Path) -> None:
    scenario = read(tmp_path, "default-samples = false\ndefault-checks = false\n" + SMALL)
    assert (scenario.samples, scenario.checks) == ((), ())
    scenario = read(tmp_path, 'sample-every = "2h"\n' + SMALL)
    assert {one.every for one in scenario.samples if one.kind is not SampleKind.CLOCKS} == {
        timedelta(hours=2)
    }


def test_values_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "probe.pl").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "web.qcow2").touch()
    scenario = read(
        tmp_path,
        """
name = "as-written"
start = 2038-01-18
[machine]
root = "images/web.qcow2"
memory = "1 GiB"
files = { "/opt/probe" = "probe.pl" }
[[phase]]
ratio = 1
until = 2038-01-19T04:00:00+01:00
[[phase]]
ratio = 10
until = "2038-01-20"
[[phase]]
ratio = 1000
for = "1d 12h"
[job.probe]
command = ["/opt/probe"]
stop-signal = "hup"
environment = { A = "1", "B" = "" }
[fault.back]
kind = "date-step"
at = 2038-01-19 12:00:00
step = "-1h"
[fault.full]
kind = "disk-full"
after = "1h"
for = "10m"
path = "/var"
[fault.second]
kind = "leap-second"
after = "1h"
[check.memory]
kind = "growth"
series = "probe.rss"
limit = "1 MiB per 30 d"
[check.cpu]
kind = "value"
series = "probe.cpu_seconds"
limit = "2h"
[check.descriptors]
kind = "growth"
series = "probe.descriptors"
limit = 3
per = "7d"
""",
    )
    assert scenario.start == datetime(2038, 1, 18, tzinfo=UTC)
    assert scenario.machine.memory_bytes == 1 << 30
    assert scenario.machine.root.kind is RootKind.IMAGE
    assert scenario.machine.root.path == (tmp_path / "images/web.qcow2").resolve()
    assert scenario.machine.files == (
        CopiedFile(source=(tmp_path / "probe.pl").resolve(), target=PurePosixPath("/opt/probe")),
    )
    assert [phase.until for phase in scenario.phases] == [
        datetime(2038, 1, 19, 3, tzinfo=UTC), datetime(2038, 1, 20, tzinfo=UTC), None,
    ]  # fmt: skip
    assert scenario.phases[2].duration == timedelta(hours=36)
    assert scenario.jobs[0].stop_signal == 1
    assert scenario.jobs[0].environment == (("A", "1"), ("B", ""))
    assert scenario.faults[0].at == datetime(2038, 1, 19, 12, tzinfo=UTC)
    assert [fault.step.total_seconds() for fault in scenario.faults] == [-3600, 0, 1]
    assert scenario.faults[1].kind is FaultKind.DISK_FULL
    limits = {check.name: (check.limit, check.per.days) for check in scenario.checks[-3:]}
    assert limits == {"memory": (1 << 20, 30), "cpu": (7200, 30), "descriptors": (3, 7)}


def test_a_directory_as_root_cannot_be_checkpointed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for root, kind in (("root", RootKind.DIRECTORY), ("host", RootKind.HOST)):
        scenario = read(tmp_path, f'machine.root = "{root}"\n' + SMALL)
        assert scenario.machine.root.kind is kind
        assert scenario.checkpoints.every_real is None
    text = 'machine.root = "host"\ncheckpoints.every-real = "never"\n' + SMALL
    assert read(tmp_path, text).checkpoints.every_real is None


def test_bounds_that_are_left_out(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        'default-checks = false\njob.tick = { every = "1h", command = "true" }\n'
        + SMALL
        + """
[check.lives]
kind = "restarts"
job = "daemon"
[check.ticks]
kind = "runs"
job = "tick"
[check.speaks]
kind = "log-present"
log = "daemon"
pattern = 'hello'
""",
    )
    lives, ticks, speaks = scenario.checks
    assert (lives.limit, ticks.share, speaks.minimum) == (0, 0.99, 1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios())
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, scenario: Scenario
) -> None:
    text = toml_of(scenario)
    got = read(tmp_path_factory.mktemp("scenario"), text)
    assert replace(got, text="") == scenario


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        (
            'budget-real = "1h"',
            "1:15: the phases take 1 h 26 min of real time at their ratios, more",
        ),
        (
            'sample.often = { kind = "disk", paths = "/", every = "1s" }',
            "1:54: that is every 2 ms of real time at ratio 500",
        ),
        (
            'job.often = { command = "true", every = "1s" }',
            "1:41: that is every 2 ms of real time at ratio 500: runs that",
        ),
        (
            'job.late = { command = "true", kind = "once", after = "31d" }',
            "1:55: the phases end after 30 d: it never comes",
        ),
        (
            'fault.late = { kind = "pause", for-real = "1s", after = "30d" }',
            "1:57: the phases end after 30 d: it never comes",
        ),
    ],
)
def test_what_is_odd_is_told(tmp_path: Path, more: str, warning: str) -> None:
    (told,) = warnings(tmp_path, f"{more}\n{SMALL}")
    assert told.startswith(warning)


def test_a_phase_that_the_guest_ends_wants_a_limit(tmp_path: Path) -> None:
    open_end = SMALL.replace('for = "30d"', 'until-file = "/run/done"')
    (told,) = warnings(tmp_path, open_end)
    assert told.startswith("3:1: nothing ends this phase")
    assert warnings(tmp_path, open_end.replace('/run/done"', '/run/done"\nlimit = "3d"')) == []
    assert warnings(tmp_path, 'budget-real = "1d"\n' + open_end) == []
    assert warnings(tmp_path, SMALL) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no scenario file"):
        read_file(tmp_path / "none.toml")
    with pytest.raises(UserError, match="is a directory"):
        read_file(tmp_path)
    (tmp_path / "large.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        read_file(tmp_path / "large.toml")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InfrastructureError, match="cannot read"):
        read_file(tmp_path / "loop")


def test_an_error_says_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('name = "A"\n')
    with pytest.raises(ScenarioFileError) as caught:
        read_file(path)
    assert caught.value.message == f"the scenario {path} has 2 mistakes"
    assert str(caught.value.detail).startswith(f"{path}:1:1: there is no phase")
    assert caught.value.exit_status == 2


def test_units_are_those_of_the_recording() -> None:
    for kind, metrics in METRICS.items():
        for name, metric in metrics.items():
            assert metric.unit.value == unit_of(name), (kind, name)


def test_series_are_split() -> None:
    assert split_series("system.slab") == ("system", "", "slab")
    assert split_series("logs./var/log/a.log.size") == ("logs", "/var/log/a.log", "size")
    assert split_series("web.nginx[81].rss") == ("web", "nginx[81]", "rss")
    assert [split_series(text) for text in ("slab", ".slab", "system.", "")] == [None] * 4


def test_each_kind_has_its_keys() -> None:
    from dynaccel.scenario.files.kinds import KINDS  # noqa: PLC0415
    from dynaccel.scenario.files.shape import NAMED  # noqa: PLC0415

    for sort, kinds in KINDS.items():
        keys = {field.alias for field in NAMED[sort].model_fields.values()}
        used = {key for kind in kinds.by_kind for key in kinds.known(kind)}
        assert used == keys, sort
    assert set(KINDS["check"].by_kind) == set(CheckKind)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of a scenario before it runs: lengths, numbers, words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dynaccel.scenario.files import read_scenario
from dynaccel.scenario.model import (
    Fault,
    FaultKind,
    Job,
    JobKind,
    Phase,
    Sample,
    SampleKind,
    Scenario,
)
from dynaccel.scenario.outline import Outline, real_time
from dynaccel.scenario.words import check_in_words, describe

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def outline(*phases: Phase) -> Outline:
    return Outline.of(Scenario(name="x", start=START, phases=phases), now=START)


def stepped(virtual: timedelta, before: int, after: int, steps: int = 100_000) -> timedelta:
    """Return the real time of a ramp, one small step after the other."""
    ratios = (before * (after / before) ** ((step + 0.5) / steps) for step in range(steps))
    return sum((virtual / steps / ratio for ratio in ratios), timedelta(0))


@pytest.mark.parametrize(("before", "after"), [(1, 1000), (500, 1), (100, 101), (7, 7)])
def test_a_ramp_takes_what_its_steps_take(before: int, after: int) -> None:
    ramp = timedelta(hours=3)
    got = real_time(DAY, Phase(name="x", ratio=after, ramp=ramp), before=before)
    wanted = stepped(ramp, before, after) + (DAY - ramp) / after
    assert got.total_seconds() == pytest.approx(wanted.total_seconds(), rel=0.001)


def test_lengths_by_time_and_by_date() -> None:
    found = outline(
        Phase(name="a", ratio=1, duration=HOUR),
        Phase(name="b", ratio=100, until=START + DAY),
        Phase(name="c", ratio=1000, duration=DAY),
    )
    assert [phase.virtual for phase in found.phases] == [HOUR, 23 * HOUR, DAY]
    assert [phase.real for phase in found.phases] == [HOUR, 23 * HOUR / 100, DAY / 1000]
    assert (found.virtual, found.end) == (2 * DAY, START + 2 * DAY)
    assert found.real == found.least_real == HOUR + 23 * HOUR / 100 + DAY / 1000


def test_what_the_guest_decides_is_not_known(tmp_path: PurePosixPath) -> None:
    found = outline(
        Phase(name="a", ratio=1, until_file=tmp_path),
        Phase(name="b", ratio=10, duration=DAY),
        Phase(name="c", ratio=10, until=START + 9 * DAY),
    )
    assert (found.virtual, found.real, found.end) == (None, None, START + 9 * DAY)
    assert (found.least_virtual, found.least_real) == (DAY, DAY / 10)
    assert found.points(Sample(name="s", kind=SampleKind.SYSTEM, every=HOUR)) is None
    job = Job(name="j", kind=JobKind.REPEAT, command=("x",), every=HOUR)
    assert found.runs(job) is None


def test_a_scenario_without_a_date_begins_now() -> None:
    scenario = Scenario(name="x", phases=(Phase(name="a", ratio=1, duration=DAY),))
    assert Outline.of(scenario, now=START).end == START + DAY


def test_how_often_what_happens() -> None:
    found = outline(Phase(name="a", ratio=1, duration=10 * DAY))

    def runs(**times: timedelta | str) -> int | None:
        return found.runs(Job(name="j", kind=JobKind.REPEAT, command=("x",), **times))  # type: ignore[arg-type]

    assert runs(every=DAY) == 10
    assert runs(every=DAY, after=HOUR) == 10
    assert runs(every=3 * DAY) == 4
    assert runs(every=DAY, after=10 * DAY) == 0
    assert runs(cron="30 3 * * *") == 10
    assert found.runs(Job(name="j", kind=JobKind.ONCE, command=("x",))) == 1
    assert found.points(Sample(name="s", kind=SampleKind.SYSTEM, every=HOUR)) == 239
    fault = Fault(name="f", kind=FaultKind.PAUSE, at=START + DAY, every=3 * DAY)
    assert found.times(fault) == 3


FILE = """
name = "words"
description = '''
One line of it.
And another.'''
start = 2030-01-01
budget-real = "6h"
[machine]
packages = ["nginx"]
network = true
files = { "/opt/x" = "words.toml" }
[[phase]]
name = "boot"
ratio = 1
until-file = "/run/up"
limit = "1h"
[[phase]]
ratio = 500
ramp = "1h"
for = "30d"
[job.web]
command = ["nginx", "-g", "daemon off;"]
restart = "on-failure"
[job.night]
cron = "30 3 * * *"
command = "logrotate -s /x.conf"
timeout = "1h"
[log.access]
kind = "file"
path = "/var/log/access"
match = ' 5[0-9][0-9] '
[fault.jump]
kind = "date-step"
after = "10d"
every = "5d"
step = "-1h"
[check.memory]
kind = "growth"
series = "web.rss"
limit = "1M per 30d"
settle = "1d"
[check.load]
kind = "value"
series = "system.load_1"
limit = 4
phase = "phase-2"
[check.time]
kind = "value"
series = "web.cpu_seconds"
minimum = "1m"
limit = "2h"
[check.nights]
kind = "runs"
job = "night"
[check.lives]
kind = "restarts"
job = "web"
[check.errors]
kind = "log-absent"
log = "access"
pattern = ' 500 '
"""

WORDS = """\
words: One line of it.

  guest   2 CPUs, 512 MiB, Debian bookworm with nginx, no system booted, network
          /opt/x from HERE/words.toml
  saved   each 10 min of real time
  begins  2030-01-01 00:00:00 UTC
  budget  6 h of real time

phases
           ratio          virtual                           real, about    ends
  boot     1              as long as it takes, at most 1 h  ?              when /run/up is there
  phase-2  500, ramp 1 h  30 d                              1 h 35 min
  all                     over 30 d                         over 1 h 35 min

jobs
  web    service  all the time, restarted on failure                        nginx -g 'daemon off;'
  night  repeat   cron 30 3 * * *: as often as it comes, at most 1 h each   logrotate -s /x.conf
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "words.toml"
    path.write_text(FILE)
    return read_scenario(path)


def test_a_scenario_in_words(scenario: Scenario, tmp_path: Path) -> None:
    said = describe(scenario, Outline.of(scenario, now=START)).replace(str(tmp_path), "HERE")
    parts = {part.partition("\n")[0]: part for part in said.split("\n\n")}
    wanted = WORDS.rstrip("\n").split("\n\n")
    for part in wanted:
        got = parts[part.partition("\n")[0]]
        assert got.split() == part.split()
    fault = " ".join(parts["faults"].split("\n")[1].split())
    assert fault == "jump date-step after 10 d, then each 5 d: as often as it comes -1 h"
    assert "access" in parts["logs"]
    assert "clocks" in parts["samples"]
    assert not any(line != line.rstrip() for line in said.split("\n"))


def test_checks_in_words(scenario: Scenario) -> None:
    said = {check.name: check_in_words(check, scenario) for check in scenario.checks}
    assert said == {
        "finished": "all phases come to their end",
        "exit-status": "each run of each job ends with 0",
        "kernel-log": "the kernel writes no warning",
        "clocks": "no clock goes back",
        "ratio": "the ratio is kept within 1 %",
        "memory": "web.rss grows by less than 1 MiB per 30 d, from 1 d on",
        "load": "system.load_1 is never above 4, in phase phase-2",
        "time": "web.cpu_seconds stays between 1 min and 2 h",
        "nights": "night runs at least 99 % of the times it is due",
        "lives": "web never ends by itself",
        "errors": "no line of access has ' 500 '",
    }

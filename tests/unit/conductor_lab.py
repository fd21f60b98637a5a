# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor, compiled for this machine with the sanitizers, and driven over pipes."""

from __future__ import annotations

import functools
import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from dynaccel.host import process
from dynaccel.scenario.conductor import orders, reports
from dynaccel.scenario.conductor.decode import ReportDecoder
from dynaccel.scenario.model import Job, JobKind, Phase, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUEST = Path(__file__).resolve().parents[2] / "guest"
SHARED = ("frame.c", "log.c", "text.c")
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I", str(GUEST))
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

LIMIT_SECONDS = 120
"""After so long without an end a test has failed, whatever else runs on the machine."""

Kind = TypeVar("Kind", bound=reports.Report)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def shell(name: str, script: str, kind: JobKind = JobKind.ONCE, **more: object) -> Job:
    return Job(name=name, kind=kind, command=("sh", "-c", script), **more)  # type: ignore[arg-type]


def phase(name: str = "only", **more: object) -> Phase:
    return Phase(name=name, **{"ratio": 1, **more})  # type: ignore[arg-type]


def scenario(*phases: Phase, **more: object) -> Scenario:
    return Scenario(name="test", phases=phases, **more)  # type: ignore[arg-type]


def is_running(pid: int | str) -> bool:
    """Whether a process is there and not just waiting to be reaped."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture(scope="session")
def conductor_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.getbasetemp())


@functools.cache
def compiled(directory: Path) -> Path:
    """Compile once, however many modules use it: to each of them the fixture is its own."""
    program = directory / "conductor-program"
    sources = [*sorted((GUEST / "conductor").glob("*.c")), *(GUEST / name for name in SHARED)]
    process.run(["gcc", *FLAGS, *SANITIZE, "-o", program, *sources, "-lm"])
    return program


@dataclass
class Conductor:
    """One that runs, with all that it has said so far."""

    child: subprocess.Popen[bytes]
    decoder: ReportDecoder = field(default_factory=ReportDecoder)
    said: list[reports.Report] = field(default_factory=list)
    ended: bool = False

    def tell(self, *frames: bytes) -> None:
        assert self.child.stdin is not None
        for frame in frames:
            self.child.stdin.write(frame)
        self.child.stdin.flush()

    def begin(self, plan: Scenario) -> None:
        self.tell(*orders.plan(plan), orders.begin(plan.start))

    def leave(self) -> None:
        """Close its standard input, as a host does that is gone."""
        assert self.child.stdin is not None
        self.child.stdin.close()

    def listen(self, seconds: float) -> bool:
        """Take what comes within that time; false when nothing does."""
        assert self.child.stdout is not None
        ready, _, _ = select.select([self.child.stdout], [], [], seconds)
        if not ready:
            return False
        data = os.read(self.child.stdout.fileno(), 1 << 16)
        self.said += self.decoder.feed(data)
        self.ended |= not data
        return True

    def wait_for(self, there: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT_SECONDS
        while not there():
            assert not self.ended, self.said
            assert time.monotonic() < limit, self.said
            self.listen(1)

    def wait_for_any(self, kind: type[Kind], **wanted: object) -> Kind:
        self.wait_for(lambda: bool(self.find(kind, **wanted)))
        return self.find(kind, **wanted)[0]

    def wait_for_nth(self, kind: type[Kind], number: int) -> Kind:
        self.wait_for(lambda: len(self.find(kind)) >= number)
        return self.find(kind)[number - 1]

    def finish(self) -> list[reports.Report]:
        """Wait for its end and return all that it said."""
        limit = time.monotonic() + LIMIT_SECONDS
        while not self.ended:
            assert time.monotonic() < limit, self.said
            self.listen(1)
        assert self.child.wait(LIMIT_SECONDS) == 0
        return self.said

    def find(self, kind: type[Kind], **wanted: object) -> list[Kind]:
        return [
            report
            for report in self.said
            if isinstance(report, kind)
            and all(getattr(report, key) == value for key, value in wanted.items())
        ]

    def one(self, kind: type[Kind], **wanted: object) -> Kind:
        found = self.find(kind, **wanted)
        assert len(found) == 1, self.said
        return found[0]

    def errors(self) -> list[str]:
        return [report.message for report in self.find(reports.ErrorReport)]

    def job_states(self, name: str) -> list[str]:
        return [report.state.value for report in self.find(reports.JobReport, name=name)]

    def lines(self, name: str) -> list[str]:
        return [
            line.text for report in self.find(reports.LogReport, name=name) for line in report.lines
        ]

    def values(self, name: str, subject: str) -> list[dict[str, float]]:
        return [
            dict(report.values)
            for report in self.find(reports.SampleReport, name=name, subject=subject)
        ]


@dataclass
class Lab:
    program: Path
    running: list[Conductor] = field(default_factory=list)

    def start(self, *options: str, wrapper: tuple[str, ...] = (), path: str = "") -> Conductor:
        """Start one, which leaves this machine's clock and control groups alone."""
        argv = [*wrapper, str(self.program), "--no-clock", *options]
        if "--cgroups" not in options:
            argv += ["--cgroups", "none"]
        environment = {
            **os.environ,
            # What it knows it needs up to its end.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PATH": f"{path}{os.pathsep if path else ''}{os.environ['PATH']}",
        }
        child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.running.append(Conductor(child))
        return self.running[-1]

    def run(self, plan: Scenario, *options: str) -> Conductor:
        """Run a plan to its end."""
        conductor = self.start(*options)
        conductor.begin(plan)
        conductor.finish()
        return conductor


@pytest.fixture
def lab(conductor_program: Path) -> Iterator[Lab]:
    made = Lab(conductor_program)
    yield made
    for conductor in made.running:
        with suppress(OSError, ValueError):
            conductor.leave()
        try:
            conductor.child.wait(30)
        except subprocess.TimeoutExpired:
            conductor.child.kill()
            conductor.child.wait()
        assert conductor.child.stdout is not None
        conductor.child.stdout.close()

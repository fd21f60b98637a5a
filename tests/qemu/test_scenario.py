# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios in a real guest: their verdicts, and runs that are killed and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from debian_system import debian_system_image

from dynaccel.recording.reader import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

LIMIT_SECONDS = 600
HEAD = """\
name = "test"
start = 2038-01-19T03:00:00Z

[machine]
kernel = "{kernel}"
accelerator = "tcg"
root = "{root}"
memory = "256M"
"""


def write(tmp_path: Path, kernel: Kernel, body: str, *, root: str | None = None) -> Path:
    path = tmp_path / "test.toml"
    head = HEAD.format(kernel=kernel.short_id, root=root or debian_system_image())
    path.write_text(head + body)
    return path


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dynaccel.cli.main", "scenario", *words, "--plain"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run(*words: str) -> tuple[int, str]:
    with start(*words) as child:
        output, _ = child.communicate(timeout=LIMIT_SECONDS)
    return child.returncode, output


def checks(directory: Path) -> dict[str, dict[str, Any]]:
    verdict = json.loads((directory / "verdict.json").read_text())
    return {check["name"]: check for check in verdict["checks"]}


def test_a_year_2038_holds(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "greet.sh").write_text("#!/bin/sh\necho hello from the host\n")
    (tmp_path / "greet.sh").chmod(0o755)
    source = write(
        tmp_path,
        kernel,
        """
files = { "/opt/greet/greet.sh" = "greet.sh" }

[[phase]]
name = "before"
ratio = 10
until = 2038-01-19T03:01:00Z

[[phase]]
name = "through"
ratio = 500
ramp = "1m"
for = "3h"

[job.greet]
kind = "setup"
command = "/opt/greet/greet.sh"

[job.tick]
kind = "repeat"
every = "30m"
command = "date --utc +%Y"

[job.last]
kind = "finish"
command = "test $(date --utc +%s) -gt 2147483647"

[check.greeted]
kind = "log-present"
log = "greet"
pattern = "hello from the host"

[check.ticked]
kind = "runs"
job = "tick"
share = 0.8
""",
    )
    status, output = run("run", str(source), "--output", str(tmp_path / "run"))
    assert status == 0, output
    directory = tmp_path / "run"
    assert all(check["outcome"] == "passed" for check in checks(directory).values())
    assert ET.parse(directory / "junit.xml").getroot().find(".//failure") is None  # noqa: S314
    assert "<html" in (directory / "report.html").read_text()
    with Recording.open(directory / "recording.sqlite") as recording:
        assert [phase.ended_by for phase in recording.phases()] == ["date", "time"]
        assert recording.job_totals("last").well == 1
    # What has come to its end is not gone on with.
    status, output = run("resume", str(directory))
    assert status == 2
    assert "has come to its end" in output


KILLED = """
[checkpoints]
every-real = "3s"

[[phase]]
name = "long"
ratio = 1000
for = "8h"

[job.tick]
kind = "repeat"
every = "10m"
command = "true"
"""


def kill_when(child: subprocess.Popen[str], directory: Path, *, checkpoints: int) -> int:
    """Kill a run once it has some checkpoints; return the virtual time of the last."""
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit and child.poll() is None:
        with suppress(Exception), Recording.open(directory / "recording.sqlite") as recording:
            made = recording.checkpoints()
            begun = bool(recording.phases())
            if begun and len(made) >= checkpoints:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                return made[-1].stamp.virtual_ns if made else 0
        time.sleep(0.2)
    output = child.communicate()[0]
    pytest.fail(f"it ended before it could be killed: {output}")


def test_a_killed_run_goes_on_from_its_last_checkpoint(kernel: Kernel, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    with start("run", str(write(tmp_path, kernel, KILLED)), "--output", str(directory)) as child:
        saved = kill_when(child, directory, checkpoints=2)
    status, output = run("resume", str(directory))
    assert checks(directory)["finished"]["outcome"] == "passed", output
    assert status in {0, 1}, output  # a busy host may miss the ratio
    with Recording.open(directory / "recording.sqlite") as recording:
        first, second = recording.attempts()
        assert first.why == "killed"
        assert second.begun is not None
        assert second.begun.virtual_ns >= saved
        assert len(recording.phases()) == 1
        stamps = [pair.stamp for pair in recording.clock_pairs()]
        totals = recording.job_totals("tick")
        due = 8 * 6 + 1
        assert totals.started + totals.skipped in {due - 1, due, due + 1}
    assert stamps == sorted(stamps)


def test_without_a_disk_a_killed_run_begins_anew(kernel: Kernel, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    body = KILLED.replace('[checkpoints]\nevery-real = "3s"\n', "").replace("8h", "1h")
    source = write(tmp_path, kernel, body, root="host")
    with start("run", str(source), "--output", str(directory)) as child:
        kill_when(child, directory, checkpoints=0)
    _, output = run("resume", str(directory))
    assert "begins anew" in output
    assert checks(directory)["finished"]["outcome"] == "passed", output
    with Recording.open(directory / "recording.sqlite") as recording:
        assert [attempt.checkpoint for attempt in recording.attempts()] == ["", ""]


def test_a_panic_ends_in_a_verdict_with_the_memory(kernel: Kernel, tmp_path: Path) -> None:
    source = write(
        tmp_path,
        kernel,
        """
vmcore = true

[[phase]]
ratio = 100
for = "1h"

[job.crash]
kind = "once"
after = "1m"
command = "echo c > /proc/sysrq-trigger"
""",
    )
    status, output = run("run", str(source), "--output", str(tmp_path / "run"))
    assert status == 1, output
    assert "sysrq triggered crash" in output
    assert checks(tmp_path / "run")["finished"]["outcome"] == "failed"
    assert (tmp_path / "run" / "vmcore").stat().st_size > 1 << 20


def test_a_run_is_told_what_to_do(kernel: Kernel, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    name = f"told-{os.getpid()}"
    source = write(tmp_path, kernel, KILLED.replace('for = "8h"', 'for = "1y"'))
    with start("run", str(source), "--output", str(directory), "--name", name) as child:
        try:
            wait_for_phase(child, directory)
            tell = [sys.executable, "-m", "dynaccel.cli.main"]
            subprocess.run([*tell, "set", "200", "--vm", name], check=True)
            subprocess.run([*tell, "scenario", "tell", name, "end"], check=True)
            output, _ = child.communicate(timeout=LIMIT_SECONDS)
        finally:
            child.kill()
    assert child.returncode == 1, output  # its phase did not come to its end
    with Recording.open(directory / "recording.sqlite") as recording:
        assert (1000, 200) in [(each.before, each.after) for each in recording.ratio_changes()]
        assert recording.phases()[0].ended_by == "host"


def wait_for_phase(child: subprocess.Popen[str], directory: Path) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit and child.poll() is None:
        with suppress(Exception), Recording.open(directory / "recording.sqlite") as recording:
            if recording.phases():
                return
        time.sleep(0.2)
    pytest.fail("no phase began")

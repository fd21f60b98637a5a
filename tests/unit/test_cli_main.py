# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from dynaccel.cli import main, terminal
from dynaccel.cli.main import COMMANDS, Entry, dynaccel_command
from dynaccel.cli.run import summary
from dynaccel.core.errors import BuildError, InfrastructureError, MissingError, UserError
from dynaccel.core.events import Progress
from dynaccel.vm import local
from dynaccel.vm.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

SLOW = ("pydantic", "rich", "asyncio", "dynaccel.vm", "dynaccel.kbuild")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def _invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(dynaccel_command, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_help_loads_nothing_slow() -> None:
    code = (
        "import sys; from dynaccel.cli.main import dynaccel_command as c\n"
        "c(['--help'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith(" + repr(SLOW) + ")])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("frobnicate",), 2, "No such command"),
        (("--frobnicate",), 2, "No such option"),
        (("set",), 2, "Missing argument"),
        (("set", "0"), 2, "'0' is not a whole number"),
        (("get", "--vm", "none"), 2, "no guest named 'none'"),
        (("run",), 125, "Missing argument"),
        (("run", "--frobnicate", "--", "true"), 125, "No such option"),
        (("run", "--accel", "1001", "--", "true"), 125, "'1001' is not a whole number"),
        (("run", "--accel", "x", "--", "true"), 125, "hint:"),
        (("run", "--cpus", "0", "--", "true"), 125, "--cpus"),
        (("run", "--for", "soon", "--", "true"), 125, "'soon' is not a duration"),
        (("run", "--start", "1969-12-31", "--", "true"), 125, "is not a date"),
        (("run", "--root", "/nonexistent", "--", "true"), 125, "no root file system"),
        (("run", "--qemu", "-name 'x", "--", "true"), 125, "cannot be split into words"),
        (("run", "--accelerator", "hvf", "--", "true"), 125, "hvf"),
    ],
)
def test_bad_usage(words: tuple[str, ...], status: int, text: str) -> None:
    code, output = _invoke(*words)
    assert (code, "Traceback" in output) == (status, False)
    assert text in output


def _register(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "fail_for_test", fail, raising=False)
    monkeypatch.setitem(COMMANDS, "fail", Entry("dynaccel.cli.main:fail_for_test", "Fail."))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("no"), 2),
        (MissingError("no"), 3),
        (BuildError("no"), 4),
        (InfrastructureError("no"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_statuses(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    _register(monkeypatch, error)
    assert _invoke("fail")[0] == status


def test_an_error_is_shown_with_detail_and_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, MissingError("it broke", hint="mend it", detail="line 1\nline 2"))
    assert _invoke("fail")[1] == (
        "dynaccel: error: it broke\n    line 1\n    line 2\nhint: mend it\n"
    )


def test_an_unwritable_cache_is_125_for_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "file" / "cache"))
    code, output = _invoke("run", "--", "true")
    assert code == 125
    assert "DYNACCEL_CACHE" in output


def test_this_machine_without_acceleration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "CONTROL", tmp_path / "none")
    for words in (("get",), ("set", "5"), ("status",)):
        code, output = _invoke(*words)
        assert code == 3
        assert "--vm NAME" in output


def test_this_machine_with_acceleration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    control = tmp_path / "accel"
    control.write_text("7\n")
    monkeypatch.setattr(local, "CONTROL", control)
    assert _invoke("get") == (0, "7\n")
    assert _invoke("set", "200") == (0, "")
    assert control.read_text() == "200\n"
    code, output = _invoke("status", "--json")
    assert (code, json.loads(output)["ratio"]) == (0, 200)
    assert _invoke("status")[1].startswith("ratio ")


def test_ps_without_guests() -> None:
    assert _invoke("ps", "--json") == (0, "[]\n")
    assert _invoke("ps")[1].startswith("NAME")


def test_the_last_line_of_a_run() -> None:
    result = RunResult(
        exit_status=0, accel=1000, virtual_seconds=86400.0, real_seconds=86.44,
        achieved_ratio=999.54, cpus=2,
    )  # fmt: skip
    assert summary(result) == "dynaccel: virtual 1 d, real 1 min 26 s, ratio 999.54 (asked: 1000)"
    assert summary(RunResult(exit_status=127, accel=1, cpus=2)) is None


class _Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_the_reporter_never_raises() -> None:
    with terminal.TerminalReporter(stream=_Broken()) as reporter:
        reporter.info("x")
        reporter.warning("x")
        reporter.progress(Progress(stage="s", done=1, total=2))


def test_plain_progress_is_rare() -> None:
    stream = io.StringIO()
    with terminal.TerminalReporter(stream=stream) as reporter:
        for done in range(101):
            reporter.progress(Progress(stage="build", done=done, total=100, message="x.o"))
    assert stream.getvalue() == "build: 0/100, x.o\nbuild: 100/100, x.o\n"


def test_quiet_keeps_warnings() -> None:
    stream = io.StringIO()
    with terminal.TerminalReporter(verbosity=-1, stream=stream) as reporter:
        reporter.info("no")
        reporter.warning("yes")
        reporter.progress(Progress(stage="no", done=1))
    assert stream.getvalue() == "dynaccel: warning: yes\n"


def test_very_quiet_keeps_nothing() -> None:
    stream = io.StringIO()
    with terminal.TerminalReporter(verbosity=-2, stream=stream) as reporter:
        reporter.warning("no")
    assert stream.getvalue() == ""

# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from vm_fakes import Fakes, fakes

from dynaccel.core.errors import (
    DynaccelError,
    GuestBootError,
    GuestLostError,
    GuestPanicError,
    GuestShutdownError,
    InfrastructureError,
    MissingError,
    UserError,
)
from dynaccel.core.events import NullReporter
from dynaccel.vm import registry, remote
from dynaccel.vm import run as run_module
from dynaccel.vm.guest import Limits
from dynaccel.vm.streams import Streams

__all__ = ["fakes"]

SHORT = Limits(boot=30, silence=30, answer=30, power_off=1, grace=0.3)
"""What a test waits for is short, what a busy host may take is not."""
IMPATIENT = {
    "silent": replace(SHORT, silence=0.6),
    "no-hello": replace(SHORT, boot=3),
    "short-stdout": replace(SHORT, answer=1),
}
"""For guests that are given up."""
MEGABYTES = 100


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_the_commands_own(fakes: Fakes, status: int) -> None:
    assert fakes.run("sh", "-c", f"exit {status}").exit_status == status


def test_a_command_that_died_of_a_signal_ends_as_in_a_shell(fakes: Fakes) -> None:
    assert fakes.run("sh", "-c", "kill -SEGV $$").exit_status == 128 + 11


@pytest.mark.parametrize(
    ("command", "status", "error"),
    [("./no-such-program", 127, "not_found"), ("/etc/passwd", 126, "not_executable")],
)
def test_a_command_that_cannot_start(fakes: Fakes, command: str, status: int, error: str) -> None:
    result = fakes.run(command)
    assert (result.exit_status, result.error) == (status, error)


def test_the_result_has_the_contracts_keys(fakes: Fakes, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    fakes.run("sleep", "0.3", ratio=200, result=target)
    value = json.loads(target.read_text())
    assert set(value) == {
        "exit_status", "accel", "virtual_seconds", "real_seconds", "achieved_ratio",
        "boot_seconds", "kernel", "accelerator", "cpus",
    }  # fmt: skip
    assert value["kernel"] == "6.1.0-fake"
    assert value["accelerator"] == "tcg"
    assert value["real_seconds"] >= 0.29
    assert value["achieved_ratio"] == pytest.approx(
        value["virtual_seconds"] / value["real_seconds"]
    )
    assert 20 < value["achieved_ratio"] < 400


@pytest.mark.parametrize(
    ("mode", "error", "kind", "said"),
    [
        ("panic", GuestPanicError, "panic", "Kernel panic - not syncing: fake"),
        ("die", GuestLostError, "lost", "last words"),
        ("reset", GuestLostError, "lost", "Linux version fake"),
        ("off", GuestShutdownError, "shutdown", "Linux version fake"),
        ("silent", GuestLostError, "lost", "Linux version fake"),
        ("garbage", GuestLostError, "lost", "Linux version fake"),
        ("no-hello", GuestBootError, "boot", "Linux version fake"),
        ("bad-option", GuestBootError, "boot", ""),
        ("short-stdout", GuestLostError, "lost", "Linux version fake"),
    ],
)
def test_a_guest_that_fails_is_named_and_leaves_a_result(  # noqa: PLR0917
    fakes: Fakes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    error: type[DynaccelError],
    kind: str,
    said: str,
) -> None:
    monkeypatch.setenv("FAKE_QEMU", mode)
    target = tmp_path / "result.json"
    command = ("true",) if mode == "short-stdout" else ("sleep", "60")
    with pytest.raises(error) as caught:
        fakes.run(*command, result=target, limits=IMPATIENT.get(mode, SHORT))
    value = json.loads(target.read_text())
    assert (value["exit_status"], value["error"]) == (125, kind)
    assert value["message"] == caught.value.message
    assert said in value["console_tail"]


def test_what_qemu_complains_of_is_in_the_error(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "bad-option")
    with pytest.raises(GuestBootError) as caught:
        fakes.run("true")
    assert "-fake: invalid option" in (caught.value.detail or "")


def test_one_hundred_megabytes_go_through_both_ways(fakes: Fakes, tmp_path: Path) -> None:
    block = os.urandom(1 << 20)
    source, sink, errors = (tmp_path / name for name in ("in", "out", "err"))
    with source.open("wb") as stream:
        for _ in range(MEGABYTES):
            stream.write(block)
    with source.open("rb") as first, sink.open("wb") as second, errors.open("wb") as third:
        result = run_module.run(
            fakes.request("sh", "-c", "cat; echo done >&2"),
            streams=Streams(stdin=first.fileno(), stdout=second.fileno(), stderr=third.fileno()),
            reporter=NullReporter(),
        )
    assert result.exit_status == 0
    assert _digest(sink) == _digest(source)
    assert errors.read_bytes() == b"done\n"


def test_input_that_never_ends_does_not_hold_up_the_end(fakes: Fakes) -> None:
    reading, writing = os.pipe()
    try:
        result = run_module.run(
            fakes.request("true"), streams=Streams(stdin=reading), reporter=NullReporter()
        )
        os.write(writing, b"still there")
        assert os.read(reading, 100) == b"still there"
    finally:
        os.close(reading)
        os.close(writing)
    assert result.exit_status == 0


def test_a_reader_that_leaves_ends_the_command_with_sigpipe(fakes: Fakes) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run_module.run(
            fakes.request("yes"),
            streams=Streams(stdin=None, stdout=writing),
            reporter=NullReporter(),
        )
    finally:
        os.close(writing)
    assert result.exit_status == 128 + 13


def test_a_full_disk_behind_standard_output_is_an_error(fakes: Fakes) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(InfrastructureError):
        run_module.run(
            fakes.request("echo", "lost"),
            streams=Streams(stdin=None, stdout=full.fileno()),
            reporter=NullReporter(),
        )


def test_the_time_limit_ends_the_command_with_124(fakes: Fakes) -> None:
    result = fakes.run("sleep", "60", timeout=timedelta(seconds=0.3), limits=SHORT)
    assert (result.exit_status, result.error) == (124, "timeout")
    assert result.real_seconds is not None
    assert 0.29 < result.real_seconds < 20


def test_the_time_limit_does_not_depend_on_the_commands_consent(fakes: Fakes) -> None:
    script = "trap '' TERM; while :; do sleep 0.05; done"
    result = fakes.run("sh", "-c", script, timeout=timedelta(seconds=0.3), limits=SHORT)
    assert result.exit_status == 124


def test_the_virtual_limit_is_a_normal_end(fakes: Fakes) -> None:
    result = fakes.run("sleep", "60", ratio=100, virtual_limit=timedelta(seconds=20))
    assert (result.exit_status, result.error) == (0, None)


def test_after_the_virtual_limit_the_commands_own_status_counts(fakes: Fakes) -> None:
    script = "trap 'exit 7' TERM; while :; do sleep 0.02; done"
    result = fakes.run("sh", "-c", script, ratio=100, virtual_limit=timedelta(seconds=50))
    assert result.exit_status == 7


def test_the_job_is_the_callers(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "job.json"
    monkeypatch.setenv("FAKE_JOB", str(seen))
    monkeypatch.setenv("ODD", "a b\n\udcff")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared").mkdir()
    start = datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)
    fakes.run("true", "", "x y", ratio=7, start=start, shares=(Path("shared"),), net=True)
    job = json.loads(seen.read_text())
    one = dict(job)
    assert [value for key, value in job if key == "arg"] == ["true", "", "x y"]
    assert one["cwd"] == str(tmp_path)
    assert one["root"] == "9p:root"
    assert one["share"] == f"share0:{tmp_path}/shared"
    assert int(one["uid"]) == os.getuid()
    assert one["ratio"] == "7"
    assert one["net"] == "user"
    assert one["realtime_ns"] == str(2**31 - 1) + "000000000"
    assert any(key == "env" and value.startswith("ODD=a b\n") for key, value in job)


def test_a_root_without_the_working_directory_starts_in_slash(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "job.json"
    monkeypatch.setenv("FAKE_JOB", str(seen))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root").mkdir()
    fakes.run("true", root=str(tmp_path / "root"))
    assert dict(json.loads(seen.read_text()))["cwd"] == "/"


def test_a_kernel_that_cannot_accelerate_is_refused(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "plain")
    with pytest.raises(UserError, match="cannot accelerate"):
        fakes.run("true", ratio=2)
    assert fakes.run("true", ratio=1).exit_status == 0


BAD_REQUESTS: dict[str, tuple[dict[str, Any], type[DynaccelError]]] = {
    "no command": ({"command": ()}, UserError),
    "ratio 0": ({"ratio": 0}, UserError),
    "ratio 1001": ({"ratio": 1001}, UserError),
    "no root": ({"root": "nowhere"}, UserError),
    "damaged image": ({"root": "damaged.qcow2"}, UserError),
    "no image": ({"root": "text"}, UserError),
    "no share": ({"shares": (Path("nowhere"),)}, UserError),
    "no kernel": ({"kernel": None}, MissingError),
    "no such kernel": ({"kernel": "/no/kernel"}, UserError),
    "little memory": ({"memory_bytes": 1 << 20}, UserError),
    "no such user": ({"user": "no such user"}, UserError),
    "bad name": ({"name": "../x"}, UserError),
    "result is a directory": ({"result": Path()}, UserError),
    "result below a file": ({"result": Path("text/x")}, UserError),
    "long environment": ({"command": ("true", *("x" * 99999 for _ in range(50)))}, UserError),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_requests_are_refused(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("damaged.qcow2").write_bytes(b"not qcow2" * 100)
    Path("text").write_text("hello")
    changes, error = BAD_REQUESTS[case]
    with pytest.raises(error) as caught:
        run_module.run(
            replace(fakes.request("true"), **changes),
            streams=Streams(stdin=None),
            reporter=NullReporter(),
        )
    assert caught.value.hint


def test_nothing_to_boot_is_named_in_the_result(fakes: Fakes, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with pytest.raises(MissingError):
        fakes.run("true", kernel=None, result=target)
    assert json.loads(target.read_text())["error"] == "nothing_to_boot"


def test_without_qemu_the_hint_installs_it(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingError) as caught:
        fakes.run("true")
    assert "apt-get install qemu-system-x86" in (caught.value.hint or "")


class Background:
    """Guests whose command runs until it is told to end; it ends with status 9."""

    def __init__(self, fakes: Fakes, directory: Path, *names: str) -> None:
        self.statuses: dict[str, int] = {}
        self._fakes = fakes
        self._flag = directory / "end"
        self._threads = [threading.Thread(target=self._run, args=(name,)) for name in names]

    def _run(self, name: str) -> None:
        script = f"while [ ! -e {self._flag} ]; do sleep 0.05; done; exit 9"
        self.statuses[name] = self._fakes.run("sh", "-c", script, name=name).exit_status

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flag.touch()
        for thread in self._threads:
            thread.join()


def _ask(name: str, **request: object) -> remote.Answer:
    """Ask, as soon as the guest runs its command."""
    for _ in range(400):
        try:
            return remote.ask(name, request)
        except (InfrastructureError, UserError) as error:
            if "booted" not in error.message and "no guest" not in error.message:
                raise
            time.sleep(0.05)
    raise AssertionError(f"{name} never ran")


def test_guests_side_by_side_are_told_apart(fakes: Fakes, tmp_path: Path) -> None:
    with Background(fakes, tmp_path, "one", "two") as background:
        _ask("one", op="set", ratio=100)
        assert _ask("two", op="get")["ratio"] == 1
        assert _ask("one", op="status")["ratio"] == 100
        assert sorted(info.name for info in registry.running()) == ["one", "two"]
        with pytest.raises(UserError, match="runs already"):
            fakes.run("true", name="one")
        with pytest.raises(UserError, match="not a whole number"):
            remote.ask("one", {"op": "set", "ratio": 0})
        with pytest.raises(UserError, match="cannot"):
            remote.ask("one", {"op": "dance"})
        assert _ask("one", op="get")["ratio"] == 100
    assert background.statuses == {"one": 9, "two": 9}


def test_a_refused_ratio_is_a_user_error(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "refuse")
    with Background(fakes, tmp_path, "one") as background:
        _ask("one", op="get")
        with pytest.raises(UserError, match="Invalid argument"):
            remote.ask("one", {"op": "set", "ratio": 5})
    assert background.statuses == {"one": 9}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

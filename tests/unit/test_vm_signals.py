# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals and streams of the real process ``dynaccel run``, on the fake QEMU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from vm_fakes import Fakes, fakes

from dynaccel.vm import registry

__all__ = ["fakes"]

LIMIT_SECONDS = 60
TRAP = "trap 'echo {0}; exit 7' {0}; echo ready; while :; do sleep 0.05; done"
STUBBORN = "trap 'echo caught' INT TERM; echo ready; while :; do sleep 0.05; done"


def _start(fakes: Fakes, script: str, *options: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        fakes.argv(*options, "--", "sh", "-c", script),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def _finish(child: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = child.communicate(timeout=LIMIT_SECONDS)
    return child.returncode, out, err


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1"])
def test_a_signal_reaches_the_command(fakes: Fakes, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"who started this ignores {number.name} (nohup, or & in a script)")
    child = _start(fakes, TRAP.format(name))
    child.send_signal(number)
    status, out, err = _finish(child)
    assert (status, out) == (7, name.encode() + b"\n")
    assert err.splitlines()[-1].startswith(b"dynaccel: virtual ")


def test_a_second_signal_ends_the_guest(fakes: Fakes, tmp_path: Path) -> None:
    child = _start(fakes, STUBBORN, "--result", str(tmp_path / "r.json"))
    child.send_signal(signal.SIGINT)
    assert child.stdout is not None
    assert child.stdout.readline() == b"caught\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    status, _, err = _finish(child)
    assert status == 128 + signal.SIGINT
    assert b"Traceback" not in err
    assert json.loads((tmp_path / "r.json").read_text())["error"] == "interrupted"


def test_a_signal_that_comes_twice_at_once_is_one(fakes: Fakes) -> None:
    child = _start(fakes, TRAP.format("TERM"))
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGTERM)
    assert _finish(child)[0] == 7


def test_a_signal_before_the_command_ends_the_guest(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "no-hello")
    child = subprocess.Popen(fakes.argv("--", "true"), stderr=subprocess.PIPE)
    while not _qemu_of(child.pid):
        time.sleep(0.05)
    time.sleep(0.2)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=LIMIT_SECONDS)
    assert child.returncode == 128 + signal.SIGTERM


def test_qemu_killed_is_a_lost_guest(fakes: Fakes, tmp_path: Path) -> None:
    child = _start(fakes, STUBBORN, "--result", str(tmp_path / "r.json"))
    (qemu,) = _qemu_of(child.pid)
    before = time.monotonic()
    os.kill(qemu, signal.SIGKILL)
    status, _, err = _finish(child)
    assert status == 125
    assert b"SIGKILL" in err
    assert time.monotonic() - before < 15
    assert json.loads((tmp_path / "r.json").read_text())["error"] == "lost"


def test_qemu_does_not_outlive_a_killed_dynaccel(fakes: Fakes) -> None:
    child = _start(fakes, STUBBORN, "--name", "orphan")
    (qemu,) = _qemu_of(child.pid)
    child.kill()
    child.wait()
    limit = time.monotonic() + 20
    while _alive(qemu) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not _alive(qemu)
    # The name is free again, and what was left is gone.
    assert registry.running() == []
    assert fakes.run("true", name="orphan").exit_status == 0


def test_standard_streams_may_be_closed(fakes: Fakes) -> None:
    words = fakes.argv("--", "sh", "-c", "cat; echo lost; exit 5")
    done = subprocess.run(
        ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *words], check=False, timeout=LIMIT_SECONDS
    )
    assert done.returncode == 5


def test_flags_of_shared_streams_are_left_alone(fakes: Fakes) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as end:
        subprocess.run(
            fakes.argv("--", "echo", "x"), stdin=reading, stdout=end, check=True,
            timeout=LIMIT_SECONDS,
        )  # fmt: skip
        assert os.get_blocking(reading)
        assert os.get_blocking(writing)


def test_input_is_not_taken_from_the_script_that_goes_on(fakes: Fakes, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.write_bytes(b"a line\n" * 3)
    with source.open("rb") as stream:
        done = subprocess.run(
            fakes.argv("--", "cat"), stdin=stream, capture_output=True, check=True,
            timeout=LIMIT_SECONDS,
        )  # fmt: skip
    assert done.stdout == source.read_bytes()


def _qemu_of(pid: int) -> list[int]:
    """Return the children of a process that are the fake QEMU."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and "qemu_system" in (directory / "cmdline").read_text():
                found.append(int(directory.name))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

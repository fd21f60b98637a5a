# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel run`` on a real guest, as a user calls it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

LIMIT_SECONDS = 180
DYNACCEL = (sys.executable, "-m", "dynaccel.cli.main")
MEBIBYTES = 100


def argv(kernel: Kernel, *words: str) -> list[str]:
    return [*DYNACCEL, "run", "--accelerator", "tcg", "--kernel", str(kernel.image), *words]


def run(
    kernel: Kernel, *words: str, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv(kernel, *words), input=stdin or b"", capture_output=True, check=False, cwd=cwd,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip


def start(kernel: Kernel, *words: str) -> subprocess.Popen[bytes]:
    """Start a run whose command says 'ready', and wait until it does."""
    child = subprocess.Popen(
        argv(kernel, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def finish(child: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = child.communicate(timeout=LIMIT_SECONDS)
    return child.returncode, out, err


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("false",), 1),
        (("sh", "-c", "exit 42"), 42),
        (("sh", "-c", "kill -KILL $$"), 128 + 9),
        (("no-such-program",), 127),
        (("/etc/passwd",), 126),
    ],
)
def test_exit_statuses(kernel: Kernel, command: tuple[str, ...], status: int) -> None:
    done = run(kernel, "--", *command)
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr


def test_the_surroundings_are_the_callers(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_VALUE", "a b\tc")
    script = 'pwd; printf "%s\\n" "$SOME_VALUE"; id -u; umask; cat; echo oops >&2; uname -r'
    done = run(kernel, "--", "sh", "-c", script, stdin=b"input\n", cwd=tmp_path)
    umask = os.umask(0)
    os.umask(umask)
    first, value, uid, mask, text, release = done.stdout.decode().splitlines()
    assert (first, value, uid) == (str(tmp_path), "a b\tc", str(os.getuid()))
    assert (int(mask, 8), text) == (umask, "input")
    assert release != os.uname().release
    error, last = done.stderr.decode().splitlines()
    assert error == "oops"
    assert last.startswith("dynaccel: virtual ")


def test_one_hundred_mebibytes_both_ways(kernel: Kernel, tmp_path: Path) -> None:
    source = tmp_path / "in"
    with source.open("wb") as stream:
        for _ in range(MEBIBYTES):
            stream.write(os.urandom(1 << 20))
    with source.open("rb") as stream:
        child = subprocess.Popen(
            argv(kernel, "--", "cat"), stdin=stream, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdout is not None
        got = hashlib.sha256()
        while data := child.stdout.read(1 << 20):
            got.update(data)
    assert child.wait(LIMIT_SECONDS) == 0
    with source.open("rb") as stream:
        assert got.digest() == hashlib.file_digest(stream, "sha256").digest()


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_reaches_the_command(kernel: Kernel, name: str) -> None:
    script = f"trap 'echo got; exit 7' {name}; echo ready; while :; do sleep 0.1; done"
    child = start(kernel, "--", "sh", "-c", script)
    child.send_signal(getattr(signal, f"SIG{name}"))
    status, out, _ = finish(child)
    assert (status, out) == (7, b"got\n")


def test_a_second_signal_ends_the_guest(kernel: Kernel) -> None:
    child = start(kernel, "--", "sh", "-c", "trap : INT; echo ready; while :; do sleep 0.1; done")
    child.send_signal(signal.SIGINT)
    time.sleep(1)
    before = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert finish(child)[0] == 128 + signal.SIGINT
    assert time.monotonic() - before < 10


def test_a_reader_that_leaves(kernel: Kernel) -> None:
    child = subprocess.Popen(
        argv(kernel, "--", "yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"y\n"
    child.stdout.close()
    assert child.stderr is not None
    err = child.stderr.read()
    assert child.wait(LIMIT_SECONDS) == 128 + signal.SIGPIPE
    assert b"Traceback" not in err


def test_qemu_killed(kernel: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    script = "echo '<3>last words' > /dev/kmsg; echo ready; sleep 600"
    options = ["--user", "root", "--result", str(result)]
    child = start(kernel, *options, "--", "sh", "-c", script)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    before = time.monotonic()
    for pid in children:
        os.kill(int(pid), signal.SIGKILL)
    assert finish(child)[0] == 125
    assert time.monotonic() - before < 10
    value = json.loads(result.read_text())
    assert value["error"] == "lost"
    assert "last words" in value["console_tail"]


def test_a_panic(kernel: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    done = run(
        kernel, "--user", "root", "--result", str(result), "--",
        "sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 600",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (125, b"before\n")
    value = json.loads(result.read_text())
    assert value["error"] == "panic"
    assert "sysrq triggered crash" in value["console_tail"]
    assert b"sysrq triggered crash" in done.stderr


def test_virtual_limit(kernel: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    done = run(
        kernel, "--accel", "1000", "--for", "1h", "--result", str(result), "--", "sleep", "1000000"
    )
    value = json.loads(result.read_text())
    assert done.returncode == 0
    assert 3600 <= value["virtual_seconds"] < 2 * 3600
    assert value["achieved_ratio"] == pytest.approx(1000, rel=0.1)


def test_real_limit(kernel: Kernel, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    done = run(kernel, "--timeout", "2s", "--result", str(result), "--", "sleep", "600")
    value = json.loads(result.read_text())
    assert (done.returncode, value["error"]) == (124, "timeout")
    assert 2 <= value["real_seconds"] < 20


def test_start(kernel: Kernel) -> None:
    done = run(kernel, "--start", "2038-01-19T03:14:00Z", "--", "date", "-u", "+%F %H:%M")
    assert done.stdout in {b"2038-01-19 03:14\n", b"2038-01-19 03:15\n"}


def test_shares_write_through_and_nothing_else_does(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "there").write_text("old")
    script = "echo new > there; echo x > fresh; echo y > shared/file; cat there"
    done = run(kernel, "--share", "shared", "--", "sh", "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"new\n")
    assert (tmp_path / "there").read_text() == "old"
    assert not (tmp_path / "fresh").exists()
    assert (tmp_path / "shared" / "file").read_text() == "y\n"


def test_the_ratio_changes_under_the_command_of_one_of_two_guests(kernel: Kernel) -> None:
    script = "echo ready; read line; exit 3"
    guests = [
        subprocess.Popen(
            argv(kernel, "--name", f"test-{os.getpid()}-{name}", "--", "sh", "-c", script),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        for name in ("a", "b")
    ]  # fmt: skip
    for guest in guests:
        assert guest.stdout is not None
        assert guest.stdout.readline() == b"ready\n"

    def ask(verb: str, name: str, *words: str) -> str:
        vm = f"test-{os.getpid()}-{name}"
        return subprocess.run(
            [*DYNACCEL, verb, "--vm", vm, *words], capture_output=True, check=True, text=True,
            timeout=LIMIT_SECONDS,
        ).stdout  # fmt: skip

    ask("set", "a", "500")
    assert (ask("get", "a"), ask("get", "b")) == ("500\n", "1\n")
    first = json.loads(ask("status", "a", "--json"))
    time.sleep(4)
    second = json.loads(ask("status", "a", "--json"))
    virtual = second["virtual_seconds"] - first["virtual_seconds"]
    real = second["real_seconds"] - first["real_seconds"]
    assert virtual / real == pytest.approx(500, rel=0.1)
    for guest in guests:
        guest.communicate(b"go on\n", timeout=LIMIT_SECONDS)
        assert guest.returncode == 3


def test_a_directory_as_root(kernel: Kernel, tmp_path: Path) -> None:
    busybox = Path("/bin/busybox")
    if not busybox.exists():
        pytest.skip("busybox-static is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "busybox").write_bytes(busybox.read_bytes())
    (tmp_path / "bin" / "busybox").chmod(0o755)
    tmp_path.chmod(0o755)
    done = run(kernel, "--root", str(tmp_path), "--", "/bin/busybox", "ls", "/bin", cwd=Path("/"))
    assert (done.returncode, done.stdout) == (0, b"busybox\n")

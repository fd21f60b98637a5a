# SPDX-License-Identifier: GPL-2.0-or-later
"""What shells are told when a user presses the tabulator key."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from dynaccel.cli import manual
from dynaccel.cli.main import COMMANDS, dynaccel_command
from dynaccel.core.errors import DynaccelError
from dynaccel.vm import registry

if TYPE_CHECKING:
    from pathlib import Path

FILE = [("file", "")]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def _complete(*words: str) -> list[tuple[str, str]]:
    """Return kind and value of what the last of the words may become."""
    shell = ShellComplete(dynaccel_command, {}, "dynaccel", manual.COMPLETION_VARIABLE)
    found = shell.get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in found]


def _words(*words: str) -> list[str]:
    found = _complete(*words)
    assert {kind for kind, _ in found} <= {"plain"}
    return [value for _, value in found]


def _file_kernel(places: Path, name: str, manifest: bytes) -> None:
    directory = places / "cache" / "kernels" / name
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_bytes(manifest)


def test_commands_and_options() -> None:
    assert _words("ker") == ["kernel"]
    assert _words("") == list(COMMANDS)
    assert {"build", "patch", "list"} <= set(_words("kernel", ""))
    assert _words("run", "--acc") == ["--accel", "--accelerator"]
    assert _words("run", "--accelerator", "") == ["auto", "kvm", "tcg"]


def test_kernels(places: Path) -> None:
    assert _complete("run", "--kernel", "") == FILE
    _file_kernel(places, "1234567890ab", json.dumps({"release": "6.1.9"}).encode())
    _file_kernel(places, "12ffffffffff", json.dumps({"release": "7.2.0"}).encode())
    _file_kernel(places, "12damaged", b"{")
    _file_kernel(places, ".12beingbuilt", b"")
    assert _words("run", "--kernel", "") == ["1234567890ab", "12ffffffffff"]
    assert _words("verify", "--kernel", "123") == ["1234567890ab"]
    assert _words("kernel", "rm", "12ffffffffff", "1") == ["1234567890ab", "12ffffffffff"]
    assert _complete("run", "--kernel", "./b") == [("file", "./b")]


def test_guests() -> None:
    assert _words("set", "--vm", "") == []
    info = registry.GuestInfo(
        name="night", pid=1, command=("sleep", "9"), ratio=2, kernel="k", accelerator="tcg",
        cpus=1, started=0.0,
    )  # fmt: skip
    with registry.claimed("night") as directory:
        registry.publish(directory, info)
        assert _words("set", "--vm", "") == ["night"]
        assert _words("status", "--vm", "x") == []
    assert _words("get", "--vm", "n") == []


def test_words_and_files() -> None:
    assert _words("run", "--root", "d") == ["debian", "debian-system"]
    assert _complete("run", "--root", "/") == [("file", "/")]
    assert _words("run", "--arch", "") == ["amd64", "arm64"]
    assert _words("kernel", "build", "--without-hook", "watchdog-r") == ["watchdog-rcu"]
    assert "6.12" in _words("kernel", "matrix", "--row", "6.1")
    assert "clocks" in _words("verify", "--part", "")
    assert _words("scenario", "show", "tosh") == ["toshiba-short", "toshiba-ten-years"]
    assert _complete("scenario", "check", "") == FILE
    for words in (("kernel", "build", "--source"), ("kernel", "patch"), ("run", "--share")):
        assert _complete(*words, "") == FILE


def test_the_command_to_run(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("soak-test", 0o755), ("soak-notes", 0o644)):
        (places / name).touch(mode=mode)
    monkeypatch.setenv("PATH", f"{places}:{places / 'none'}")
    assert _words("run", "--accel", "9", "--", "soak") == ["soak-test"]
    assert _complete("run", "--accel", "9", "--", "soak-test", "so") == [("file", "so")]
    assert _complete("run", "./so") == [("file", "./so")]


def test_an_unusable_cache_completes_to_nothing(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "cache").touch()
    with suppress(DynaccelError):
        monkeypatch.setattr("os.getuid", lambda: 12345)
        registry.guests_dir()
        pytest.fail("the directory is somebody else's")
    assert _complete("run", "--kernel", "") == FILE
    assert _words("get", "--vm", "") == []


@pytest.mark.parametrize("shell", manual.COMPLETIONS)
def test_the_script_of_each_shell(shell: str, tmp_path: Path) -> None:
    script = manual.completion_script(dynaccel_command, shell)
    assert f"_DYNACCEL_COMPLETE={shell}_complete" in script
    path = tmp_path / "script"
    path.write_text(script, encoding="utf-8")
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

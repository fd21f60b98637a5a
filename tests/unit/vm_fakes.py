# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of dynaccel.vm share: a PATH on which QEMU is the fake, and a quick way to run."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.core.events import NullReporter
from dynaccel.vm import boot
from dynaccel.vm import run as run_module
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.result import RunRequest, RunResult
from dynaccel.vm.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.vm.guest import Limits

TSC_KHZ = 2_000_000
"""What the counter of this machine is said to count."""

FAKE = Path(__file__).parents[1] / "fakes" / "qemu_system.py"

DRIVER = """
import sys
from pathlib import Path
import dynaccel.vm.boot
dynaccel.vm.boot.guest_image = lambda **_: Path("initramfs.cpio")
dynaccel.vm.boot.counter_khz = lambda **_: None
from dynaccel.cli.main import main
main()
"""
"""The command line of dynaccel, but for what needs a compiler."""


@dataclass(frozen=True, slots=True)
class Fakes:
    """A directory with a fake QEMU and an image that can be named as kernel."""

    kernel: Path
    runtime: Path

    def request(self, *command: str, **changes: Any) -> RunRequest:
        return replace(
            RunRequest(command=command, kernel=str(self.kernel), accelerator=AcceleratorChoice.TCG),
            **changes,
        )

    def run(self, *command: str, limits: Limits | None = None, **changes: Any) -> RunResult:
        return run_module.run(
            self.request(*command, **changes),
            streams=Streams(stdin=None),
            reporter=NullReporter(),
            limits=limits,
        )

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a process that is ``dynaccel run`` with the fake."""
        return [
            sys.executable, "-c", DRIVER,
            "run", "--kernel", str(self.kernel), "--accelerator", "tcg", *words,
        ]  # fmt: skip


@pytest.fixture
def fakes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fakes]:
    # Not below tmp_path: the name of a socket must be short.
    base = tmp_path_factory.mktemp("f")
    programs, runtime = base / "bin", base / "run"
    programs.mkdir()
    runtime.mkdir()
    qemu = programs / "qemu-system-x86_64"
    qemu.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    qemu.chmod(0o755)
    kernel = base / "vmlinux"
    kernel.write_bytes(b"kernel")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("DYNACCEL_CACHE", str(base / "cache"))
    monkeypatch.setattr(boot, "guest_image", lambda **_: Path("initramfs.cpio"))
    monkeypatch.setattr(boot, "counter_khz", lambda **_: TSC_KHZ)
    yield Fakes(kernel, runtime)
    left = runtime / "dynaccel" / "vms"
    assert not left.exists() or list(left.iterdir()) == []

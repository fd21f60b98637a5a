# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel verify`` on kernels that lack a change of Linux: it fails and says which.

The kernels are built once (a minute each, for all but a few files are compiled already) and stay
in the store, where nothing takes them that does not name them. docs/verify.md tells of the others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.host import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

BUILD_SECONDS = 3600
VERIFY_SECONDS = 600
MISSING = 3
"""The exit status when a program is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A kernel that lacks hooks, and where that shows whatever the host does.

    Attributes:
        without: The hooks.
        ratio: The ratio to verify at.
        parts: The parts that fail.
        failing: Checks that fail, some for each hook.
    """

    without: tuple[str, ...]
    ratio: int
    parts: tuple[str, ...]
    failing: tuple[str, ...]


BROKEN = (
    # At a higher ratio such a guest may be too late to show that it lives.
    Broken(without=("clockevents",), ratio=10, parts=("clocks",), failing=("ticks of a busy CPU",)),
    Broken(
        without=("sched-clock", "timer-wheel"),
        ratio=100,
        parts=("clocks", "kernel timers"),
        failing=(
            "stamp in the kernel's log",
            "CPU time of a spinning thread",
            "socket time-out within a tick",
        ),
    ),
)


def call(words: Sequence[str], limit_seconds: float) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "dynaccel.cli.main", "-q", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=limit_seconds,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def build(without: Sequence[str]) -> Kernel:
    """Return a kernel without these hooks; built at the first call, found at the next ones."""
    options = [word for name in without for word in ("--without-hook", name)]
    done = call(["kernel", "build", *options], BUILD_SECONDS)
    if done.returncode == MISSING:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return kernels.load(Path(done.stdout.strip()))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: "+".join(broken.without))
def test_what_is_left_out_is_found_and_named(
    kernel: Kernel, broken: Broken, tmp_path: Path
) -> None:
    crippled = build(broken.without)
    assert crippled.manifest.without == broken.without
    assert crippled.manifest.id != kernel.manifest.id
    assert kernels.resolve(None).manifest.without == ()

    target = tmp_path / "v.json"
    words = ["verify", "--accelerator", "tcg", "--kernel", crippled.short_id]
    words += ["--accel", str(broken.ratio), "--json", str(target)]
    words += [word for part in broken.parts for word in ("--part", part)]
    done = call(words, VERIFY_SECONDS)
    assert done.returncode == 1, done.stderr

    value = json.loads(target.read_text())
    failed: dict[str, dict[str, Any]] = {
        check["name"]: check for check in value["checks"] if not check["ok"]
    }
    assert set(broken.failing) <= set(failed)
    assert set(broken.parts) == {check["part"] for check in failed.values()}
    # On a busy host other checks may fall short as well, but none of these may be missed.
    assert set(broken.without) <= set(value["hooks"])
    for name in broken.failing:
        hook = failed[name]["hooks"][0]
        assert hook in broken.without
        assert f"hook {hook}" in failed[name]["note"]
    for name in broken.without:
        assert f"likely broken: hook {name}, which explains " in done.stdout
    assert value["machine"]["manifest"]["without"] == list(broken.without)

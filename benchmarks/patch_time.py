# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the hooks alone take to be put into a clean tree.

    .venv/bin/python benchmarks/patch_time.py TREE...

Each TREE is a clean kernel tree, which stays as it is: what the hooks change is copied. The bar is
5 s of real time for each, on a machine that has nothing else to do; CPU time, which a busy machine
does not stretch as much, stands beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = 5
BAR_SECONDS = 5.0


def patch(tree: Path, *options: str) -> dict[str, Any]:
    """Run the patch stage without hardware time and return what it says."""
    program = str(Path(sys.executable).parent / "dynaccel")
    command = [program, "-q", "kernel", "patch", "--no-hwtime", "--json", *options, str(tree)]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=-1).stdout)
    return told


def copy(tree: Path, files: list[str], to: Path) -> None:
    """Make a tree with those of the files that are there."""
    for name in ("Makefile", *files):
        if (tree / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree / name, to / name)


def once(tree: Path, files: list[str]) -> tuple[float, float]:
    """Return real seconds and CPU seconds of one run."""
    with tempfile.TemporaryDirectory() as name:
        copy(tree, files, Path(name))
        used = os.times()
        started = time.monotonic()
        told = patch(Path(name))
        took = time.monotonic() - started
        now = os.times()
    assert told["outcome"] == "patched", told["outcome"]
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return took, cpu


def main() -> None:
    """Measure, print, and end with status 1 when a tree takes longer than the bar."""
    slow = False
    for name in sys.argv[1:]:
        tree = Path(name)
        told = patch(tree, "--dry-run")
        states = {hook["state"] for hook in told["hooks"]}
        assert states <= {"applies", "merges"}, f"{tree} is not clean: {states}"
        runs = [once(tree, [file["path"] for file in told["files"]]) for _ in range(RUNS)]
        real = statistics.median(took for took, _ in runs)
        cpu = statistics.median(used for _, used in runs)
        version = told["kernel_version"]
        print(f"Linux {version}: {real:.2f} s of real time, {cpu:.2f} s of CPU time ({RUNS} runs)")
        slow |= real > BAR_SECONDS
    sys.exit(slow)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Our KUnit tests, run by the kernel's own kunit tool in user-mode Linux, and clean builds."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from dynaccel.host import paths, process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

KUNIT_CONFIG = paths.data_dir("kernel") / "configs" / "kunit.config"
SUITE_CASES = 7
OBJECTS = (
    "kernel/time/",
    "kernel/hung_task.o",
    "kernel/workqueue.o",
    "kernel/rcu/",
)
"""What our hooks and files end up in."""

with_ccache = ["CC=ccache gcc"] if shutil.which("ccache") else []
ccache_env = {"CCACHE_DIR": str(paths.cache_dir() / "ccache"), "PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def kunit_build(patched_tree: Path) -> Path:
    """Run the suite and return the directory in which it was built."""
    return patched_tree.parent / "kunit"


def make(tree: Path, build: Path, *arguments: str) -> process.Completed:
    jobs = f"-j{os.cpu_count() or 1}"
    argv = ["make", "ARCH=um", f"O={build}", jobs, *with_ccache, *arguments]
    return process.run(argv, cwd=tree, env=ccache_env)


def test_suite_passes(patched_tree: Path, kunit_build: Path) -> None:
    done = process.run(
        [
            "python3", "tools/testing/kunit/kunit.py", "run", f"--kunitconfig={KUNIT_CONFIG}",
            f"--build_dir={kunit_build}", f"--jobs={os.cpu_count() or 1}", "--raw_output=kunit",
            *(f"--make_options={option}" for option in with_ccache), "dynaccel",
        ],
        cwd=patched_tree, env=ccache_env, check=False,
    )  # fmt: skip
    report = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, report
    assert "ok 1 - dynaccel" in report, report
    assert f"1..{SUITE_CASES}" in report, report
    assert "not ok" not in report, report


def test_builds_without_warnings(patched_tree: Path, kunit_build: Path) -> None:
    for name in ("dynaccel.o", "dynaccel_test.o"):
        (kunit_build / "kernel/time" / name).unlink(missing_ok=True)
    done = make(
        patched_tree, kunit_build, "W=1", "kernel/time/dynaccel.o", "kernel/time/dynaccel_test.o"
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert "CC      kernel/time/dynaccel.o" in said
    assert "warning" not in said, said


def test_builds_with_the_option_off(patched_tree: Path, kunit_build: Path) -> None:
    build = kunit_build.with_name("off")
    build.mkdir(exist_ok=True)
    shutil.copy(kunit_build / ".config", build / ".config")
    process.run(
        ["scripts/config", "--file", build / ".config", "--disable", "DYNACCEL"], cwd=patched_tree
    )
    make(patched_tree, build, "olddefconfig")
    assert "CONFIG_DYNACCEL=y" not in (build / ".config").read_text()
    make(patched_tree, build, *OBJECTS)
    assert (build / "kernel/time/timekeeping.o").exists()
    assert not (build / "kernel/time/dynaccel.o").exists()

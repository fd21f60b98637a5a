# SPDX-License-Identifier: GPL-2.0-or-later
"""Our KUnit tests and those of time64_to_tm() by the kernel's own kunit tool; clean builds."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from dynaccel.host import paths, process

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import PatchedTree

pytestmark = pytest.mark.kernel

KUNIT_CONFIG = paths.data_dir("kernel") / "configs" / "kunit.config"
SUITE_CASES = 14
JOBS = f"{os.cpu_count() or 1}"
COMPILER = ["CC=ccache gcc"] if shutil.which("ccache") else []
ENVIRONMENT = {"CCACHE_DIR": str(paths.cache_dir() / "ccache"), "LC_ALL": "C"}


@pytest.fixture(scope="module")
def kunit(patched: PatchedTree) -> tuple[int, str]:
    """Run the suites; return the kunit tool's exit status and the kernel's own report."""
    done = process.run(
        [
            "python3", "tools/testing/kunit/kunit.py", "run", f"--kunitconfig={KUNIT_CONFIG}",
            f"--build_dir={patched.builds / 'kunit'}", f"--jobs={JOBS}", "--raw_output=kunit",
            *(f"--make_options={option}" for option in COMPILER),
        ],
        cwd=patched.top, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def make(patched: PatchedTree, build: Path, *arguments: str) -> str:
    argv = ["make", "ARCH=um", f"O={build}", f"-j{JOBS}", *COMPILER, *arguments]
    done = process.run(argv, cwd=patched.top, env=ENVIRONMENT)
    return (done.stdout + done.stderr).decode(errors="replace")


def test_suite_passes(kunit: tuple[int, str]) -> None:
    status, report = kunit
    assert status == 0, report
    assert re.search(r"^ok \d (- )?dynaccel$", report, re.MULTILINE), report
    assert f"# dynaccel: pass:{SUITE_CASES} fail:0 skip:0 total:{SUITE_CASES}" in report, report
    assert "not ok" not in report, report


def test_conversions_of_linux_pass(kunit: tuple[int, str]) -> None:
    status, report = kunit
    assert status == 0, report
    assert re.search(r"^ok \d (- )?time_test_cases$", report, re.MULTILINE), report


@pytest.mark.usefixtures("kunit")
def test_our_files_build_without_warnings(patched: PatchedTree) -> None:
    build = patched.builds / "kunit"
    objects = ["kernel/time/dynaccel.o", "kernel/time/dynaccel_test.o"]
    for name in objects:
        (build / name).unlink(missing_ok=True)
    said = make(patched, build, "W=1", *objects)
    for name in objects:
        assert f"CC      {name}" in said, said
    assert not re.search(r"/dynaccel[^/\s]*:\d+.* warning:", said), said


@pytest.mark.usefixtures("kunit")
def test_builds_with_the_option_off(patched: PatchedTree) -> None:
    build = patched.builds / "off"
    build.mkdir(exist_ok=True)
    config = build / ".config"
    shutil.copy(patched.builds / "kunit/.config", config)
    process.run(["scripts/config", "--file", config, "--disable", "DYNACCEL"], cwd=patched.top)
    make(patched, build, "olddefconfig")
    assert "CONFIG_DYNACCEL=y" not in config.read_text()
    make(patched, build, "kernel/time/", "kernel/workqueue.o")
    assert (build / "kernel/time/timekeeping.o").exists()
    assert not (build / "kernel/time/dynaccel.o").exists()

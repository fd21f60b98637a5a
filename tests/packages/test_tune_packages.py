# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the settings, as the distributions' own checkers see them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.packages

NOT_OURS = (
    "no-signature",  # the repository's to give
    "communication not allowed",  # a file for D-Bus without a policy; it has limits alone
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tune")
    words = ["-q", "tune", "--package", "deb,rpm", "--output", str(directory)]
    subprocess.run([sys.executable, "-m", "dynaccel.cli.main", *words], check=True)
    return directory


def checked(program: str, package: Path, *words: str) -> list[str]:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: sudo apt-get install {program}")
    done = subprocess.run(
        [program, *words, package], capture_output=True, text=True, check=False
    )  # fmt: skip
    # A checker that did not look at it has no complaint either.
    assert done.returncode in {0, 1, 2, 64}, done.stderr
    return done.stdout.splitlines()


def test_lintian_finds_no_error(made: Path) -> None:
    (package,) = made.glob("*.deb")
    lines = checked("lintian", package, "--allow-root", "--display-info")
    assert [line for line in lines if line.startswith("E:")] == []


def test_rpmlint_finds_no_error(made: Path) -> None:
    (package,) = made.glob("*.rpm")
    lines = checked("rpmlint", package)
    assert any("1 packages and 0 specfiles checked" in line for line in lines), lines
    errors = [line for line in lines if " E: " in line]
    assert [line for line in errors if not any(word in line for word in NOT_OURS)] == []

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of repositories share: keys, packages, and a repository of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynaccel.packaging.repo.publish import PROGRAMS

from .repo_lab import Keys, missing, publish
from .sample_packages import Packages, make_packages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def open_place() -> Iterator[Path]:
    """Return a directory that other users can enter: a web server's worker is another user."""
    if reason := missing(*PROGRAMS, "rpmbuild"):
        pytest.skip(reason)
    place = Path(tempfile.mkdtemp(prefix="dynaccel-packages-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def place(open_place: Path) -> Path:
    """Return such a directory of the test's own."""
    directory = Path(tempfile.mkdtemp(dir=open_place))
    directory.chmod(0o755)
    return directory


@pytest.fixture(scope="session")
def keys(open_place: Path) -> Iterator[Keys]:
    """Return a directory with a key; its path is short, as gpg's sockets need."""
    home = open_place / "keys"
    home.mkdir(mode=0o700)
    made = Keys(home=home)
    made.make("repo@example.org")
    yield made
    made.forget_passphrases()


@pytest.fixture(scope="session")
def other_keys(open_place: Path) -> Iterator[Keys]:
    """Return a directory with the key of somebody else, who calls himself the same."""
    home = open_place / "other"
    home.mkdir(mode=0o700)
    made = Keys(home=home)
    made.make("repo@example.org")
    yield made
    made.forget_passphrases()


@pytest.fixture(scope="session")
def kernels(open_place: Path) -> Packages:
    """Return packages of kernels."""
    return make_packages(open_place / "kernels")


@pytest.fixture(scope="session")
def published(open_place: Path, keys: Keys, kernels: Packages) -> Path:
    """Return a repository with our kernel, at its own address; not to be changed."""
    directory = open_place / "published"
    publish(directory, keys, *kernels.rpms, kernels.source, *kernels.debs)
    return directory

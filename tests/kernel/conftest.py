# SPDX-License-Identifier: GPL-2.0-or-later
"""A patched kernel tree to try the kernel's own tools on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dynaccel import patch
from dynaccel.core.artifacts import content_hash, files_under, write_atomic
from dynaccel.core.events import NullReporter
from dynaccel.host import lock, paths
from dynaccel.kbuild import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "debian:6.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchedTree:
    """A kernel tree with our patch.

    Attributes:
        top: The tree.
        diff: What the patch changed in it.
        builds: A directory for builds outside of the tree, kept from one test run to the next.
    """

    top: Path
    diff: bytes
    builds: Path


@pytest.fixture(scope="session")
def patched() -> Iterator[PatchedTree]:
    """Return Debian's 6.1 with our patch, made anew when ``kernel/`` or the source is another.

    The tree always lies at the same place and an unpacked file has its date from the archive:
    what a change does not touch is not compiled again.
    """
    reporter = NullReporter()
    place = paths.cache_dir() / "test"
    tree, stamp = place / "linux", place / "linux.stamp"
    with lock.exclusive(place / "lock", on_wait=lambda _: None):
        pristine = source.resolve(SOURCE, reporter=reporter)
        parts = [*files_under(paths.data_dir("kernel")), ("source", pristine.identity.encode())]
        key = content_hash(parts).encode()
        if not stamp.is_file() or stamp.read_bytes() != key:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(tree, ignore_errors=True)
            source.unpack(pristine, tree, reporter=reporter)
        # A tree that is patched already is recognised, and tells the same difference. The drivers
        # stay as they are: what is looked at is what we wrote, not the style of theirs.
        request = patch.PatchRequest(tree=tree, hwtime=False)
        result = patch.apply(request, reporter=reporter)
        write_atomic(stamp, key)
        yield PatchedTree(top=tree, diff=result.diff, builds=place)

# SPDX-License-Identifier: GPL-2.0-or-later
"""A patched kernel tree to try the kernel's own tools on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel import patch
from dynaccel.core.artifacts import content_hash, files_under, staged_directory
from dynaccel.core.events import NullReporter
from dynaccel.host import paths
from dynaccel.kbuild import source

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "debian:6.1"


@pytest.fixture(scope="session")
def patched_tree() -> Path:
    """Return Debian's 6.1 with our patch, unpacked once for each state of ``kernel/``."""
    reporter = NullReporter()
    pristine = source.resolve(SOURCE, reporter=reporter)
    parts = [*files_under(paths.data_dir("kernel")), ("source", pristine.identity.encode())]
    final = paths.cache_dir() / "test" / f"tree-{content_hash(parts)[:16]}"
    if not final.is_dir():
        with staged_directory(final) as staging:
            source.unpack(pristine, staging / "linux", reporter=reporter)
            patch.apply(patch.PatchRequest(tree=staging / "linux"), reporter=reporter)
    return final / "linux"

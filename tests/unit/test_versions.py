# SPDX-License-Identifier: GPL-2.0-or-later
"""Versions of Linux as vendors write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import patch_trees as trees
import pytest

from dynaccel.core.errors import UserError
from dynaccel.core.versions import KernelVersion

if TYPE_CHECKING:
    from pathlib import Path

RHEL = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = 4
PATCHLEVEL = 18
SUBLEVEL = 0
EXTRAVERSION =
NAME = Merciless Moray
RHEL_DRM_VERSION = 5
RHEL_DRM_PATCHLEVEL = 14
"""


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("4.18.0-394.el8", (4, 18, 0)),
        ("4.18.0-394.el8.x86_64", (4, 18, 0)),
        ("4.18.0-553.16.1.el8_10", (4, 18, 0)),
        ("5.10.0-30-vendor", (5, 10, 0)),
        ("5.10-vendor+", (5, 10, 0)),
        ("6.12.107+deb13-amd64", (6, 12, 107)),
        ("7.3-rc1", (7, 3, 0)),
        ("v6.1.192", (6, 1, 192)),
    ],
)
def test_what_follows_the_version_does_not_count(text: str, version: tuple[int, int, int]) -> None:
    assert KernelVersion.parse(text) == KernelVersion(*version)


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(UserError):
        KernelVersion.parse("el8-4.18")


@pytest.mark.parametrize("extra", ["", "-394.el8", "-30-vendor"])
def test_a_vendors_makefile_is_read(extra: str, tmp_path: Path) -> None:
    text = RHEL.replace("EXTRAVERSION =", f"EXTRAVERSION = {extra}")
    trees.write(tmp_path, {"Makefile": text, "kernel/time/tick.c": ""})
    assert KernelVersion.of_tree(tmp_path) == KernelVersion(4, 18, 0)

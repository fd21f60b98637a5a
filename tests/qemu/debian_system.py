# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian with systemd, for guests that boot one: as a directory, and as a disk image."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from debian_roots import directory, image
from dynaccel.vm.debian_bootstrap import HOSTNAME
from dynaccel.vm.debian_image import Debian, DebianImage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HOSTNAME", "debian_system_directory", "debian_system_image"]


@functools.cache
def debian_system_directory() -> Path:
    """Return the directory that holds the system's root; skip the test when it cannot be had."""
    return directory(Debian())


@functools.cache
def debian_system_image() -> Path:
    """Return a disk image (qcow2: one ext4, no partitions) of the same."""
    return image(DebianImage())

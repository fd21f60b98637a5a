# SPDX-License-Identifier: GPL-2.0-or-later
"""Debians for tests, as the tool makes them; a test that cannot have one is skipped.

Tests share them and change none: who wants to change one takes a copy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from dynaccel.core.errors import InfrastructureError, MissingError
from dynaccel.core.events import NullReporter
from dynaccel.vm.debian_image import Debian, DebianImage, debian_directory, debian_image

if TYPE_CHECKING:
    from pathlib import Path


def directory(request: Debian) -> Path:
    """Return a directory with a Debian."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory with a Debian: its files have many owners")
    try:
        return debian_directory(request, reporter=NullReporter())
    except (MissingError, InfrastructureError) as error:
        skip(error)


def image(request: DebianImage) -> Path:
    """Return a disk image with a Debian."""
    try:
        return debian_image(request, reporter=NullReporter())
    except (MissingError, InfrastructureError) as error:
        skip(error)


def skip(error: MissingError | InfrastructureError) -> NoReturn:
    """Say why a Debian cannot be had."""
    pytest.skip(f"no Debian: {error.message} ({error.hint})")

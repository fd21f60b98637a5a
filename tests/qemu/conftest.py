# SPDX-License-Identifier: GPL-2.0-or-later
"""The built kernel that these tests boot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError
from dynaccel.host import kernels, tools

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """Return the kernel of $DYNACCEL_TEST_KERNEL, else the newest accelerated one."""
    board = arches.native().board
    if tools.find(board.qemu) is None:
        pytest.skip(f"{board.qemu} is not installed: {tools.install_command(board.package)}")
    try:
        return kernels.resolve(os.environ.get("DYNACCEL_TEST_KERNEL") or None)
    except DynaccelError as error:
        pytest.skip(f"{error.message}: {error.hint}")

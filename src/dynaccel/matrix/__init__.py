# SPDX-License-Identifier: GPL-2.0-or-later
"""Build and verify many kernels, one after the other: versions, architectures, flavours."""

from dynaccel.matrix.outcome import Outcome, RowResult
from dynaccel.matrix.rows import Row, chosen, load, with_sources
from dynaccel.matrix.run import Matrix, Work
from dynaccel.matrix.work import GuestWork

__all__ = [
    "GuestWork",
    "Matrix",
    "Outcome",
    "Row",
    "RowResult",
    "Work",
    "chosen",
    "load",
    "with_sources",
]

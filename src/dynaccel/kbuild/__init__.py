# SPDX-License-Identifier: GPL-2.0-or-later
"""Build a kernel from source and file it in the store; remove what builds leave behind."""

from dynaccel.kbuild.build import BuildRequest, build
from dynaccel.kbuild.clean import all_filed, clean, find_filed, remove
from dynaccel.kbuild.reopen import Reopened, reopened
from dynaccel.kbuild.space import format_size, used
from dynaccel.kbuild.workspace import Patcher

__all__ = [
    "BuildRequest",
    "Patcher",
    "Reopened",
    "all_filed",
    "build",
    "clean",
    "find_filed",
    "format_size",
    "remove",
    "reopened",
    "used",
]

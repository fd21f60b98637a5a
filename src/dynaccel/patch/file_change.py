# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patch makes of one file of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FileState(StrEnum):
    """What happens to a file of the tree."""

    ADD = "add"
    CHANGE = "change"
    UPDATE = "update"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that the patch adds or changes.

    Attributes:
        path: Relative to the top of the tree.
        state: What is to be done to it.
        now: Its content in the tree as it is; None when it is not there.
        pristine: Its content in the tree without dynaccel; None when it is not there.
        after: Its content in the patched tree.
    """

    path: str
    state: FileState
    now: bytes | None
    pristine: bytes | None
    after: bytes

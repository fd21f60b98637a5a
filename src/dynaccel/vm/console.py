# SPDX-License-Identifier: GPL-2.0-or-later
"""The last of what a guest's kernel wrote, kept in memory however long the guest runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

KEPT_BYTES = 64 << 10
TAIL_LINES = 30
_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*)?[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Console:
    """Collects console output.

    Args:
        copy: A file that gets all of it as well.
    """

    def __init__(self, copy: BinaryIO | None = None) -> None:
        self._kept = bytearray()
        self._copy = copy

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self._copy is not None:
            self._copy.write(data)
            self._copy.flush()
        self._kept += data
        if len(self._kept) > 2 * KEPT_BYTES:
            del self._kept[:-KEPT_BYTES]

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines as text that is safe to show."""
        text = _ESCAPES.sub(b"", bytes(self._kept)).decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

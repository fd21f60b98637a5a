# SPDX-License-Identifier: GPL-2.0-or-later
"""Real time as a run counts it: only while its guest goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NS = 1_000_000_000


class RunningClock:
    """The host's monotonic time, less what the guest stood still for.

    So virtual time over this one is the ratio, whatever checkpoints and interruptions there were.
    Whoever knows of them sets it anew afterwards.

    Args:
        start_ns: What it shows now.
        now_ns: The host's monotonic clock.
    """

    def __init__(self, start_ns: int = 0, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._zero_ns = now_ns() - start_ns

    def ns(self) -> int:
        """Return what it shows now."""
        return self._now_ns() - self._zero_ns

    def restart(self, start_ns: int = 0) -> None:
        """Show ``start_ns`` now."""
        self._zero_ns = self._now_ns() - start_ns

# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a build has come and how long it will go on, from the count of make's steps."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_json_atomic
from dynaccel.core.events import Progress
from dynaccel.host import paths

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.versions import KernelVersion

FIRST_ESTIMATE = 2090
"""Steps of a build of the shipped configuration; 6.1 measured 2086."""

_WINDOW = 200
"""The speed is that of the last so many steps: generated headers, C files and links differ."""


def expected(version: KernelVersion, *, modules: bool = False) -> int:
    """Return how many steps a whole build of ``version`` took the last time, or an estimate."""
    number = _remembered().get(_key(version, modules))
    return number if isinstance(number, int) and number > 0 else FIRST_ESTIMATE


def remember(version: KernelVersion, steps: int, *, modules: bool = False) -> None:
    """Keep how many steps a whole build of ``version`` took, with modules or without."""
    write_json_atomic(_file_path(), {**_remembered(), _key(version, modules): steps})


class StepCounter:
    """Turns steps of make into progress.

    Args:
        total: Steps of a whole build; None when unknown, as when little has to be made again.
        done: Steps that an earlier call has done.
    """

    def __init__(self, *, total: int | None, done: int = 0) -> None:
        self._total = total
        self._done = done
        self._times: deque[float] = deque(maxlen=_WINDOW)

    def step(self, message: str, now_seconds: float) -> Progress:
        """Count one step and return how far the build is.

        Args:
            message: What the step works on.
            now_seconds: A monotonic clock.
        """
        self._done += 1
        self._times.append(now_seconds)
        # A build that turns out longer than the last one is nearly done until it is.
        total = None if self._total is None else max(self._total, self._done + 1)
        remaining = None
        if total is not None and len(self._times) > 1:
            pace = (self._times[-1] - self._times[0]) / (len(self._times) - 1)
            remaining = pace * (total - self._done)
        return Progress(
            stage="build",
            done=self._done,
            total=total,
            remaining_seconds=remaining,
            message=message,
        )

    def finish(self) -> Progress:
        """Return the progress of a build that has ended well."""
        return Progress(stage="build", done=self._done, total=self._done, remaining_seconds=0.0)


def _key(version: KernelVersion, modules: bool) -> str:
    return f"{version.major}.{version.minor}{' with modules' if modules else ''}"


def _file_path() -> Path:
    return paths.cache_dir() / "steps.json"


def _remembered() -> dict[str, object]:
    try:
        value = json.loads(_file_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

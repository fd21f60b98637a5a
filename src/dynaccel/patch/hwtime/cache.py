# SPDX-License-Identifier: GPL-2.0-or-later
"""Remember what took long to find out about a text, below the cache directory.

A file holds all of it; it is read once and written whole at the end, or not at all. Whatever is
wrong with it or with its directory, it is as if nothing were remembered.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import InfrastructureError
from dynaccel.host import paths

if TYPE_CHECKING:
    from pathlib import Path

MOST_ENTRIES = 100_000
"""Linux 6.1 takes 33000 for all of its hardware paths; so much is some ten megabytes."""


class Memory:
    """Answers by key; those asked for last are kept longest.

    Args:
        name: Name of the file, without its ending.
    """

    def __init__(self, name: str) -> None:
        self._path = _place(name)
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        self._changed = False
        if self._path is not None:
            with suppress(OSError, ValueError, RecursionError):
                value = json.loads(self._path.read_bytes())
                self._old = value if isinstance(value, dict) else {}

    def get(self, key: str) -> Any:
        """Return what is remembered for ``key``, None when nothing is."""
        value = self._new.get(key)
        if value is None and key in self._old:
            value = self._new[key] = self._old.pop(key)
        return value

    def put(self, key: str, value: Any) -> None:
        """Remember a value that JSON can hold."""
        self._new[key] = value
        self._changed = True

    def save(self) -> None:
        """Write what is new; when that cannot be done it is forgotten."""
        if self._path is None or not self._changed:
            return
        kept = {**self._old, **self._new}
        last = list(kept)[-MOST_ENTRIES:]
        with suppress(InfrastructureError):
            write_atomic(self._path, json.dumps({key: kept[key] for key in last}).encode())
            self._changed = False


def _place(name: str) -> Path | None:
    try:
        return paths.cache_dir() / "hwtime" / f"{name}.json"
    except InfrastructureError:
        return None

# SPDX-License-Identifier: GPL-2.0-or-later
"""Remember what the names of a file are, so that a tree is patched in seconds the next time."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core.artifacts import content_hash
from dynaccel.patch.hwtime.cache import Memory
from dynaccel.patch.hwtime.convert import Found, Left, LeftKind

if TYPE_CHECKING:
    from dynaccel.patch.hwtime.rules import PathRules, Rules

_NONE: dict[str, Any] = {"converted": [], "groups": [], "left": []}


class KnownNames:
    """What is known of files, by their content and by all that it follows from.

    Args:
        rules: The tables.
    """

    def __init__(self, rules: Rules) -> None:
        self._memory = Memory("names")
        self._base = content_hash(
            [("names", repr(rules.names).encode()), ("semantic", rules.semantic), *_own_code()]
        ).encode()
        self._of_rules: dict[PathRules, bytes] = {}

    def key(self, data: bytes, rules: PathRules) -> str:
        """Return what names a file without prefixes, and what holds for it."""
        base = self._of_rules.get(rules)
        if base is None:
            base = hashlib.blake2b(self._base + repr(rules).encode(), digest_size=32).digest()
            self._of_rules[rules] = base
        return hashlib.blake2b(data, key=base, digest_size=16).hexdigest()

    def get(self, key: str) -> Found | None:
        """Return what is known, None when nothing is."""
        value = self._memory.get(key)
        try:
            return Found(
                converted=tuple(int(offset) for offset in value["converted"]),
                groups=tuple(str(group) for group in value["groups"]),
                left=tuple(
                    Left(line=int(line), name=str(name), kind=LeftKind(kind), reason=str(reason))
                    for line, name, kind, reason in value["left"]
                ),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, key: str, found: Found | None) -> None:
        """Remember what the names of a file are; None for a file that has none."""
        self._memory.put(
            key,
            _NONE
            if found is None
            else {
                "converted": found.converted,
                "groups": found.groups,
                "left": [
                    (left.line, left.name, left.kind.value, left.reason) for left in found.left
                ],
            },
        )

    def save(self) -> None:
        """Write what is new."""
        self._memory.save()


@cache
def _own_code() -> tuple[tuple[str, bytes], ...]:
    """Return the code that draws the conclusions: another one may draw others."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.read_bytes()) for file in files)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring one C file into hardware time, and back."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from dynaccel.patch.hwtime.lex import parse
from dynaccel.patch.hwtime.own import own_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynaccel.patch.hwtime.lex import Code
    from dynaccel.patch.hwtime.rules import PathRules, Rules

PREFIX = "hwtime_"
"""Goes before a name; in capitals before a name in capitals."""


class LeftKind(StrEnum):
    """Why a name stays as it is."""

    VIRTUAL = "virtual on purpose"
    STAMP = "time stamp"
    OWN = "a name of its own"
    SEEN = "never converted"
    UNKNOWN = "unknown pattern"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A name that stays as it is.

    Attributes:
        line: Where, from 1.
        name: The name.
        kind: Why.
        reason: Why, in words.
    """

    line: int
    name: str
    kind: LeftKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What is known of the calls in a file that read a clock.

    Attributes:
        deadlines: Offsets of those that belong to deadlines.
        unknown: Offsets of those that may, and why it is not known.
        trouble: Why nothing is known of the file at all; None when it is.
    """

    deadlines: frozenset[int] = frozenset()
    unknown: Mapping[int, str] = field(default_factory=dict)
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the names of a file are.

    Attributes:
        converted: Offsets of the names to which the prefix goes, ascending.
        groups: The kind of each of those.
        left: The names that stay.
    """

    converted: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


class Converter:
    """Knows the names; see :func:`dynaccel.patch.hwtime.rules.load`.

    Args:
        rules: The tables.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._group = {name.encode(): group for group in rules.names.groups for name in group.names}
        self._context = [
            name.encode() for group in rules.names.groups if group.context for name in group.names
        ]
        exact: dict[bytes, str] = {}
        starts: dict[bytes, str] = {}
        for entry in rules.names.seen:
            for name in entry.names:
                (starts if name.endswith("*") else exact)[name.rstrip("*").encode()] = entry.reason
        self._seen, self._seen_starts = exact, starts
        names = _alternatives([*self._group, *exact])
        tails = [re.escape(start) + rb"\w*" for start in sorted(starts, reverse=True)]
        self._names = re.compile(rb"\b(?:" + b"|".join([names, *tails]) + rb")\b")
        self._prefixed = re.compile(
            rb"\b(?:hwtime_|HWTIME_)(?=(?:" + _alternatives(self._group) + rb")\b)"
        )
        self._roots = _roots([*self._group, *exact, *starts])
        self._parts = _common_parts(self._roots)
        self._context_names = re.compile(rb"\b(?:" + _alternatives(self._context) + rb")\b")
        self._context_parts = _common_parts(self._context)

    def has_names(self, data: bytes) -> bool:
        """Whether a file may have a name at all; quick, and now and then wrongly yes."""
        return any(part in data for part in self._parts) and any(
            root in data for root in self._roots
        )

    def reads_clocks(self, data: bytes) -> bool:
        """Whether a file may have a name whose meaning the surroundings tell."""
        return any(part in data for part in self._context_parts)

    def readings(self, code: Code) -> tuple[int, ...]:
        """Return the offsets of the names whose meaning the surroundings tell."""
        return tuple(found.start() for found in self._context_names.finditer(code.code))

    def strip(self, data: bytes) -> bytes:
        """Return a file without prefixes: what :meth:`apply` gave back to what it was given."""
        if b"hwtime_" not in data and b"HWTIME_" not in data:
            return data
        cuts = [(found.start(), found.end()) for found in self.prefixes(data)]
        pieces, at = [], 0
        for start, end in cuts:
            pieces.append(data[at:start])
            at = end
        return b"".join([*pieces, data[at:]])

    def prefixes(self, data: bytes) -> list[re.Match[bytes]]:
        """Return the prefixes in a file's code."""
        return list(self._prefixed.finditer(parse(data).code))

    def apply(self, data: bytes, offsets: Iterable[int]) -> bytes:
        """Return a file with the prefix before the names at ``offsets``, ascending."""
        pieces, at = [], 0
        for offset in offsets:
            found = self._names.match(data, offset)
            pieces += [data[at:offset], b"HWTIME_" if found and found[0].isupper() else b"hwtime_"]
            at = offset
        return b"".join([*pieces, data[at:]])

    def find(self, data: bytes, path: PathRules, clocks: Clocks) -> Found:
        """Return what the names of a file are.

        Args:
            data: The file, without prefixes.
            path: What holds for it.
            clocks: What is known of the calls that read clocks.
        """
        code = parse(data)
        hits = [(found.start(), found.end()) for found in self._names.finditer(code.code)]
        own = own_places(code, hits)
        converted: list[tuple[int, str]] = []
        left: list[Left] = []
        for start, end in hits:
            name = code.code[start:end]
            group = self._group.get(name)
            verdict = self._stays(code, start, name, path, own=start in own)
            if verdict is None and group is not None and group.context:
                verdict = _clock(code, start, path, clocks)
            if verdict is None and group is not None:
                converted.append((start, group.name))
            elif verdict is not None:
                kind, reason = verdict
                left.append(
                    Left(line=code.line_of(start), name=name.decode(), kind=kind, reason=reason)
                )
        return Found(
            converted=tuple(offset for offset, _ in converted),
            groups=tuple(group for _, group in converted),
            left=tuple(left),
        )

    def _stays(
        self, code: Code, start: int, name: bytes, path: PathRules, *, own: bool
    ) -> tuple[LeftKind, str] | None:
        if own:
            return LeftKind.OWN, LeftKind.OWN.value
        if path.whole is not None:
            return LeftKind.VIRTUAL, path.whole.reason
        group = self._group.get(name)
        if group is None:
            return LeftKind.SEEN, self._why_seen(name)
        for entry in path.virtual:
            if entry.names and name.decode() not in entry.names:
                continue
            line = code.text_of_line(start).decode("latin-1")
            if entry.lines is None or re.search(entry.lines, line):
                return LeftKind.VIRTUAL, entry.reason
        if name.startswith(b"hrtimer_start") and path.hardware.ktime != "all":
            call = code.code[start : code.code.find(b";", start)]
            if b"HRTIMER_MODE_REL" not in call:
                return LeftKind.UNKNOWN, "its expiry may be absolute, on the timer's own clock"
        return None

    def _why_seen(self, name: bytes) -> str:
        if name in self._seen:
            return self._seen[name]
        return next(reason for start, reason in self._seen_starts.items() if name.startswith(start))


_DEADLINE_LIKE = re.compile(rb"\bktime_(?:add|compare|after|before)\w*\s*\(|[<>+]=?(?!>)")


def _clock(code: Code, start: int, path: PathRules, clocks: Clocks) -> tuple[LeftKind, str] | None:
    ktime = path.hardware.ktime
    if ktime == "all" or (ktime == "deadlines" and start in clocks.deadlines):
        return None
    if ktime == "none":
        return LeftKind.STAMP, "clocks of this path are read for time stamps"
    if clocks.trouble is not None or start in clocks.unknown:
        return LeftKind.UNKNOWN, clocks.trouble or clocks.unknown[start]
    if code.directive_at(start) is not None:
        return LeftKind.UNKNOWN, "in a macro, so it depends on who uses that"
    text = code.code
    first = max(text.rfind(mark, 0, start) for mark in (b";", b"{", b"}")) + 1
    last = text.find(b";", start)
    statement = text[first : last if last >= 0 else len(text)].replace(b"->", b"  ")
    if _DEADLINE_LIKE.search(statement):
        return LeftKind.UNKNOWN, "looks like a deadline, but not all of it is in one function"
    return LeftKind.STAMP, LeftKind.STAMP.value


def _alternatives(names: Iterable[bytes]) -> bytes:
    # Longest first, though \b would sort it out: fewer steps back.
    return b"|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _roots(names: Iterable[bytes]) -> list[bytes]:
    """Return the names of which no other is a part: a file without these has none of them."""
    roots: list[bytes] = []
    for name in sorted(set(names), key=len):
        if not any(root in name for root in roots):
            roots.append(name)
    return roots


def _common_parts(names: Iterable[bytes], shortest: int = 5) -> list[bytes]:
    """Return few strings of which each name has at least one.

    Looking for one string is ten times as fast as looking for a regular expression.
    """
    rest = set(names)
    parts: list[bytes] = []
    while rest:
        shares: Counter[bytes] = Counter()
        for name in sorted(rest):
            spans = combinations(range(len(name) + 1), 2)
            shares.update({name[a:b] for a, b in spans if b - a >= min(shortest, len(name))})
        # The longer of two that serve as many names is found in fewer other places.
        best = max(shares, key=lambda part: (shares[part], len(part), part))
        parts.append(best)
        rest = {name for name in rest if best not in name}
    return parts

# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell from the marks of ``deadlines.cocci`` which readings of clocks belong to deadlines.

All that meets in a statement (variables, readings) belongs together, and so does what shares a
variable; such a set is converted whole or not at all. It is a deadline when a comparison decides by
it, each variable is one of the function's own, and each of their uses carries a mark, that is, is
known to do no harm.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from dynaccel.patch.hwtime.lex import parse
from dynaccel.patch.hwtime.own import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.patch.hwtime.lex import Code

_MARK = re.compile(rb"\b((?:hw(?:seen|init|test|span|kept|used|memb)_)+)(\w+)")
_ASSIGNED = re.compile(rb"(?<![\w.>])(\w+)\s*=(?!=)[^=]*\Z")
_STATEMENT_END = re.compile(rb"[;{}]")
_NOTHING = re.compile(rb"=\s*(?:0[uUlL]*|KTIME_MAX|ktime_set\(0, 0\))\s*[,;]")

UNREAD = "spatch cannot read it: in a macro, or in a function that it cannot parse"
MEMBER = "goes into a member of a struct as a deadline, or is measured against one"
ELSEWHERE = "compared with a time, but what it is read into is used otherwise too"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A marked name.

    Attributes:
        start: Offset of the mark.
        name: The name without marks.
        kinds: The marks.
    """

    start: int
    name: bytes
    kinds: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """A function, with what stands before it, or a macro.

    Attributes:
        first: Offset of its first byte.
        last: Offset behind its last one.
        body: Offset at which its body begins; ``last`` when it has none.
    """

    first: int
    last: int
    body: int


@dataclass(slots=True, kw_only=True)
class _Bundle:
    """Variables and readings that are converted together or not at all."""

    variables: set[bytes] = field(default_factory=set)
    readings: set[int] = field(default_factory=set)
    tested: bool = False
    escaped: bool = False

    def take(self, other: _Bundle) -> None:
        self.variables |= other.variables
        self.readings |= other.readings
        self.tested |= other.tested
        self.escaped |= other.escaped


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the readings of clocks in a text are.

    Attributes:
        deadlines: Offsets, in the text without marks, of those that belong to deadlines.
        seen: Offsets of all that spatch has seen.
        unknown: Offsets of those that look like deadlines, but cannot be converted, and why.
    """

    deadlines: frozenset[int]
    seen: frozenset[int]
    unknown: dict[int, str]


def unmark(text: bytes) -> bytes:
    """Return a text without marks."""
    return _MARK.sub(rb"\2", text)


def regions(code: Code) -> list[tuple[int, int]]:
    """Return the parts of a file that end with a brace in the first column, and the rest."""
    ends = [found.end() for found in re.finditer(rb"\n\}", code.code)]
    bounds = [0, *ends, len(code.code)]
    return [(first, last) for first, last in pairwise(bounds) if first < last]


def read_marks(marked: bytes) -> Readings:
    """Return what the readings in a text are that ``deadlines.cocci`` has marked."""
    code = parse(marked)
    marks = [
        _Mark(
            start=found.start(),
            name=found[2],
            kinds=frozenset(re.findall(rb"hw(\w{4})_", found[1])),
        )
        for found in _MARK.finditer(code.code)
    ]
    plain = _Offsets(code.code)
    deadlines: set[int] = set()
    unknown: dict[int, str] = {}
    for scope, inside in _scopes(code, marks):
        unknown |= {plain.of(mark.start): MEMBER for mark in inside if b"memb" in mark.kinds}
        for bundle in _bundles(code, inside):
            places = {plain.of(start) for start in bundle.readings}
            if not bundle.tested:
                if any(_compared(code, scope, variable) for variable in bundle.variables):
                    unknown |= dict.fromkeys(places - unknown.keys(), ELSEWHERE)
                continue
            clean = (
                not bundle.escaped
                and not places & unknown.keys()
                and all(_clean(code, scope, variable) for variable in bundle.variables)
            )
            if clean and bundle.variables:
                deadlines |= places
            else:
                unknown |= dict.fromkeys(places - unknown.keys(), ELSEWHERE)
    return Readings(
        deadlines=frozenset(deadlines),
        seen=frozenset(plain.of(mark.start) for mark in marks if b"seen" in mark.kinds),
        unknown=unknown,
    )


def _scopes(code: Code, marks: Sequence[_Mark]) -> Iterator[tuple[_Scope, list[_Mark]]]:
    """Yield the macros and functions that have marks, each with its own marks."""
    starts = [mark.start for mark in marks]
    for line in code.directives:
        if inside := marks[_at(starts, line.start) : _at(starts, line.end)]:
            yield _Scope(first=line.start, last=line.end, body=line.body), list(inside)
    for first, last in regions(code):
        around = marks[_at(starts, first) : _at(starts, last)]
        if inside := [mark for mark in around if code.directive_at(mark.start) is None]:
            body = code.code.find(b"\n{", first, last)
            yield _Scope(first=first, last=last, body=body if body >= 0 else last), inside


def _at(starts: Sequence[int], offset: int) -> int:
    return bisect_right(starts, offset - 1)


class _Offsets:
    """Turns offsets in a marked text into those in the text without marks."""

    def __init__(self, text: bytes) -> None:
        self._starts: list[int] = []
        self._removed = [0]
        for found in _MARK.finditer(text):
            self._starts.append(found.start())
            self._removed.append(self._removed[-1] + len(found[1]))

    def of(self, offset: int) -> int:
        return offset - self._removed[_at(self._starts, offset)]


def _bundles(code: Code, marks: Sequence[_Mark]) -> list[_Bundle]:
    """Join what meets in a statement, and then what shares a variable."""
    bundles: list[_Bundle] = []
    for statement in _statements(code, marks):
        new = _bundle_of(code, statement)
        for old in [item for item in bundles if item.variables & new.variables]:
            new.take(old)
            bundles.remove(old)
        bundles.append(new)
    return bundles


def _statements(code: Code, marks: Sequence[_Mark]) -> Iterator[list[_Mark]]:
    current: list[_Mark] = []
    for mark in marks:
        if current and _STATEMENT_END.search(code.code, current[-1].start, mark.start):
            yield current
            current = []
        current.append(mark)
    if current:
        yield current


def _bundle_of(code: Code, statement: Sequence[_Mark]) -> _Bundle:
    new = _Bundle()
    spans = [mark for mark in statement if b"span" in mark.kinds]
    # A time between two readings that nothing is known of may go anywhere.
    new.escaped = bool(spans) and not any(
        mark.kinds & {b"test", b"used", b"kept"} for mark in spans
    )
    for mark in statement:
        if b"seen" in mark.kinds:
            if mark.kinds != {b"seen"}:
                new.readings.add(mark.start)
        else:
            new.variables.add(mark.name)
        new.tested |= b"test" in mark.kinds
        target = _target(code, mark) if mark.kinds & {b"init", b"kept"} or _derives(mark) else None
        if target is not None:
            new.variables.add(target)
        elif mark.kinds & {b"init", b"kept"}:
            new.escaped = True
    return new


def _derives(mark: _Mark) -> bool:
    return b"used" in mark.kinds and b"span" not in mark.kinds


def _target(code: Code, mark: _Mark) -> bytes | None:
    """Return the variable to which the value at a mark is assigned."""
    text = code.code
    first = max(text.rfind(byte, 0, mark.start) for byte in (b";", b"{", b"}")) + 1
    found = _ASSIGNED.search(text[first : mark.start])
    if found is None:
        return None
    return unmark(found[1])


def _clean(code: Code, scope: _Scope, variable: bytes) -> bool:
    """Whether a variable is declared in the body of its function, and all of its uses are known."""
    declared = False
    pattern = re.compile(
        rb"\b(?:hw(?:seen|init|test|span|kept|used|memb)_)*" + re.escape(variable) + rb"\b"
    )
    for found in pattern.finditer(code.code, scope.first, scope.last):
        start, end = found.span()
        if code.code[max(0, start - 2) : start].endswith((b".", b"->")):
            continue
        if start < scope.body:
            return False  # a parameter
        if declared_at(code, start, end):
            # What is outside of all braces of a macro its users share.
            outside = code.code.count(b"{", scope.body, start) <= code.code.count(
                b"}", scope.body, start
            )
            if outside or not _begins_known(code, start, end):
                return False
            declared = True
        elif found[0] == variable and not _takes_known(code, start, end):
            return False
    return declared


def _begins_known(code: Code, start: int, end: int) -> bool:
    """Whether a variable that is declared gets a known value with that, or none."""
    following = code.after(end)
    return (
        code.code[following : following + 1] in {b";", b","}
        or _NOTHING.match(code.code, following) is not None
        or _assigns(code, start, end)
    )


def _takes_known(code: Code, start: int, end: int) -> bool:
    """Whether a name stands here to be assigned a known value, which goes nowhere else."""
    known = _NOTHING.match(code.code, code.after(end)) or _assigns(code, start, end)
    return bool(known) and _begins_statement(code, start)


def _begins_statement(code: Code, start: int) -> bool:
    """Whether nothing else of the statement gets the value that a name is assigned."""
    before = code.word_before(start)
    if before == b"(":
        return code.word_before(code.before(start)) == b"for"
    return before in {b";", b"{", b"}", b")", b":", b"else", b"do"}


def _compared(code: Code, scope: _Scope, variable: bytes) -> bool:
    """Whether a variable is compared as a time, if only with what is not known."""
    pattern = (
        rb"\b(?:ktime_(?:compare|after|before)|time_(?:after|before)\w*64)\s*\([^;{}]*(?<![\w.>])"
        + re.escape(variable)
        + rb"\b"
    )
    return re.search(pattern, code.code[scope.first : scope.last]) is not None


def _assigns(code: Code, start: int, end: int) -> bool:
    """Whether a reading, or a deadline made of another, is assigned to the name."""
    text = code.code
    semicolon = text.find(b";", end)
    rest = text[end : semicolon if semicolon >= 0 else len(text)]
    found = re.match(rb"\s*=(?!=)[^=]*?\bhw(?:init|kept|used)_", rest)
    return found is not None and _ASSIGNED.search(text[start : end + found.end()]) is not None

# SPDX-License-Identifier: GPL-2.0-or-later
"""Put a hook into a file whose surroundings somebody has changed, where no other place is meant.

This is a three-way merge whose base is what the patch shows of the file. Each run of changed lines
is placed by itself: the lines that it takes out have to be there to the letter, and so has the
line before and the one after. There must be one such place only in the function that the patch
names, and all places have to come in the patch's order. What somebody has changed in or right at a
hook's own lines is a conflict, and a person's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, takewhile
from typing import TYPE_CHECKING

from dynaccel.patch.parse_diff import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynaccel.patch.parse_diff import FileDiff, Hunk

CONTEXT = 3
"""How many lines on each side of a change are looked at to say how well it fits."""

HEADING_LENGTH = 80
"""git cuts what it quotes of a function's first line to that many bytes."""

_C_LIKE = (".c", ".h", ".S")
_HEAD = re.compile(r"[A-Za-z_]")
_LABEL = re.compile(r"\w+:\s*($|/[/*])")
_WORD = re.compile(r"[A-Za-z_]\w\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a change was put although the lines around it are not those of the patch.

    Attributes:
        hunk: Number of the hunk in the file's part of the patch, from 1.
        line: Number of the first changed line in the file as it was, from 1.
        context: How many of the lines right before and after are as the patch has them, in all.
    """

    hunk: int
    line: int
    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a merge came to.

    Attributes:
        content: The file with all changes; None when one has no place.
        places: The changes that were placed with other lines around them; all where each hunk is
            there to the letter, but not where git looks for it, such as at the file's end.
        ambiguous: By the number of a hunk, the lines (from 1) at which a change of it would fit.
    """

    content: bytes | None
    places: tuple[Place, ...] = ()
    ambiguous: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Lines that are taken out in one run, those that come in their place, and their surroundings.

    Attributes:
        old: The lines that go.
        new: The lines that come.
        before: The lines before it, as far as the hunk shows them.
        after: The lines after it.
        head: First line of the function that it is in; None when it is in none.
        whole: Whether it is a hunk with all its surroundings, which tell enough by themselves.
        first: Whether it comes at the file's beginning.
        last: Whether it comes at the file's end.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    head: str | None
    whole: bool = False
    first: bool = False
    last: bool = False

    def least(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return the lines before and after that must be there; None when there are too few."""
        if self.whole:
            return (), ()
        if not (self.before or self.first) or not (self.after or self.last):
            return None
        return self.before[-1:], self.after[:1]


def merge(diff: FileDiff, content: bytes, *, reverse: bool = False) -> Merge:
    """Return ``content`` with the changes of ``diff``, or where they could go.

    Args:
        diff: The changes of one file.
        content: The file.
        reverse: Take the changes back; what this makes of a merged file is the file as it was.
    """
    hunks = [_reversed(hunk) for hunk in diff.hunks] if reverse else list(diff.hunks)
    if not content.endswith(b"\n") or any(_ends_abruptly(hunk) for hunk in hunks):
        return Merge(content=None)
    lines = lines_of(content)
    text = _Text(lines, by_function=diff.path.endswith(_C_LIKE))
    placed: list[tuple[int, _Change]] = []
    places: list[Place] = []
    whole: list[Place] = []
    ambiguous: list[tuple[int, tuple[int, ...]]] = []
    fits = True
    for number, hunk in enumerate(hunks, start=1):
        exact = text.has(hunk.old)
        for change in [_whole(hunk)] if exact else _changes(hunk):
            found, context = text.find(change, anywhere=exact or reverse)
            if len(found) > 1:
                ambiguous.append((number, tuple(at + 1 for at in found)))
            if len(found) != 1:
                fits = False
                continue
            placed.append((found[0], change))
            place = Place(hunk=number, line=found[0] + 1, context=context)
            (whole if exact else places).append(place)
    if not fits or not _in_order(placed):
        return Merge(content=None, ambiguous=tuple(ambiguous))
    return Merge(content=_replaced(lines, placed), places=tuple(places or whole))


class _Text:
    """The lines of a file and the functions that they are in."""

    def __init__(self, lines: Sequence[str], *, by_function: bool) -> None:
        self._lines = list(lines)
        self._by_function = by_function
        self._heads: list[str | None] = []
        head: str | None = None
        for line in lines:
            self._heads.append(head)
            head = line if is_head(line) else head
        self._heads.append(head)

    def has(self, wanted: Sequence[str]) -> bool:
        return any(True for _ in self._places(list(wanted)))

    def find(self, change: _Change, *, anywhere: bool) -> tuple[list[int], int]:
        """Return the indexes at which ``change`` could be meant, and how many lines around it fit.

        Args:
            change: What is to be placed.
            anywhere: Also outside of the function that is named, when it is nowhere within.
        """
        least = change.least()
        if least is None:
            return [], 0
        before, after = least
        found = [
            at + len(before)
            for at in self._places([*before, *change.old, *after])
            if self._is_at_edge(at + len(before), change)
        ]
        within = [at for at in found if self._is_in(at, change.head)]
        found = within or (found if anywhere else [])
        if len(found) != 1:
            return found, 0
        same = self._surroundings(found[0], change)
        # Braces and empty lines are everywhere, and tell nothing.
        if not any(map(_WORD.search, [*same, *change.old])):
            return [], 0
        return found, len(same)

    def _surroundings(self, at: int, change: _Change) -> list[str]:
        """Return those lines right before and after a change at ``at`` that the patch has, too."""
        end = at + len(change.old)
        pairs = (
            (reversed(self._lines[max(0, at - CONTEXT) : at]), reversed(change.before)),
            (self._lines[end : end + CONTEXT], change.after),
        )
        return [
            line
            for there, wanted in pairs
            for line, _ in takewhile(
                lambda pair: pair[0] == pair[1], zip(there, wanted, strict=False)
            )
        ]

    def _places(self, wanted: list[str]) -> Iterable[int]:
        at = -1
        while True:
            try:
                at = self._lines.index(wanted[0], at + 1)
            except ValueError:
                return
            if self._lines[at : at + len(wanted)] == wanted:
                yield at

    def _is_at_edge(self, at: int, change: _Change) -> bool:
        """Say whether a change that belongs at the file's beginning or end is there."""
        return not (
            (change.first and not change.before and at != 0)
            or (change.last and not change.after and at + len(change.old) != len(self._lines))
        )

    def _is_in(self, at: int, head: str | None) -> bool:
        if not self._by_function:
            return True
        there = self._heads[at]
        if head is None or there is None:
            return head == there
        return _quoted(there) == _quoted(head)


def _whole(hunk: Hunk) -> _Change:
    """Return a hunk as one change, its context included."""
    new = tuple(line[1:] for line in hunk.lines if line[0] in " +")
    return _Change(
        old=hunk.old, new=new, before=(), after=(), head=hunk.heading or None, whole=True
    )


def _changes(hunk: Hunk) -> list[_Change]:
    """Take a hunk apart into its changes."""
    runs = [list(run) for _, run in groupby(hunk.lines, key=lambda line: line[0] == " ")]
    head = hunk.heading or None
    changes = []
    for index, run in enumerate(runs):
        old = tuple(line[1:] for line in run if line[0] in " -")
        if run[0][0] != " ":
            before = runs[index - 1] if index else []
            after = runs[index + 1] if index + 1 < len(runs) else []
            changes.append(
                _Change(
                    old=old,
                    new=tuple(line[1:] for line in run if line[0] == "+"),
                    before=tuple(line[1:] for line in before),
                    after=tuple(line[1:] for line in after),
                    head=head,
                    first=not before and bool(after) and hunk.start <= 1,
                    last=not after and bool(before),
                )
            )
        head = next(filter(is_head, reversed(old)), head)
    return changes


def _ends_abruptly(hunk: Hunk) -> bool:
    """Say whether the hunk is about a last line without an end."""
    return any(line.startswith("\\") for line in hunk.lines)


def is_head(line: str) -> bool:
    """Say whether git takes a line of C for the first one of a function."""
    return bool(_HEAD.match(line)) and not _LABEL.match(line)


def _quoted(head: str) -> str:
    cut = head.rstrip().encode(errors="surrogateescape")[:HEADING_LENGTH]
    return cut.decode(errors="replace").rstrip()


def _reversed(hunk: Hunk) -> Hunk:
    other = {"-": "+", "+": "-"}
    return replace(hunk, lines=tuple(other.get(line[0], line[0]) + line[1:] for line in hunk.lines))


def _in_order(placed: Sequence[tuple[int, _Change]]) -> bool:
    """Say whether changes follow each other as in the patch and none takes another's place."""
    return all(
        at + len(change.old) <= other_at and (at, len(change.old)) != (other_at, 0)
        for (at, change), (other_at, _) in pairwise(placed)
    )


def _replaced(lines: list[str], placed: Iterable[tuple[int, _Change]]) -> bytes:
    result: list[str] = []
    done = 0
    for at, change in placed:
        result += [*lines[done:at], *change.new]
        done = at + len(change.old)
    result += lines[done:]
    return "".join(f"{line}\n" for line in result).encode(errors="surrogateescape")

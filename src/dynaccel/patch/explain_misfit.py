# SPDX-License-Identifier: GPL-2.0-or-later
"""Say why a hook finds no place: what it expects, and what the tree has that comes nearest."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from dynaccel.patch.parse_diff import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynaccel.patch.parse_diff import FileDiff
    from dynaccel.patch.series import SelectedHook

CANDIDATES = 20
"""How many places of a file are compared letter by letter."""

ALIKE = 0.4
"""Below this likeness (0 to 1) a place is no help to a reader."""

_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A place where the patch does not fit the tree.

    Attributes:
        hook: The hook's name; None for a file of the core.
        path: The file, relative to the top of the tree.
        reason: What is wrong, in one line.
        line: Where the hunk expects its lines, from 1; None when the whole file is the trouble.
        expected: The lines that the hunk expects.
        nearest: What the tree has that comes nearest; empty when nothing is alike.
        nearest_line: Number of its first line, from 1.
        remedy: What to do about it, when that is known.
    """

    hook: str | None
    path: str
    reason: str
    line: int | None = None
    expected: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()
    nearest_line: int | None = None
    remedy: str | None = None


def explain(
    hook: SelectedHook,
    diff: FileDiff,
    content: bytes,
    complaint: str,
    *,
    ambiguous: Mapping[int, tuple[int, ...]],
    nearest: bool,
) -> list[Misfit]:
    """Return what keeps ``diff`` from fitting ``content``.

    Args:
        hook: The hook.
        diff: Its part that is about the file.
        content: The file.
        complaint: git's word on it.
        ambiguous: By the number of a hunk, the lines at which a change of it could be merged.
        nearest: Whether to look for what comes nearest, which takes most of a second a hunk in a
            long file.
    """
    if b"\r\n" in content:
        return [
            Misfit(
                hook=hook.name,
                path=diff.path,
                reason="the file has CRLF line ends; Linux and its patches have LF",
                remedy="get the tree with LF: unpack the tarball on Linux,"
                " or git config core.autocrlf false and check the files out anew",
            )
        ]
    lines = lines_of(content)
    misfits = [
        _explain_hunk(hook, diff, number, lines if nearest else [], could=ambiguous.get(number, ()))
        for number, hunk in enumerate(diff.hunks, start=1)
        if number in ambiguous or not _find(list(hunk.old), lines)
    ]
    return misfits or [
        Misfit(hook=hook.name, path=diff.path, reason=f"git apply: {complaint.splitlines()[0]}")
    ]


def describe(misfit: Misfit) -> str:
    """Return a misfit as lines for a reader."""
    head = f"hook {misfit.hook}: " if misfit.hook else ""
    text = [f"{head}{misfit.path}: {misfit.reason}"]
    if not misfit.expected:
        return text[0]
    if misfit.nearest_line is None:
        text.append("  expected, and nothing in the file is like it:")
        return "\n".join(text + [f"        - {line}" for line in misfit.expected])
    text.append(
        f"  nearest text, from line {misfit.nearest_line} of the tree's file"
        " (- expected but not there, + there instead):"
    )
    at = misfit.nearest_line
    matcher = SequenceMatcher(None, misfit.expected, misfit.nearest, autojunk=False)
    for tag, old, old_end, new, new_end in matcher.get_opcodes():
        if tag != "equal":
            text.extend(f"        - {line}" for line in misfit.expected[old:old_end])
        mark = " " if tag == "equal" else "+"
        text.extend(
            f"  {at + index:5} {mark} {misfit.nearest[index]}" for index in range(new, new_end)
        )
    return "\n".join(text)


def _explain_hunk(
    hook: SelectedHook,
    diff: FileDiff,
    number: int,
    lines: list[str],
    *,
    could: tuple[int, ...],
) -> Misfit:
    hunk = diff.hunks[number - 1]
    reason = f"hunk {number} of {hook.patch} finds no place (expected near line {hunk.start})"
    if could:
        reason += f"; its change could be meant for line {' or '.join(map(str, could))}"
    expected = list(hunk.old)
    where = _nearest(expected, lines) if lines else None
    nearest = lines[where : where + len(expected)] if where is not None else []
    return Misfit(
        hook=hook.name,
        path=diff.path,
        reason=reason,
        line=hunk.start,
        expected=_shown(hunk.old),
        nearest=_shown(nearest),
        nearest_line=where + 1 if where is not None else None,
    )


def _shown(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines that can be printed anywhere: bytes that are no UTF-8 become a mark."""
    return tuple(line.encode(errors="surrogateescape").decode(errors="replace") for line in lines)


def _find(wanted: list[str], lines: list[str]) -> bool:
    return any(lines[at : at + len(wanted)] == wanted for at in range(len(lines) - len(wanted) + 1))


def _nearest(wanted: list[str], lines: list[str]) -> int | None:
    """Return the index of the place that is most like ``wanted``, None when nothing is.

    Comparing letters everywhere would take seconds in a long file. So places are first ranked
    by the words that they share with ``wanted``, where a rare word counts for more.
    """
    words = [set(_TOKEN.findall(line)) for line in lines]
    frequency = Counter(word for line in words for word in line)
    sought = {word for line in wanted for word in _TOKEN.findall(line)}
    scores = [sum(1 / frequency[word] for word in line & sought) for line in words]
    places = range(max(1, len(lines) - len(wanted) + 1))
    ranked = sorted(places, key=lambda at: -sum(scores[at : at + len(wanted)]))[:CANDIDATES]
    best, place = 0.0, None
    target = "\n".join(wanted)
    for at in ranked:
        window = lines[at : at + len(wanted)]
        letters = SequenceMatcher(None, target, "\n".join(window), autojunk=False).ratio()
        if letters > best:
            best, place = letters, at
    return place if best >= ALIKE else None

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the keys and values of a TOML document stand: tomllib does not say.

The text has been accepted by tomllib, so that what stands here only has to tell tokens apart, and
need not see what is wrong. Strings' escapes are left to tomllib, too.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

Steps = tuple[str | int, ...]
"""The way to a value: keys, and numbers (from 0) in arrays."""

_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY_PART = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(
    # Up to two quotes may stand right before the three that end it.
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text; both count from 1, columns in characters."""

    line: int
    column: int


class Places:
    """The places of a document's keys and values.

    A table's value is where its header or its brace stands; that of one that only dotted keys
    speak of is where it is named first.
    """

    def __init__(self, text: str) -> None:
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._keys: dict[Steps, int] = {}
        self._values: dict[Steps, int] = {}
        self._sizes: dict[Steps, int] = {}
        self._text = text
        self._document()

    def key(self, steps: Steps) -> Place:
        """Return where a key stands; of what has none (an array's item), where the value does."""
        return self._place(self._keys.get(steps, self._value_index(steps)))

    def value(self, steps: Steps) -> Place:
        """Return where a value stands; of one that is not there, where what should hold it does."""
        return self._place(self._value_index(steps))

    def all_values(self) -> set[Steps]:
        """Return the ways to all values that are written down, tables among them."""
        return set(self._values)

    def _value_index(self, steps: Steps) -> int:
        while steps and steps not in self._values:
            steps = steps[:-1]
        return self._values.get(steps, 0)

    def _place(self, index: int) -> Place:
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._lines[middle] <= index else (low, middle)
        return Place(low + 1, index - self._lines[low] + 1)

    def _document(self) -> None:
        table: Steps = ()
        at = self._blank(0)
        while at < len(self._text):
            if self._text[at] == "[":
                table, at = self._header(at)
            else:
                at = self._pair(table, at)
            at = self._blank(at)

    def _header(self, at: int) -> tuple[Steps, int]:
        begin, many = at, self._text.startswith("[[", at)
        parts, at = self._dotted(at + (2 if many else 1))
        steps: Steps = ()
        for number, (name, where) in enumerate(parts):
            steps = (*steps, name)
            self._keys.setdefault(steps, where)
            last = number == len(parts) - 1
            if many and last:
                self._values.setdefault(steps, begin)
                self._sizes[steps] = self._sizes.get(steps, 0) + 1
            if steps in self._sizes:
                steps = (*steps, self._sizes[steps] - 1)
            if last:
                self._values[steps] = begin
            else:
                self._values.setdefault(steps, where)
        return steps, at + (2 if many else 1)

    def _pair(self, table: Steps, at: int) -> int:
        parts, at = self._dotted(at)
        steps = table
        for name, where in parts:
            steps = (*steps, name)
            self._keys.setdefault(steps, where)
            self._values.setdefault(steps, where)
        return self._value(steps, self._space(at + 1))

    def _value(self, steps: Steps, at: int) -> int:
        self._values[steps] = at
        first = self._text[at]
        if first == "[":
            return self._array(steps, at + 1)
        if first == "{":
            return self._inline(steps, at + 1)
        found = (_STRING if first in "\"'" else _PLAIN).match(self._text, at)
        return found.end() if found else len(self._text)

    def _array(self, steps: Steps, at: int) -> int:
        number = 0
        at = self._blank(at)
        while self._text[at] != "]":
            at = self._blank(self._value((*steps, number), at))
            number += 1
            if self._text[at] == ",":
                at = self._blank(at + 1)
        return at + 1

    def _inline(self, steps: Steps, at: int) -> int:
        # A later TOML than 1.0 allows new lines in here.
        at = self._blank(at)
        while self._text[at] != "}":
            at = self._blank(self._pair(steps, at))
            if self._text[at] == ",":
                at = self._blank(at + 1)
        return at + 1

    def _dotted(self, at: int) -> tuple[list[tuple[str, int]], int]:
        """Return a key's parts with their places, and where what follows stands."""
        parts = []
        while True:
            at = self._space(at)
            found = _KEY_PART.match(self._text, at)
            word = found[0] if found else ""
            quoted = word[:1] in ('"', "'")
            parts.append((tomllib.loads(f"key={word}")["key"] if quoted else word, at))
            at = self._space(at + len(word))
            if not self._text.startswith(".", at):
                return parts, at
            at += 1

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

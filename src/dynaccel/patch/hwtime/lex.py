# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell code from what is no code in a C file, by a copy in which the rest is blank.

All offsets of the copy are those of the file, so that what is found in the copy can be changed in
the file, byte by byte and whatever its encoding.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

_NO_CODE = re.compile(
    rb"""
      /\*.*?(?:\*/|\Z)
    | //(?:\\\r?\n|[^\n])*
    | "(?:\\.|[^"\\\n])*"
    | '(?:\\.|[^'\\\n])+'
    | \#[ \t]*(?:include|error|warning|pragma|ident|line)\b(?:\\\r?\n|/\*.*?\*/|[^\n])*
    | \\\r?\n
    """,
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(rb"^[ \t]*\#[ \t]*(\w*)[^\n]*", re.MULTILINE)
_DEFINE = re.compile(rb"[ \t]*\#[ \t]*define[ \t]+(\w+)(\([^)\n]*\))?")
_SPACE = b" \t\r\n\f\v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A line of the preprocessor, with the lines that continue it.

    Attributes:
        start: Offset of its first byte.
        end: Offset behind its last one.
        word: What it does: ``define``, ``ifdef`` ...
        name: The macro's name, for ``define``.
        parameters: The macro's parameters in parentheses; empty when it has none.
        body: Offset of the macro's body, for ``define``; else ``end``.
    """

    start: int
    end: int
    word: bytes
    name: bytes = b""
    parameters: bytes = b""
    body: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A C file and what is code in it.

    Attributes:
        data: The file.
        code: As long as ``data``; comments, strings' insides, includes and line continuations are
            blank. Newlines stay, except in the latter two, so that a directive is one line.
        directives: The preprocessor's lines, by offset.
        lines: Offsets of the starts of the file's lines.
    """

    data: bytes
    code: bytes
    directives: tuple[Directive, ...]
    lines: tuple[int, ...]
    _starts: tuple[int, ...] = field(repr=False)

    def line_of(self, offset: int) -> int:
        """Return the number of the line, from 1, in which ``offset`` lies."""
        return bisect_right(self.lines, offset)

    def text_of_line(self, offset: int) -> bytes:
        """Return the whole line in which ``offset`` lies, without its end."""
        number = self.line_of(offset)
        end = self.lines[number] if number < len(self.lines) else len(self.data)
        return self.data[self.lines[number - 1] : end].rstrip(b"\r\n")

    def directive_at(self, offset: int) -> Directive | None:
        """Return the preprocessor's line in which ``offset`` lies, None outside of one."""
        index = bisect_right(self._starts, offset) - 1
        if index >= 0 and offset < self.directives[index].end:
            return self.directives[index]
        return None

    def before(self, offset: int) -> int:
        """Return the offset of the last code byte before ``offset``; -1 when there is none.

        From outside of the preprocessor's lines these are passed over; from inside of a macro's
        body nothing before the body is seen.
        """
        within = self.directive_at(offset)
        floor = within.body if within else 0
        at = offset - 1
        while at >= floor:
            if self.code[at] in _SPACE:
                at -= 1
                continue
            other = None if within else self.directive_at(at)
            if other is None:
                return at
            at = other.start - 1
        return -1

    def after(self, offset: int) -> int:
        """Return the offset of the first code byte from ``offset`` on; the length when none."""
        within = self.directive_at(offset - 1)
        ceiling = within.end if within else len(self.code)
        at = offset
        while at < ceiling:
            if self.code[at] in _SPACE:
                at += 1
                continue
            other = None if within else self.directive_at(at)
            if other is None:
                return at
            at = other.end
        return len(self.code)

    def word_before(self, offset: int) -> bytes:
        """Return the last token before ``offset``: a word, or one byte; empty when none."""
        last = self.before(offset)
        if last < 0:
            return b""
        first = last
        if _is_word(self.code[last]):
            within = self.directive_at(offset)
            floor = within.body if within else 0
            while first > floor and _is_word(self.code[first - 1]):
                first -= 1
        return self.code[first : last + 1]


def parse(data: bytes) -> Code:
    """Return what is code in a C file; never fails, whatever the bytes are."""
    code = _NO_CODE.sub(_blank, data)
    directives = tuple(_directive(code, found) for found in _DIRECTIVE.finditer(code))
    lines = (0, *(found.end() for found in re.finditer(rb"\n", data)))
    return Code(
        data=data,
        code=code,
        directives=directives,
        lines=lines,
        _starts=tuple(item.start for item in directives),
    )


def _blank(found: re.Match[bytes]) -> bytes:
    text: bytes = found[0]
    first = text[:1]
    if first in {b'"', b"'"}:
        return first + b" " * (len(text) - 2) + first
    if first == b"\\":
        return b" " * len(text)
    if first == b"#":
        return b"#" + b" " * (len(text) - 1)
    # Within a macro a comment of several lines does not end the macro: the preprocessor takes
    # comments out first. Newlines of others matter to no one but a directive, so all may go.
    return b" " * len(text)


def _directive(code: bytes, found: re.Match[bytes]) -> Directive:
    word = found[1]
    define = _DEFINE.match(code, found.start(), found.end()) if word == b"define" else None
    if define is None:
        return Directive(start=found.start(), end=found.end(), word=word, body=found.end())
    return Directive(
        start=found.start(),
        end=found.end(),
        word=word,
        name=define[1],
        parameters=define[2] or b"",
        body=define.end(),
    )


def _is_word(byte: int) -> bool:
    return byte == 95 or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122  # noqa: PLR2004

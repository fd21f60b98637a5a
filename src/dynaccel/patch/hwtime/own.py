# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell where a file gives a well-known name to something of its own.

``jiffies`` may be a parameter, a member of a struct, a macro; such a name must stay, with all its
uses. This reads C by its looks, in the style of the kernel (a function's body opens and closes with
a brace in the first column), for the file may be half macros.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynaccel.patch.hwtime.lex import Code

_NO_TYPE = {
    b"return", b"else", b"case", b"goto", b"sizeof", b"typeof", b"__typeof__", b"do", b"if",
    b"while", b"for", b"switch", b"default", b"in", b"break", b"continue",
}  # fmt: skip
_TYPE = re.compile(
    rb"\b(?:struct\s+\w+|union\s+\w+|enum\s+\w+|unsigned|signed|void|char|short|int|long|float"
    rb"|bool|_?_?[su](?:8|16|32|64)|__[bl]e(?:16|32|64)|uint|ulong|\w+_t|const|volatile)\s*\Z"
)
_DECLARATION = re.compile(
    rb"\s*(?:(?:static|const|volatile|register|extern)\s+)*"
    rb"(?:(?:struct|union|enum)\s+\w+|\w+)(?:\s+\w+)*\s*[*\s]+\w+\s*(?:[,=\[]|\Z)"
)
_FIRST_WORD = re.compile(rb"\s*(\w+)")
_POINTED = re.compile(rb"\w[\s*]*\(\s*\*\s*\Z")
_ENDS = b",;)=[:"


def own_places(code: Code, hits: Iterable[tuple[int, int]]) -> set[int]:
    """Return the offsets at which a name means something of the file's own.

    Args:
        code: The file.
        hits: Where names of interest start and end.
    """
    found = list(hits)
    own: set[int] = set()
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for start, end in found:
        span = _member(code, start, end) or _in_directive(code, start, end)
        span = span or declared_at(code, start, end)
        if span is not None:
            own.add(start)
            spans.setdefault(code.code[start:end], []).append(span)
    for start, end in found:
        if any(first <= start < last for first, last in spans.get(code.code[start:end], ())):
            own.add(start)
    return own


def _member(code: Code, start: int, end: int) -> tuple[int, int] | None:
    text = code.code
    last = code.before(start)
    if last >= 0 and (
        (text[last : last + 1] == b"." and text[last - 1 : last] != b".")
        or text[last - 1 : last + 1] == b"->"
    ):
        return start, end
    # Pasted or made a string of, it is a part of another name or a text.
    following = code.after(end)
    if (last >= 0 and text[last : last + 1] == b"#") or text[following : following + 2] == b"##":
        return start, end
    return None


def _in_directive(code: Code, start: int, end: int) -> tuple[int, int] | None:
    line = code.directive_at(start)
    if line is None or (line.word == b"define" and start >= line.body):
        if line is not None and re.search(
            rb"\b" + re.escape(code.code[start:end]) + rb"\b", line.parameters
        ):
            return line.start, line.end
        return None
    if line.word == b"define" and line.name == code.code[start:end]:
        return 0, len(code.code)
    return start, end


def declared_at(code: Code, start: int, end: int) -> tuple[int, int] | None:
    """Return where a name holds that is declared at ``start``; None when it is not declared."""
    text = code.code
    following = text[code.after(end) : code.after(end) + 1]
    last = code.word_before(start)
    if following == b"(":
        if not _is_name(last) or text[start:end].isupper():
            return None
        return _whole(code) if _opening(code, start) is None else None
    if not following or following not in _ENDS:
        return None
    declared = (
        _is_name(last)
        or (last == b"*" and _after_type(code, start))
        or (last == b"," and following in b",;=[" and _in_list(code, start))
        or (last == b"*" and following == b")" and _is_pointer(code, start))
    )
    return _scope(code, start, end) if declared else None


def _is_name(word: bytes) -> bool:
    return bool(word) and (word[:1].isalpha() or word[:1] == b"_") and word not in _NO_TYPE


def _after_type(code: Code, start: int) -> bool:
    before = code.code[max(0, start - 80) : start].rstrip().rstrip(b"* \t\n")
    return _TYPE.search(before) is not None


def _is_pointer(code: Code, start: int) -> bool:
    """Whether a name stands as that of a function pointer: ``int (*name)(int)``."""
    return _POINTED.search(code.code[max(0, start - 80) : start]) is not None


def _in_list(code: Code, start: int) -> bool:
    """Whether the statement up to ``start`` declares several things at once."""
    text, at, depth = code.code, start - 1, 0
    while at >= 0 and start - at < 2000:  # noqa: PLR2004  (no declaration is as long)
        byte = text[at : at + 1]
        if byte in b")]":
            depth += 1
        elif byte in b"([":
            depth -= 1
            if depth < 0:
                return False
        elif byte in b";{}" and not depth:
            break
        at -= 1
    statement = text[at + 1 : start]
    word = _FIRST_WORD.match(statement)
    return (
        word is not None and word[1] not in _NO_TYPE and _DECLARATION.match(statement) is not None
    )


def _whole(code: Code) -> tuple[int, int]:
    return 0, len(code.code)


def _scope(code: Code, start: int, end: int) -> tuple[int, int]:
    """Return where something that is declared at ``start`` can be meant by its name."""
    text = code.code
    body = text.rfind(b"\n{", 0, start)
    if body > text.rfind(b"\n}", 0, start):
        return body, _body_end(text, start)
    opening = _opening(code, start)
    if opening is None:
        return _whole(code)
    if text[opening : opening + 1] == b"{":
        last = code.before(opening)
        if last >= 0 and text[last : last + 1] == b")":
            return opening, _body_end(text, start)
        return start, end  # a member of a struct
    # A parameter: of a function with a body, or of a mere prototype?
    closing = _closing(text, opening)
    brace, semicolon = text.find(b"{", closing), text.find(b";", closing)
    if brace >= 0 and (semicolon < 0 or brace < semicolon) and _opening(code, opening) is None:
        return start, _body_end(text, brace)
    return start, end


def _body_end(text: bytes, start: int) -> int:
    found = text.find(b"\n}", start)
    return found if found >= 0 else len(text)


def _opening(code: Code, start: int) -> int | None:
    """Return the offset of the innermost bracket that is open at ``start``; None at file scope."""
    text = code.code
    floor = max(text.rfind(b"\n}", 0, start), 0)
    body = text.rfind(b"\n{", 0, start)
    depth = 0
    for at in range(start - 1, floor - 1, -1):
        byte = text[at]
        if byte in b")}]":
            depth += 1
        elif byte in b"({[":
            if not depth:
                return at
            depth -= 1
    return body + 1 if body > floor else None


def _closing(text: bytes, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        byte = text[at]
        if byte in b"({[":
            depth += 1
        elif byte in b")}]":
            depth -= 1
            if not depth:
                return at
    return len(text)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages: what one says, and its text in the language of man(7)."""

from __future__ import annotations

import re
import textwrap
import time
from dataclasses import dataclass

MANUAL_SECTION = 1
"""Commands that users type, in man's numbering."""

_WIDTH = 78
_DASH = "\N{EN DASH}"
"""Between a page's name and its summary; whatis(1) looks for the escape that it becomes."""
# man(7) wants these by name: a bare one is a command at the start of a line, or becomes a
# typographer's quote or hyphen that no shell understands.
_NAMED = {
    _DASH: r"\-",
    "\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", '"': r"\(dq", "^": r"\(ha", "~": r"\(ti",
}  # fmt: skip
_CONTROL = (".", "'")
_TERM_WORD = re.compile(r"\s+|[^\s,/]+|[,/]")
_METAVAR_WORD = re.compile(r"([A-Za-z][\w|:=-]*(?:\.\w+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A term and what it means: an option, a status, a variable, a file.

    Attributes:
        term: As the user types or sees it; words that begin with a hyphen are set in bold, the
            others are placeholders.
        text: What it means.
        bold: The whole term is typed as it stands.
    """

    term: str
    text: str
    bold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text.

    Attributes:
        text: Its words.
        verbatim: Its lines stay as they are.
    """

    text: str
    verbatim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Synopsis:
    """How a command is called.

    Attributes:
        command: What is typed as it stands.
        arguments: The rest, placeholders.
    """

    command: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Other pages of the same manual section.

    Attributes:
        names: Their names.
    """

    names: tuple[str, ...]


Block = Item | Paragraph | Synopsis | References


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualPage:
    """A manual page.

    Attributes:
        name: Its name, such as ``dynaccel-kernel-build``.
        summary: One line for NAME and for apropos(1), without a full stop.
        sections: Headings and what stands below them; NAME is made from the above.
    """

    name: str
    summary: str
    sections: tuple[tuple[str, tuple[Block, ...]], ...]

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.name}.{MANUAL_SECTION}"


def render(page: ManualPage, *, version: str, changed_seconds: int) -> str:
    """Return the page's text for man(1).

    Args:
        page: What it says.
        version: Version of dynaccel, for the page's foot.
        changed_seconds: The page's date, in seconds since 1970.
    """
    date = time.strftime("%Y-%m-%d", time.gmtime(changed_seconds))
    title, foot = _escape(page.name.upper()), _escape(f"dynaccel {version}")
    lines = [
        f'.TH "{title}" {MANUAL_SECTION} "{date}" "{foot}" "dynaccel"',
        ".SH NAME",
        *_wrapped(f"{page.name} {_DASH} {page.summary}"),
    ]
    for heading, blocks in page.sections:
        lines.append(f'.SH "{_escape(heading)}"')
        for number, block in enumerate(blocks):
            # A section begins a paragraph of its own.
            lines += _block(block, first=number == 0)
    return "\n".join(lines) + "\n"


def _block(block: Block, *, first: bool) -> list[str]:
    match block:
        case Item():
            return [".TP", _term(block), *_wrapped(block.text)]
        case Paragraph(verbatim=True):
            shown = [_guarded(_escape(line)) for line in block.text.splitlines()]
            return [*([] if first else [".PP"]), ".nf", *shown, ".fi"]
        case Paragraph():
            return [*([] if first else [".PP"]), *_wrapped(block.text)]
        case Synopsis():
            words = [rf"\fB{_escape(block.command)}\fR", *map(_placeholder, block.arguments)]
            return [*([] if first else [".PP"]), " ".join(words)]
        case References():
            ends = [","] * (len(block.names) - 1) + [""]
            return [
                f".BR {_escape(name)} ({MANUAL_SECTION}){end}"
                for name, end in zip(block.names, ends, strict=True)
            ]


def _term(item: Item) -> str:
    if item.bold:
        return rf"\fB{_escape(item.term)}\fR"
    return "".join(
        rf"\fB{_escape(word)}\fR" if word.startswith("-") else _placeholder(word)
        for word in _TERM_WORD.findall(item.term)
    )


def _placeholder(text: str) -> str:
    """Return a metavar: its words in italics, brackets and dots as they are."""
    return "".join(
        rf"\fI{_escape(part)}\fR" if number % 2 else _escape(part)
        for number, part in enumerate(_METAVAR_WORD.split(text))
    )


def _wrapped(text: str) -> list[str]:
    """Return the source lines of a paragraph."""
    return [
        _guarded(line)
        for line in textwrap.wrap(
            _escape(" ".join(text.split())),
            _WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _guarded(line: str) -> str:
    r"""Keep a line from being a command of roff: ``\&`` is nothing, of no width."""
    return rf"\&{line}" if line.startswith(_CONTROL) else line


def _escape(text: str) -> str:
    return "".join(
        _NAMED.get(character, character if character.isascii() else rf"\[u{ord(character):04X}]")
        for character in text
    )

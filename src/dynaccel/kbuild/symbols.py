# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a symbol did not get the value that was asked for: a look into the tree's Kconfig files.

This reads just enough of the language for a helpful message; it decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.kbuild.kconfig import OFF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from dynaccel.kbuild.kconfig import Config, Difference

_OPENS = re.compile(r"\s*(if|menu|choice)\b\s*(.*)")
_CLOSES = re.compile(r"\s*end(if|menu|choice)\b")
_ENTRY = re.compile(r"\s*(?:menu)?config\s+(\w+)\s*$")
_SOURCE = re.compile(r'\s*source\s+"([^"]+)"')
_STATEMENT = re.compile(r"\s*(if|menu|choice|endif|endmenu|endchoice|config|menuconfig|source)\b")
_DEPENDS = re.compile(r"\s*(?:depends\s+on|visible\s+if)\s+(.+)")
_HELP = re.compile(r"(\s*)(?:-+)?help(?:-+)?\s*$")
_CONTINUED = "\\"
_OPERAND = re.compile(r"\b[A-Z][A-Z0-9_]*\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One place where a Kconfig file defines a symbol.

    Attributes:
        symbol: Its name, without ``CONFIG_``.
        place: File and line, relative to the tree.
        conditions: What it depends on there, the enclosing blocks' conditions first.
        in_choice: Whether it is a member of a choice: one member at a time can be on.
    """

    symbol: str
    place: str
    conditions: tuple[str, ...]
    in_choice: bool


def find_definitions(
    tree: Path, symbols: Collection[str], *, source_arch: str
) -> dict[str, list[Definition]]:
    """Return the definitions of ``symbols`` in a kernel tree; a symbol without any is left out.

    Args:
        tree: The top of the kernel tree.
        symbols: Names without ``CONFIG_``.
        source_arch: The directory below ``arch/`` that counts, such as ``x86``.
    """
    wanted = set(symbols)
    found: dict[str, list[Definition]] = {}
    for definition in _Reader(tree, source_arch).read("Kconfig", ()):
        if definition.symbol in wanted:
            found.setdefault(definition.symbol, []).append(definition)
    return found


def explain(
    difference: Difference, definitions: list[Definition], final: Config, requested: Config
) -> str:
    """Return a line that names the difference and its likely cause.

    Args:
        difference: The symbol and its two values.
        definitions: Where the tree defines it.
        final: The whole configuration as Kconfig left it.
        requested: What was asked for.
    """
    head = (
        f"CONFIG_{difference.symbol}: {_words(difference.wanted)} was asked for,"
        f" {_words(difference.actual)} came out"
    )
    return f"{head}; {_cause(difference, definitions, final, requested)}"


def _cause(
    difference: Difference, definitions: list[Definition], final: Config, requested: Config
) -> str:
    if not definitions:
        return "this tree has no such symbol"
    if difference.wanted == OFF:
        return f"another symbol selects it (see {definitions[0].place})"
    for definition in definitions:
        operands = _OPERAND.findall(" ".join(definition.conditions))
        off = [name for name in dict.fromkeys(operands) if final[name] == OFF]
        if off:
            return (
                f"it depends on {' && '.join(definition.conditions)} ({definition.place});"
                f" off are {', '.join(off)}"
            )
    first = definitions[0]
    if first.in_choice:
        return f"another member of its choice is on ({first.place})"
    if difference.actual != OFF and difference.symbol in requested.symbols:
        return f"the value is out of range, or another symbol decides it ({first.place})"
    return f"it has no prompt, or stands in a menu that is off ({first.place})"


def _words(value: str) -> str:
    return "off" if value == OFF else value


class _Reader:
    """Walks through the Kconfig files of a tree in the order in which they include each other."""

    def __init__(self, tree: Path, source_arch: str) -> None:
        self._tree = tree
        self._arch = source_arch
        self._seen: set[str] = set()

    def read(self, file: str, outer: tuple[_Block, ...]) -> Iterator[Definition]:
        """Yield the definitions in ``file`` and what it includes; ``outer`` blocks enclose it."""
        path = self._tree / file
        if file in self._seen or not path.is_file():
            return
        self._seen.add(file)
        blocks = list(outer)
        entry: _Entry | None = None
        for number, line in _code_lines(path.read_text(encoding="utf-8", errors="replace")):
            if depends := _DEPENDS.match(line):
                owner = entry or (blocks[-1] if len(blocks) > len(outer) else None)
                if owner is not None:
                    owner.conditions.append(depends[1].strip())
                continue
            if entry is not None and _STATEMENT.match(line):
                yield entry.define(blocks, file)
                entry = None
            if starts := _ENTRY.match(line):
                entry = _Entry(starts[1], number, [])
            elif source := _SOURCE.match(line):
                included = source[1].replace("$(SRCARCH)", self._arch)
                yield from self.read(included, tuple(blocks))
            else:
                _open_or_close(line, blocks, len(outer))
        if entry is not None:
            yield entry.define(blocks, file)


@dataclass(frozen=True, slots=True)
class _Block:
    """An ``if``, ``menu`` or ``choice`` with what it depends on."""

    kind: str
    conditions: list[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A ``config`` or ``menuconfig`` that is being read."""

    symbol: str
    line: int
    conditions: list[str]

    def define(self, blocks: list[_Block], file: str) -> Definition:
        outer = [condition for block in blocks for condition in block.conditions]
        return Definition(
            symbol=self.symbol,
            place=f"{file}:{self.line}",
            conditions=tuple(f"({c})" if "||" in c else c for c in (*outer, *self.conditions)),
            in_choice=any(block.kind == "choice" for block in blocks),
        )


def _open_or_close(line: str, blocks: list[_Block], lowest: int) -> None:
    if opens := _OPENS.match(line):
        blocks.append(_Block(opens[1], [opens[2]] if opens[1] == "if" else []))
    elif _CLOSES.match(line) and len(blocks) > lowest:
        blocks.pop()


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without comments and help texts, continued lines joined."""
    help_indent: int | None = None
    joined, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.expandtabs(8)
        indent = len(line) - len(line.lstrip())
        if help_indent is not None:
            if not line.strip() or indent > help_indent:
                continue
            help_indent = None
        if match := _HELP.match(line):
            help_indent = len(match[1])
            continue
        start = start or number
        part = " ".join(line.split("#", 1)[0].split())
        joined = f"{joined} {part.removesuffix(_CONTINUED).rstrip()}".strip()
        if part.endswith(_CONTINUED):
            continue
        if joined:
            yield start, joined
        joined, start = "", 0

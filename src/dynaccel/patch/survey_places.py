# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a hooked tree still speaks of what hooks care about, compared with another version.

A new user of a tick's length, say, may need a hook of its own, or it may be fine as it is: that is
for a maintainer to see. What was seen is kept as ``kernel/hooks/places/VERSION.txt``: each line a
word, a file, a function, and how often the word is there.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from dynaccel.core.errors import InfrastructureError
from dynaccel.core.versions import KernelVersion
from dynaccel.patch.merge_hunks import is_head
from dynaccel.patch.mistakes import faulty_table, place_of
from dynaccel.patch.parse_diff import lines_of
from dynaccel.patch.plan_hooks import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

TABLE = "places.toml"
SEEN = "places"
"""The directory beside the table with what was looked through, a file a version."""

_SOURCES = (".c", ".h", ".S")
_COMMENT = re.compile(r"\s*(/\*|\*|//)")
_NAME = re.compile(r"(\w+)\s*\(")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from error
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Something that hooks care about.

    Attributes:
        name: What lists call it.
        pattern: A regular expression that finds it in a line.
        below: Directories and files of the tree in which it is looked for.
        hooks: Names of the hooks that care.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[^\t\n]+$")]
    pattern: Annotated[str, AfterValidator(_pattern)]
    below: Annotated[tuple[str, ...], Field(min_length=1)]
    hooks: Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    words: Annotated[tuple[Word, ...], Field(alias="word", min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Spot:
    """A function, or all that lies between a file's functions, and a word of which it speaks.

    Attributes:
        word: The word's name.
        path: The file, relative to the top of the tree.
        function: The function's name; empty for what is in none.
    """

    word: str
    path: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlace:
    """A line that a maintainer should look at.

    Attributes:
        spot: Where it is.
        line: Its number in the tree's file with those hooks that fit, from 1.
        text: The line.
        hooks: The hooks that care.
    """

    spot: Spot
    line: int
    text: str
    hooks: tuple[str, ...]


_ADAPTER = TypeAdapter(_Words)


def load_words(directory: Path) -> tuple[Word, ...]:
    """Return what hooks care about; ``directory`` is where the hooks are.

    Raises:
        UserError: The table has mistakes; all of them are in the error.
        InfrastructureError: It cannot be read.
    """
    path = directory / TABLE
    try:
        raw: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        return _ADAPTER.validate_python(raw).words
    except OSError as error:
        raise InfrastructureError(
            f"cannot read the table of places {path}: {error.strerror}",
            hint="install dynaccel again",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise faulty_table("places", path, [str(error)]) from error
    except ValidationError as error:
        mistakes = [place_of(item["loc"], raw) + item["msg"] for item in error.errors()]
        raise faulty_table("places", path, mistakes) from error


def survey(tree: Path, words: Iterable[Word], hooked: Mapping[str, bytes]) -> list[NewPlace]:
    """Return all places of a tree that speak of a word, sorted.

    Args:
        tree: Top of a clean tree.
        words: The words.
        hooked: Contents of files with the hooks in them, in place of the tree's.
    """
    found: list[NewPlace] = []
    texts: dict[str, list[tuple[int, str, str]]] = {}
    for word in words:
        pattern = re.compile(word.pattern)
        for path in sorted(set(_files(tree, word.below))):
            if path not in texts:
                content = hooked[path] if path in hooked else (tree / path).read_bytes()
                texts[path] = list(_code(content))
            found += [
                NewPlace(
                    spot=Spot(word=word.name, path=path, function=function),
                    line=number,
                    text=text.strip(),
                    hooks=word.hooks,
                )
                for number, text, function in texts[path]
                if pattern.search(text)
            ]
    return sorted(found, key=lambda place: (place.spot, place.line))


def new_places(found: Iterable[NewPlace], seen: Mapping[Spot, int]) -> list[NewPlace]:
    """Return the places in functions that have more of them than was seen."""
    found = list(found)
    counts = Counter(place.spot for place in found)
    return [place for place in found if counts[place.spot] > seen.get(place.spot, 0)]


def counted(found: Iterable[NewPlace]) -> dict[Spot, int]:
    """Return how often each function speaks of each word."""
    return dict(Counter(place.spot for place in found))


def render(spots: Mapping[Spot, int]) -> str:
    """Return the text of a file of places that were seen."""
    return "".join(
        f"{spot.word}\t{spot.path}\t{spot.function}\t{count}\n"
        for spot, count in sorted(spots.items())
    )


def parse(text: str) -> dict[Spot, int]:
    """Return what a file of places says; :func:`render` writes it.

    Raises:
        ValueError: A line is damaged.
    """
    spots = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) != len(("word", "path", "function", "count")) or not fields[3].isdigit():
            raise ValueError(f"line {number}: {line!r} is not a place")
        spots[Spot(word=fields[0], path=fields[1], function=fields[2])] = int(fields[3])
    return spots


def seen_before(directory: Path, version: KernelVersion) -> tuple[str, dict[Spot, int]] | None:
    """Return the places of the nearest version that was looked through, and its name.

    That is the newest one up to ``version``, else the oldest; None when there is none.

    Args:
        directory: Where the hooks are.
        version: The version that is to be compared.

    Raises:
        UserError: The file has mistakes.
    """
    files = {KernelVersion.parse(path.stem): path for path in (directory / SEEN).glob("*.txt")}
    if not files:
        return None
    before = [known for known in files if known <= version]
    path = files[max(before) if before else min(files)]
    try:
        return path.stem, parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise faulty_table("places", path, [str(error)]) from error


def _files(tree: Path, below: Iterable[str]) -> Iterator[str]:
    for name in below:
        top = tree / name
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.suffix in _SOURCES and path.is_file() and not path.is_symlink():
                yield str(path.relative_to(tree))


def _code(content: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield the number of each line of code, the line, and the name of what it is in."""
    function = ""
    for number, line in enumerate(lines_of(content), start=1):
        if is_head(line):
            function = _function(line)
        if OURS.decode() not in line.lower() and not _COMMENT.match(line):
            yield number, line, function


def _function(head: str) -> str:
    """Return the name of the function that a line begins; empty for a declaration."""
    name = _NAME.search(head)
    return name[1] if name is not None and not head.rstrip().endswith(";") else ""

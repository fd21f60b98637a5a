# SPDX-License-Identifier: GPL-2.0-or-later
"""What is hardware time: the names (``names.toml``) and the paths of a tree (``table/*.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  (pydantic reads the annotations of this module)
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from dynaccel.core.artifacts import content_hash
from dynaccel.core.errors import InfrastructureError
from dynaccel.patch.mistakes import faulty_table, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAMES = "names.toml"
TABLE = "table"
"""A directory; all files in it make one table."""


Ktime = Literal["deadlines", "all", "none"]
"""Which calls that read a clock are hardware time in a path."""

_Read = TypeVar("_Read")


def _line(value: str) -> str:
    if not value.strip() or "\n" in value:
        raise ValueError("one line of text is wanted")
    return value


def _path(value: str) -> str:
    if not value or value.startswith("/") or any(p in {"", ".", ".."} for p in value.split("/")):
        raise ValueError(f"{value!r} is not a path relative to the top of a tree")
    return value


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


_Line = Annotated[str, AfterValidator(_line)]
_Path = Annotated[str, AfterValidator(_path)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
_Pattern = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*\*?$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Names of one kind.

    Attributes:
        name: What reports call the kind.
        about: What the names do, in one line.
        names: The names.
        context: Whether it takes the surroundings to tell if one is to be converted.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    about: _Line
    names: Annotated[tuple[_Name, ...], Field(min_length=1)]
    context: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Names that are counted, but never converted.

    Attributes:
        names: The names; a ``*`` at the end stands for any rest.
        reason: Why they stay, in one line.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    names: Annotated[tuple[_Pattern, ...], Field(min_length=1)]
    reason: _Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A path whose code deals with hardware.

    Attributes:
        path: A directory, with all below it, or a file.
        about: What it is, in one line.
        ktime: Which calls that read a clock are converted.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    path: _Path
    about: _Line
    ktime: Ktime = "deadlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Virtual:
    """What stays in virtual time inside of hardware paths.

    Attributes:
        path: A directory, with all below it, or a file.
        reason: Why, in one line.
        names: The names that stay; empty for all.
        lines: A regular expression: only names on lines in which it is found stay.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    path: _Path
    reason: _Line
    names: tuple[_Name, ...] = ()
    lines: Annotated[str, AfterValidator(_regex)] | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing of the path is converted."""
        return not self.names and self.lines is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """``names.toml``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    groups: Annotated[tuple[Group, ...], Field(alias="group", min_length=1)]
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of the table, or all of them in the order of their names."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hardware: tuple[Hardware, ...] = ()
    virtual: tuple[Virtual, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRules:
    """What holds for one file of a hardware path.

    Attributes:
        hardware: The entry in whose path it lies.
        whole: The entry that keeps the whole file virtual, if one does.
        virtual: The entries that keep some of its names virtual.
    """

    hardware: Hardware
    whole: Virtual | None = None
    virtual: tuple[Virtual, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Both tables, and what names them.

    Attributes:
        names: The names.
        table: The paths.
        semantic: The semantic patch that finds deadlines, ``deadlines.cocci``.
        digest: Hash (hex) of all of it.
    """

    names: Names
    table: Table
    semantic: bytes
    digest: str

    def of_path(self, path: str) -> PathRules | None:
        """Return what holds for a file; None when it lies in no hardware path.

        The longest path wins: a hardware file in a virtual directory is hardware. But what names
        or lines take out of a directory stays out, however a file below it is listed.
        """
        hardware = _longest(self.table.hardware, path)
        if hardware is None:
            return None
        virtual = [
            entry
            for entry in self.table.virtual
            if _covers(entry.path, path)
            and (not entry.whole or len(entry.path) >= len(hardware.path))
        ]
        return PathRules(
            hardware=hardware,
            whole=_longest([entry for entry in virtual if entry.whole], path),
            virtual=tuple(entry for entry in virtual if not entry.whole),
        )


_NAMES: TypeAdapter[Names] = TypeAdapter(Names)
_TABLE: TypeAdapter[Table] = TypeAdapter(Table)
SEMANTIC = "deadlines.cocci"


def load(directory: Path) -> Rules | None:
    """Return the rules that stand in ``directory``; None when there is no table of paths.

    Raises:
        UserError: A file has mistakes, all of which are in the error, or files contradict each
            other.
        InfrastructureError: A file cannot be read.
    """
    files = sorted((directory / TABLE).glob("*.toml"))
    if not files:
        return None
    names_data, semantic = _read(directory / NAMES), _read(directory / SEMANTIC)
    names = _parse(directory / NAMES, names_data, _NAMES)
    _refuse(directory / NAMES, _bad_names(names))
    parts = [(file, _read(file)) for file in files]
    tables = [_parse(file, data, _TABLE) for file, data in parts]
    hardware: list[tuple[str, Hardware]] = []
    virtual: list[tuple[str, Virtual]] = []
    for (file, data), table in zip(parts, tables, strict=True):
        hardware += _placed(file.name, data, "hardware", table.hardware)
        virtual += _placed(file.name, data, "virtual", table.virtual)
    _refuse(directory / TABLE, _bad_table(hardware, virtual, names))
    contents = [(NAMES, names_data), *((f.name, data) for f, data in parts), (SEMANTIC, semantic)]
    return Rules(
        names=names,
        table=Table(
            hardware=tuple(entry for _, entry in hardware),
            virtual=tuple(entry for _, entry in virtual),
        ),
        semantic=semantic,
        digest=content_hash(contents),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InfrastructureError(
            f"cannot read {path}: {error.strerror}", hint="install dynaccel again"
        ) from error


def _parse(path: Path, data: bytes, adapter: TypeAdapter[_Read]) -> _Read:
    raw: Any = None
    try:
        raw = tomllib.loads(data.decode())
        return adapter.validate_python(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise faulty_table("hardware time", path, [str(error)]) from error
    except ValidationError as error:
        mistakes = [place_of(item["loc"], raw) + item["msg"] for item in error.errors()]
        raise faulty_table("hardware time", path, mistakes) from error


def _covers(entry: str, path: str) -> bool:
    return path == entry or path.startswith(entry + "/")


_Entry = TypeVar("_Entry", Hardware, Virtual)


def _longest(entries: Iterable[_Entry], path: str) -> _Entry | None:
    fitting = [entry for entry in entries if _covers(entry.path, path)]
    return max(fitting, key=lambda entry: len(entry.path), default=None)


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


def _bad_names(names: Names) -> list[str]:
    mistakes = [
        f"group {name!r} is there more than once"
        for name in _repeated(group.name for group in names.groups)
    ]
    every = [name for group in names.groups for name in group.names]
    patterns = [name for entry in names.seen for name in entry.names]
    mistakes += [f"the name {name!r} is there more than once" for name in _repeated(every)]
    mistakes += [f"seen, {name!r} is there more than once" for name in _repeated(patterns)]
    known = set(every)
    mistakes += [f"seen, {name!r} is a name of a group too" for name in patterns if name in known]
    return mistakes


def _bad_table(
    hardware: Sequence[tuple[str, Hardware]],
    virtual: Sequence[tuple[str, Virtual]],
    names: Names,
) -> list[str]:
    mistakes = [
        *_doubles("hardware", ((place, entry.path) for place, entry in hardware)),
        *_doubles("virtual", ((place, entry.path) for place, entry in virtual if entry.whole)),
    ]
    known = {name for group in names.groups for name in group.names}
    paths = [entry.path for _, entry in hardware]
    for place, entry in virtual:
        mistakes += [
            f"{place}: virtual, {entry.path!r}: {NAMES} has no name {name!r}"
            for name in entry.names
            if name not in known
        ]
        if entry.whole and entry.path in paths:
            mistakes.append(f"{place}: {entry.path!r} is hardware and wholly virtual at once")
        if not any(_covers(path, entry.path) or _covers(entry.path, path) for path in paths):
            mistakes.append(f"{place}: virtual, {entry.path!r}: no hardware path is there")
    return mistakes


def _doubles(kind: str, paths: Iterable[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for place, path in paths:
        if path in first:
            yield f"{place}: {kind}, {path!r} is there already, {first[path]}"
        first.setdefault(path, place)


def _placed(
    name: str, data: bytes, kind: str, entries: Sequence[_Entry]
) -> Iterator[tuple[str, _Entry]]:
    """Yield the entries of a kind, each after its ``file:line``, which TOML's reader keeps back."""
    heads = re.finditer(rb"^[ \t]*\[\[\s*" + kind.encode() + rb"\s*\]\]", data, re.MULTILINE)
    lines = [data.count(b"\n", 0, head.end()) + 1 for head in heads]
    # Who writes the entries in another way gets the file's name alone.
    known = len(lines) == len(entries)
    for number, entry in enumerate(entries):
        yield f"{name}:{lines[number]}" if known else name, entry


def _refuse(path: Path, mistakes: Sequence[str]) -> None:
    if mistakes:
        raise faulty_table("hardware time", path, mistakes)

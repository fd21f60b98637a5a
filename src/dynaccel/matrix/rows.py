# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of the matrix, ``kernel/matrix.toml``: which kernels are built, and how measured."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003  (pydantic reads the annotations of this module)
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from dynaccel.core import arches
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.core.units import RATIO_MAX
from dynaccel.host import paths
from dynaccel.patch.mistakes import faulty_table, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLE = "matrix.toml"
FLAVOURS = "configs/flavours"
"""Where flavours are, below the directory ``kernel``."""

AUTO = "auto"
"""The compiler of a row that leaves the choice to the build."""

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
_Ratio = Annotated[int, Field(ge=1, le=RATIO_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kernel to build and to verify.

    Attributes:
        name: What the table calls it.
        source: As ``dynaccel kernel build --source`` takes it; None when the user has to give it.
        arch: Its architecture, as ``uname -m`` says it.
        flavours: Names of configuration files in ``kernel/configs/flavours``; a later one wins.
        config: Configuration files of one's own, relative to the table; they win over flavours.
        base_config: As ``dynaccel kernel build --base-config`` takes it; None: the shipped one.
        compiler: As ``dynaccel kernel build --compiler`` takes it, or ``auto``.
        cpus: Number of CPUs of the guest.
        ratios: The ratios to measure at.
        append: More for the kernel's command line.
        note: What a reader should know of the row.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: _Name
    source: str | None = None
    arch: str = "x86_64"
    flavours: tuple[_Name, ...] = ()
    config: tuple[Path, ...] = ()
    base_config: str | None = None
    compiler: str = AUTO
    cpus: Annotated[int, Field(ge=1, le=64)] = 2
    ratios: Annotated[tuple[_Ratio, ...], Field(min_length=1)] = (1, 10, 100, 200, 1000)
    append: str = ""
    note: str = ""

    def fragments(self) -> tuple[Path, ...]:
        """Return the files of its flavours, and its own ones."""
        return (*(flavour_file(name) for name in self.flavours), *self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    rows: Annotated[tuple[Row, ...], Field(alias="row", min_length=1)]


_ADAPTER = TypeAdapter(_Rows)


def flavour_file(name: str) -> Path:
    """Return the configuration file of a flavour."""
    return paths.data_dir("kernel") / FLAVOURS / f"{name}.config"


def load(path: Path | None = None) -> tuple[Row, ...]:
    """Return the rows of a table; of dynaccel's own when None.

    Raises:
        UserError: The table has mistakes; all of them are in the error.
        InfrastructureError: It cannot be read.
    """
    path = path if path is not None else paths.data_dir("kernel") / TABLE
    try:
        raw: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_placed(row, path.parent) for row in _ADAPTER.validate_python(raw).rows)
    except OSError as error:
        raise InfrastructureError(
            f"cannot read the table of the matrix {path}: {error.strerror}",
            hint="install dynaccel again",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise faulty_table("the matrix", path, [str(error)]) from error
    except ValidationError as error:
        mistakes = [place_of(item["loc"], raw) + item["msg"] for item in error.errors()]
        raise faulty_table("the matrix", path, mistakes) from error
    mistakes = list(_contradictions(rows))
    if mistakes:
        raise faulty_table("the matrix", path, mistakes)
    return rows


def chosen(rows: Sequence[Row], names: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows of those names, in the table's order; all when there is no name.

    Raises:
        UserError: There is no such row.
    """
    _require(rows, names)
    return tuple(row for row in rows if not names or row.name in names)


def with_sources(rows: Sequence[Row], sources: dict[str, str]) -> tuple[Row, ...]:
    """Return rows with other sources, by the rows' names.

    Raises:
        UserError: There is no such row.
    """
    _require(rows, tuple(sources))
    return tuple(replace(row, source=sources.get(row.name, row.source)) for row in rows)


def _placed(row: Row, directory: Path) -> Row:
    return replace(row, config=tuple(directory / file for file in row.config))


def _require(rows: Sequence[Row], names: Sequence[str]) -> None:
    known = [row.name for row in rows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"the matrix has no row {', '.join(unknown)}", hint=f"rows: {', '.join(known)}"
        )


def _contradictions(rows: Sequence[Row]) -> Iterable[str]:
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            yield f"row {name!r}: the name is there {count} times"
    for row in rows:
        try:
            arches.parse(row.arch)
        except UserError as error:
            yield f"row {row.name!r}: {error.message}"
        for flavour in row.flavours:
            if not flavour_file(flavour).is_file():
                yield f"row {row.name!r}: there is no flavour {flavour!r} in {FLAVOURS}"
        for file in row.config:
            if not file.is_file():
                yield f"row {row.name!r}: there is no file {file}"

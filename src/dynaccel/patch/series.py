# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of hooks, ``series.toml``: which patch serves which versions of Linux, and why."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path  # noqa: TC003  (pydantic reads the annotations of this module)
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from dynaccel.core.errors import InfrastructureError, TreeMismatchError, UserError
from dynaccel.core.versions import KernelVersion, VersionRange
from dynaccel.patch.mistakes import faulty_table, place_of
from dynaccel.patch.parse_diff import FileDiff, parse_diff

if TYPE_CHECKING:
    from collections.abc import Iterable

SERIES = "series.toml"


def _version(value: Any) -> KernelVersion:
    if not isinstance(value, str) or not re.fullmatch(r"\d+\.\d+(\.\d+)?", value):
        raise ValueError(f'{value!r} is not a version in quotes, such as "6.1"')
    return KernelVersion.parse(value)


def _patch_name(value: str) -> str:
    if not re.fullmatch(r"([a-z0-9][a-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*\.patch", value):
        raise ValueError(f"{value!r} is not the name of a .patch file below {SERIES}'s directory")
    return value


def _line(value: str) -> str:
    if not value.strip() or "\n" in value:
        raise ValueError("one line of text is wanted")
    return value


_Version = Annotated[KernelVersion, PlainValidator(_version)]
_Line = Annotated[str, AfterValidator(_line)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A hook's patch for a range of versions.

    Attributes:
        patch: Path of the file from where ``series.toml`` is: ``clockevents/6.1.patch``.
        first: First version that it serves (``from``); None for all before ``end``.
        end: First version that it no longer serves (``to``); None for all from ``first`` on.
        because: The upstream commit that made the variant necessary.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    patch: Annotated[str, AfterValidator(_patch_name)]
    first: Annotated[_Version | None, Field(alias="from")] = None
    end: Annotated[_Version | None, Field(alias="to")] = None
    because: _Line | None = None

    @property
    def versions(self) -> VersionRange:
        """The versions that it serves."""
        return VersionRange(first=self.first, end=self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A change in Linux.

    Attributes:
        name: What messages call it.
        about: What it is for, in one line.
        variants: Its patches; their ranges do not overlap.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    about: _Line
    variants: Annotated[tuple[Variant, ...], Field(alias="variant", min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All hooks in the order in which they are applied."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hooks: Annotated[tuple[Hook, ...], Field(alias="hook", min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedHook:
    """A hook as one version of Linux needs it.

    Attributes:
        name: What messages call it.
        about: What it is for, in one line.
        patch: Name of the patch file.
        files: What the patch changes.
    """

    name: str
    about: str
    patch: str
    files: tuple[FileDiff, ...]


_ADAPTER = TypeAdapter(Series)


def load(directory: Path) -> Series:
    """Return the series that stands in ``directory``, with all its patches checked.

    Raises:
        UserError: The file or a patch has mistakes; all of them are in the error.
        InfrastructureError: The file cannot be read.
    """
    path = directory / SERIES
    try:
        raw: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        series = _ADAPTER.validate_python(raw)
    except OSError as error:
        raise InfrastructureError(
            f"cannot read the table of hooks {path}: {error.strerror}",
            hint="install dynaccel again",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise faulty_table("hooks", path, [str(error)]) from error
    except ValidationError as error:
        raise faulty_table("hooks", path, _wrong_fields(error, raw)) from error
    mistakes = [*_conflicts(series), *_bad_patches(series, directory)]
    if mistakes:
        raise faulty_table("hooks", path, mistakes)
    return series


def require_names(series: Series, names: Iterable[str]) -> None:
    """Check that hooks are there.

    Raises:
        UserError: One is not.
    """
    known = [hook.name for hook in series.hooks]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"there is no hook {', '.join(unknown)}", hint=f"hooks: {', '.join(known)}")


def unnamed_patches(directory: Path, series: Series) -> list[str]:
    """Return the patch files in ``directory`` that no variant names."""
    named = {variant.patch for hook in series.hooks for variant in hook.variants}
    there = (str(path.relative_to(directory)) for path in directory.rglob("*.patch"))
    return sorted(name for name in there if name not in named)


def select(series: Series, directory: Path, version: KernelVersion) -> tuple[SelectedHook, ...]:
    """Return each hook with its one variant for ``version``.

    Raises:
        TreeMismatchError: A hook has no variant for it; names the versions that are served.
    """
    chosen = [(hook, _variant_for(hook, version)) for hook in series.hooks]
    unserved = [hook.name for hook, variant in chosen if variant is None]
    if unserved:
        ranges = ", ".join(str(span) for span in served(series)) or "none at all"
        raise TreeMismatchError(
            f"Linux {version} is not supported: no variant of the"
            f" hook{'s' if len(unserved) > 1 else ''} {', '.join(unserved)} serves it;"
            f" versions that are served: {ranges}",
            hint="use a source tree of a version that is served, or see which hooks fit this one:"
            " dynaccel kernel port",
        )
    return tuple(
        SelectedHook(
            name=hook.name,
            about=hook.about,
            patch=variant.patch,
            files=parse_diff((directory / variant.patch).read_bytes()),
        )
        for hook, variant in chosen
        if variant is not None
    )


def served(series: Series) -> list[VersionRange]:
    """Return the ranges of versions for which every hook has a variant, lowest first."""
    ends = {
        edge
        for hook in series.hooks
        for variant in hook.variants
        for edge in (variant.first, variant.end)
        if edge is not None
    }
    edges = [None, *sorted(ends), None]
    ranges: list[VersionRange] = []
    for first, end in pairwise(edges):
        # Between two neighbouring edges nothing changes, so the lower one speaks for all.
        probe = first or KernelVersion(0, 0)
        if any(_variant_for(hook, probe) is None for hook in series.hooks):
            continue
        if ranges and first is not None and ranges[-1].end == first:
            ranges[-1] = VersionRange(first=ranges[-1].first, end=end)
        else:
            ranges.append(VersionRange(first=first, end=end))
    return ranges


def _variant_for(hook: Hook, version: KernelVersion) -> Variant | None:
    return next((item for item in hook.variants if version in item.versions), None)


def _conflicts(series: Series) -> list[str]:
    names = [hook.name for hook in series.hooks]
    mistakes = [
        f"hook {name!r}: the name is there {count} times"
        for name, count in Counter(names).items()
        if count > 1
    ]
    for hook in series.hooks:
        mistakes += [
            f"hook {hook.name!r}, {variant.patch}: the range {variant.versions} is empty"
            for variant in hook.variants
            if variant.first and variant.end and not variant.first < variant.end
        ]
        mistakes += [
            f"hook {hook.name!r}: {one.patch} and {other.patch} serve the same versions"
            for one, other in combinations(hook.variants, 2)
            if _overlap(one, other)
        ]
    return mistakes


def _overlap(one: Variant, other: Variant) -> bool:
    lowest = KernelVersion(0, 0)
    return (one.first or lowest) in other.versions or (other.first or lowest) in one.versions


def _bad_patches(series: Series, directory: Path) -> list[str]:
    mistakes = []
    for name in sorted({variant.patch for hook in series.hooks for variant in hook.variants}):
        try:
            parse_diff((directory / name).read_bytes())
        except OSError as error:
            mistakes.append(f"{name}: {error.strerror}")
        except ValueError as error:
            mistakes.append(f"{name}: {error}")
    return mistakes


def _wrong_fields(error: ValidationError, raw: Any) -> list[str]:
    found = error.errors()
    return [
        place_of(item["loc"], raw) + item["msg"]
        for item in found
        # A list whose items are all wrong also counts as too short; that would only confuse.
        if item["type"] != "too_short"
        or not any(
            other["loc"][: len(item["loc"])] == item["loc"] and other is not item for other in found
        )
    ]

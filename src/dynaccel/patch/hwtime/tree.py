# SPDX-License-Identifier: GPL-2.0-or-later
"""Find out what hardware time changes in a tree: walk its hardware paths, file by file."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.core.events import Progress
from dynaccel.patch.hwtime.convert import Clocks, Converter, Found, Left
from dynaccel.patch.hwtime.deadlines import Question, locate
from dynaccel.patch.hwtime.known import KnownNames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.patch.hwtime.rules import PathRules, Rules

STAGE = "hardware time"
_KINDS = (".c", ".h")


@dataclass(frozen=True, slots=True, kw_only=True)
class HwtimeFile:
    """A file that hardware time changes, or has changed.

    Attributes:
        path: Relative to the top of the tree.
        now: Its content in the tree as it is.
        pristine: Its content in virtual time; for a file with hooks, with the hooks.
        after: Its content in hardware time.
    """

    path: str
    now: bytes
    pristine: bytes
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HwtimePath:
    """What became of a hardware path; files of a longer path count there alone.

    Attributes:
        path: The path.
        about: What it is.
        present: Whether the tree has it.
        files: How many files change.
        converted: How many names are converted.
        left: How many stay, by kind of reason.
    """

    path: str
    about: str
    present: bool
    files: int
    converted: int
    left: Mapping[str, int]

    @property
    def found(self) -> int:
        """How many names there are."""
        return self.converted + sum(self.left.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class HwtimePlan:
    """What hardware time changes in a tree.

    Attributes:
        files: The files that change or have changed, sorted by path.
        paths: The hardware paths, in the table's order.
        groups: How many names are converted, by kind.
        left: The names that stay, with their files, sorted.
        absent: Paths of the table that the tree does not have.
        troubled: Files whose deadlines could not be looked for, and why.
    """

    files: tuple[HwtimeFile, ...]
    paths: tuple[HwtimePath, ...]
    groups: Mapping[str, int]
    left: tuple[tuple[str, Left], ...]
    absent: tuple[str, ...]
    troubled: tuple[tuple[str, str], ...]

    @property
    def converted(self) -> int:
        """How many names are converted in all."""
        return sum(path.converted for path in self.paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that has names, or may have.

    Attributes:
        path: Relative to the top of the tree.
        now: Its content in the tree as it is.
        pristine: Its content without prefixes.
        rules: What holds for it.
        key: Its name in the memory.
        known: What the memory says about it.
    """

    path: str
    now: bytes
    pristine: bytes
    rules: PathRules
    key: str
    known: Found | None


def plan_hwtime(
    tree: Path,
    converter: Converter,
    *,
    hooked: Mapping[str, bytes],
    skip: Collection[str],
    reporter: Reporter,
) -> HwtimePlan:
    """Return what hardware time changes in a tree; nothing is written.

    Args:
        tree: Top of a kernel source tree.
        converter: Knows the names and paths.
        hooked: Contents, without prefixes, that take the place of the tree's own.
        skip: Files to pass over.
        reporter: Gets the progress.

    Raises:
        UserError: A file cannot be read.
        MissingError: spatch is needed and not there.
        InfrastructureError: The temporary directory is not usable.
    """
    memory = KnownNames(converter.rules)
    sources = list(_sources(tree, converter, memory, hooked=hooked, skip=skip, reporter=reporter))
    questions = [
        Question(path=source.path, data=source.pristine)
        for source in sources
        if source.known is None and _asks(converter, source)
    ]
    clocks = locate(questions, converter, reporter=reporter)
    found = {}
    for number, source in enumerate(sources, start=1):
        if not number % 50:
            _tell(reporter, number, len(sources), source.path)
        known = source.known
        if known is None:
            clock = clocks.get(source.path, Clocks())
            known = converter.find(source.pristine, source.rules, clock)
            if clock.trouble is None:
                memory.put(source.key, known)
        found[source.path] = known
    memory.save()
    _tell(reporter, len(sources), len(sources), "")
    return HwtimePlan(
        files=tuple(_files(converter, sources, found)),
        paths=tuple(_paths(tree, converter.rules, sources, found)),
        groups=Counter(group for item in found.values() for group in item.groups),
        left=tuple((source.path, left) for source in sources for left in found[source.path].left),
        absent=_absent(tree, converter.rules),
        troubled=tuple(
            (path, clock.trouble) for path, clock in sorted(clocks.items()) if clock.trouble
        ),
    )


def strip_hwtime(
    tree: Path, converter: Converter, *, skip: Collection[str], reporter: Reporter
) -> tuple[HwtimeFile, ...]:
    """Return what takes hardware time out of a tree; as :func:`plan_hwtime`."""
    return tuple(
        HwtimeFile(
            path=source.path, now=source.now, pristine=source.pristine, after=source.pristine
        )
        for source in _sources(
            tree, converter, KnownNames(converter.rules), hooked={}, skip=skip, reporter=reporter
        )
        if source.now != source.pristine
    )


def _asks(converter: Converter, source: _Source) -> bool:
    return (
        source.rules.whole is None
        and source.rules.hardware.ktime == "deadlines"
        and converter.reads_clocks(source.pristine)
    )


def _sources(
    tree: Path,
    converter: Converter,
    memory: KnownNames,
    *,
    hooked: Mapping[str, bytes],
    skip: Collection[str],
    reporter: Reporter,
) -> Iterator[_Source]:
    tops = [entry.path for entry in converter.rules.table.hardware]
    paths = sorted({path for top in tops for path in _walk(tree, top)})
    for number, path in enumerate(paths):
        rules = converter.rules.of_path(path)
        if rules is None or path in skip:
            continue
        if not number % 500:
            reporter.progress(Progress(stage="names", done=number, total=len(paths), message=path))
        now = _read(tree, path)
        pristine = hooked.get(path, converter.strip(now))
        key = memory.key(pristine, rules)
        known = memory.get(key)
        if known is None and not converter.has_names(pristine):
            memory.put(key, None)
            known = Found()
        if known != Found() or now != pristine:
            yield _Source(path=path, now=now, pristine=pristine, rules=rules, key=key, known=known)


def _walk(tree: Path, top: str) -> Iterator[str]:
    """Yield the C files at or below a path; what a symbolic link leads to is found elsewhere."""
    place = tree / top
    if place.is_symlink():
        return
    if place.is_file():
        yield top
        return
    for directory, _, names in os.walk(place):
        start = os.path.relpath(directory, tree)
        for name in names:
            if name.endswith(_KINDS) and not os.path.islink(os.path.join(directory, name)):  # noqa: PTH114, PTH118  (80000 files)
                yield f"{start}/{name}"


def _read(tree: Path, path: str) -> bytes:
    try:
        return (tree / path).read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read {tree / path}: {error.strerror}",
            hint="work on a copy of the tree that is your own: cp -r",
        ) from error


def _files(
    converter: Converter, sources: Sequence[_Source], found: Mapping[str, Found]
) -> Iterator[HwtimeFile]:
    for source in sources:
        after = converter.apply(source.pristine, found[source.path].converted)
        if source.now != source.pristine or after != source.pristine:
            yield HwtimeFile(
                path=source.path, now=source.now, pristine=source.pristine, after=after
            )


def _paths(
    tree: Path, rules: Rules, sources: Sequence[_Source], found: Mapping[str, Found]
) -> Iterator[HwtimePath]:
    for entry in rules.table.hardware:
        of_path = [found[item.path] for item in sources if item.rules.hardware.path == entry.path]
        yield HwtimePath(
            path=entry.path,
            about=entry.about,
            present=(tree / entry.path).exists(),
            files=sum(bool(item.converted) for item in of_path),
            converted=sum(len(item.converted) for item in of_path),
            left=Counter(left.kind.value for item in of_path for left in item.left),
        )


def _absent(tree: Path, rules: Rules) -> tuple[str, ...]:
    paths = {entry.path for entry in rules.table.hardware}
    paths |= {entry.path for entry in rules.table.virtual}
    return tuple(sorted(path for path in paths if not (tree / path).exists()))


def _tell(reporter: Reporter, done: int, total: int, message: str) -> None:
    reporter.progress(Progress(stage=STAGE, done=done, total=total, message=message))

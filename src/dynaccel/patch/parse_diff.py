# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a unified diff far enough to split it by file and to explain it when it does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_UNWANTED = re.compile(r"(rename|copy) (from|to) |(old|new|deleted file) mode |GIT binary patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """One change within a file.

    Attributes:
        start: Number of the first line in the old file, from 1.
        heading: The line that git names as the start of the function that the hunk begins in, as
            far as the header has room for it; empty when there is none.
        lines: The hunk's lines without line ends, each with its mark (blank, ``-`` or ``+``).
    """

    start: int
    lines: tuple[str, ...]
    heading: str = ""

    @property
    def old(self) -> tuple[str, ...]:
        """The lines that the hunk expects to find."""
        return tuple(line[1:] for line in self.lines if line[0] in " -")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """All changes of one file.

    Attributes:
        path: The file, relative to the top of the tree.
        data: The part of the diff that is about this file, from its ``---`` line on.
        hunks: The same, taken apart.
    """

    path: str
    data: bytes
    hunks: tuple[Hunk, ...]

    def adds(self, word: bytes) -> bool:
        """Say whether a line that the diff adds has ``word`` in it, in any case of letters."""
        added = (line for line in self.data.split(b"\n") if line[:1] == b"+")
        return any(word in line.lower() for line in added if line[:4] != b"+++ ")


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a source file; form feeds and the like do not end a line."""
    text = data.decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def parse_diff(data: bytes) -> tuple[FileDiff, ...]:
    """Return the files that a diff changes, in its order.

    Text before and between the files is passed over, as git and patch do.

    Raises:
        ValueError: The diff is damaged, or does more than change lines of existing files; the
            message has the line number.
    """
    lines = lines_of(data)
    files: list[FileDiff] = []
    at = 0
    while at < len(lines):
        if _UNWANTED.match(lines[at]):
            raise ValueError(
                f"line {at + 1}: {lines[at]!r}: a hook only changes lines of files that Linux has"
            )
        if lines[at].startswith("@@ "):
            raise ValueError(f"line {at + 1}: a hunk that belongs to no file")
        if not "".join(lines[at + 1 : at + 2]).startswith("+++ ") or lines[at][:4] != "--- ":
            at += 1
            continue
        found, at = _parse_file(lines, at)
        if any(found.path == other.path for other in files):
            raise ValueError(f"line {at}: {found.path} comes twice")
        files.append(found)
    if not files:
        raise ValueError("it changes no file")
    return tuple(files)


def _parse_file(lines: list[str], at: int) -> tuple[FileDiff, int]:
    begin = at
    path = _path(lines[at], "a/", at)
    if _path(lines[at + 1], "b/", at + 1) != path:
        raise ValueError(f"line {at + 2}: the old and the new name differ")
    at += 2
    hunks: list[Hunk] = []
    while at < len(lines) and lines[at].startswith("@@ "):
        hunk, at = _parse_hunk(lines, at)
        hunks.append(hunk)
    if not hunks:
        raise ValueError(f"line {at + 1}: {path} has no hunk")
    data = ("\n".join(lines[begin:at]) + "\n").encode(errors="surrogateescape")
    return FileDiff(path=path, data=data, hunks=tuple(hunks)), at


def _path(line: str, prefix: str, at: int) -> str:
    name = line[4:].split("\t", maxsplit=1)[0]
    inner = name.removeprefix(prefix)
    plain = PurePosixPath(inner)
    if name == inner or plain.is_absolute() or ".." in plain.parts or str(plain) != inner:
        raise ValueError(f"line {at + 1}: {name!r} is not a path of the form {prefix}dir/file")
    return inner


def _parse_hunk(lines: list[str], at: int) -> tuple[Hunk, int]:
    match = _HUNK.match(lines[at])
    if match is None:
        raise ValueError(f"line {at + 1}: a damaged hunk header")
    begin = at
    old_left, new_left = int(match[2] or 1), int(match[4] or 1)
    body: list[str] = []
    at += 1
    while (old_left, new_left) != (0, 0) or lines[at : at + 1] == ["\\ No newline at end of file"]:
        # An editor that strips trailing blanks leaves an empty line for an empty context line.
        line = (lines[at] or " ") if at < len(lines) else "?"
        if line[0] not in " +-\\" or line.endswith("\r"):
            break
        old_left -= line[0] in " -"
        new_left -= line[0] in " +"
        body.append(line)
        at += 1
    if (old_left, new_left) != (0, 0):
        raise ValueError(f"line {begin + 1}: the hunk is not as long as its header says")
    if not any(line[0] == " " for line in body):
        raise ValueError(f"line {begin + 1}: a hunk without context fits anywhere")
    return Hunk(start=int(match[1]), lines=tuple(body), heading=match[5].rstrip()), at

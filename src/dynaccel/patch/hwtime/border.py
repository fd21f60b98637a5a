# SPDX-License-Identifier: GPL-2.0-or-later
"""Look for what crosses the border between hardware time and virtual time.

Two counts of ticks must not meet in one comparison. What can be seen cheaply is told by the name of
a struct's member alone: a timer that one side sets up and the other arms, and a member that one
side stamps with its ticks and the other compares with its own. That is a list for a person to look
at: members of different structs may share a name.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynaccel.core.events import Progress
from dynaccel.patch.hwtime.lex import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.patch.hwtime.tree import HwtimePlan

_SETUP = re.compile(
    rb"\b(?:hwtime_)?(?:timer_setup(?:_on_stack)?)\s*\(\s*&\s*[\w.>\[\]()*-]*?(?:->|\.)(\w+)\s*,"
)
_ARMED = re.compile(
    rb"\b(?:mod_timer(?:_pending)?|add_timer(?:_on)?|timer_reduce)\s*\(\s*&\s*[\w.>\[\]()*-]*?"
    rb"(?:->|\.)(\w+)\s*[,)]"
)
_STAMPED = re.compile(rb"(?:->|\.)(\w+)\s*=[^=;]*\bhwtime_jiffies\b[^;]*;")
_PLAIN = re.compile(rb"\b(?:jiffies|time_(?:after|before)\w*)\b")
_MEMBER = re.compile(rb"(?:->|\.)(\w+)\b")

MOST_PLACES = 8
"""So many places of a side are listed for a name."""

COMMON = 40
"""A name that stands in more files than so many tells nothing."""

_TOPS = ("arch", "block", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc", "kernel",
         "lib", "mm", "net", "security", "sound", "virt")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A name that is on both sides of the border.

    Attributes:
        name: The member's name.
        about: What is on which side.
        converted: Places in hardware time, as ``path:line``.
        unconverted: Places in virtual time.
    """

    name: str
    about: str
    converted: tuple[str, ...]
    unconverted: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Side:
    """What one side does with members, by name."""

    setup: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))
    armed: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))
    ticks: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))


def find_crossings(
    tree: Path, plan: HwtimePlan, *, skip: Collection[str], reporter: Reporter
) -> tuple[Crossing, ...]:
    """Return what may cross the border; reads the whole tree, and fails for nothing in it.

    Args:
        tree: Top of the tree.
        plan: What is in hardware time.
        skip: Files to pass over.
        reporter: Gets the progress.
    """
    hardware, virtual = _Side(), _Side()
    converted = {file.path: file.after for file in plan.files if file.after != file.pristine}
    for path, data in converted.items():
        _look(path, data, hardware, stamps=True)
    for number, path in enumerate(_sources(tree)):
        if path in converted or path in skip:
            continue
        if not number % 500:
            reporter.progress(Progress(stage="border", done=number, message=path))
        try:
            data = (tree / path).read_bytes()
        except OSError:
            continue
        if b"jiffies" in data or b"_timer" in data or b"time_after" in data:
            _look(path, data, virtual, stamps=False)
    return (
        *_timers(hardware, virtual, "a timer of virtual time is armed in hardware time"),
        *_timers(virtual, hardware, "a timer of hardware time is armed in virtual time", swap=True),
        *_stamps(hardware, virtual),
    )


def _look(path: str, data: bytes, side: _Side, *, stamps: bool) -> None:
    code = parse(data)
    for pattern, places in ((_SETUP, side.setup), (_ARMED, side.armed)):
        for found in pattern.finditer(code.code):
            places[found[1]].append(f"{path}:{code.line_of(found.start())}")
    if stamps:
        for found in _STAMPED.finditer(code.code):
            side.ticks[found[1]].append(f"{path}:{code.line_of(found.start())}")
        return
    last = -1
    for found in _PLAIN.finditer(code.code):
        line = code.code.rfind(b"\n", 0, found.start()) + 1
        if line == last:
            continue
        last = line
        end = code.code.find(b"\n", line)
        for member in set(_MEMBER.findall(code.code[line : end if end >= 0 else len(data)])):
            side.ticks[member].append(f"{path}:{code.line_of(line)}")


def _timers(arming: _Side, setting: _Side, about: str, *, swap: bool = False) -> Iterator[Crossing]:
    for name in sorted(arming.armed):
        # Set up where it is armed too, it is that side's own; the rest shares but the name.
        if name in arming.setup or not _telling(setting.setup.get(name)):
            continue
        ours, theirs = arming.armed[name], setting.setup[name]
        yield _crossing(name, about, *((theirs, ours) if swap else (ours, theirs)))


def _stamps(hardware: _Side, virtual: _Side) -> Iterator[Crossing]:
    for name in sorted(hardware.ticks):
        if _telling(virtual.ticks.get(name)):
            about = "ticks of hardware time here, ticks of virtual time there"
            yield _crossing(name, about, hardware.ticks[name], virtual.ticks[name])


def _telling(places: list[str] | None) -> bool:
    return bool(places) and len({place.rpartition(":")[0] for place in places or ()}) <= COMMON


def _crossing(name: bytes, about: str, converted: list[str], unconverted: list[str]) -> Crossing:
    return Crossing(
        name=name.decode(),
        about=about,
        converted=tuple(converted[:MOST_PLACES]),
        unconverted=tuple(unconverted[:MOST_PLACES]),
    )


def _sources(tree: Path) -> Iterator[str]:
    for top in _TOPS:
        for directory, _, names in os.walk(tree / top):
            start = os.path.relpath(directory, tree)
            yield from (f"{start}/{name}" for name in names if name.endswith((".c", ".h")))

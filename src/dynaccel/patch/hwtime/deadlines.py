# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask spatch what the calls are for that read a clock, several files at a time.

spatch sees of a file only the parts between braces in the first column that read a clock; the rest
is blank. That takes a tenth of the time, and offsets stay.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core.artifacts import content_hash
from dynaccel.core.errors import StageError
from dynaccel.core.events import Progress
from dynaccel.host import process, tools
from dynaccel.patch.hwtime import lex, marks, own
from dynaccel.patch.hwtime.cache import Memory
from dynaccel.patch.hwtime.convert import Clocks
from dynaccel.patch.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.patch.hwtime.convert import Converter

SPATCH = "spatch"
STAGE = "deadlines"
PROCESSES = 2
FILES_AT_ONCE = 12
"""For one process: enough that its start does not count, few enough that Ctrl-C is quick."""

FILE_SECONDS = 60
"""Real time that spatch may spend on a file."""

JUNK = "spatch changed more of it than names"
FAILED = "spatch did not come to its end with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A file whose deadlines are wanted.

    Attributes:
        path: Relative to the top of the tree.
        data: Its content in virtual time.
    """

    path: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A question as spatch gets it."""

    path: str
    text: bytes
    key: str
    calls: tuple[int, ...]


def locate(
    questions: Sequence[Question], converter: Converter, *, reporter: Reporter
) -> dict[str, Clocks]:
    """Return what the calls in files are for that read a clock.

    Args:
        questions: The files.
        converter: Knows the names and the semantic patch.
        reporter: Gets the progress.

    Raises:
        MissingError: spatch is not there and a file has to be shown to it.
        InfrastructureError: The temporary directory is not usable.
    """
    memory = Memory("deadlines")
    known: dict[str, Clocks] = {}
    tasks: list[_Task] = []
    for question in questions:
        task = _task(question, converter)
        if task is None:
            continue
        answer = _recall(memory.get(task.key))
        if answer is None:
            tasks.append(task)
        else:
            known[task.path] = answer
    if not tasks:
        return known
    tools.require(SPATCH)
    try:
        for task, clocks in _ask(tasks, converter, reporter):
            known[task.path] = clocks
            # A file that took too long may do better on another day.
            if clocks.trouble != FAILED:
                memory.put(task.key, _record(clocks))
    finally:
        memory.save()
    return known


def _task(question: Question, converter: Converter) -> _Task | None:
    code = lex.parse(question.data)
    calls = converter.readings(code)
    if not calls:
        return None
    text = bytearray(question.data)
    for first, last in marks.regions(code):
        if not any(first <= call < last for call in calls):
            text[first:last] = _blank(bytes(text[first:last]))
    shown = bytes(text)
    digest = content_hash([("rules", converter.rules.semantic), ("text", shown), *_own_code()])
    return _Task(path=question.path, text=shown, key=digest, calls=calls)


@cache
def _own_code() -> tuple[tuple[str, bytes], ...]:
    """Return the code that draws the conclusions: another one may draw others."""
    files = [Path(__file__), *(Path(str(module.__file__)) for module in (lex, marks, own))]
    return tuple((file.name, file.read_bytes()) for file in files)


def _blank(text: bytes) -> bytes:
    return b"\n" * text.count(b"\n") + b" " * (len(text) - text.count(b"\n"))


def _ask(
    tasks: Sequence[_Task], converter: Converter, reporter: Reporter
) -> Iterator[tuple[_Task, Clocks]]:
    # The long ones first, so that the two processes end at about the same time.
    ordered = sorted(tasks, key=lambda task: len(task.text), reverse=True)
    count = -(-len(ordered) // FILES_AT_ONCE)
    parts = [ordered[number::count] for number in range(count)]
    done = 0
    with temporary_directory("dynaccel-hwtime-") as root, ThreadPoolExecutor(PROCESSES) as pool:
        rules = root / "deadlines.cocci"
        rules.write_bytes(converter.rules.semantic)
        jobs = {
            pool.submit(_run, root / str(number), rules, part, converter): part
            for number, part in enumerate(parts)
        }
        try:
            for job in as_completed(jobs):
                done += len(jobs[job])
                reporter.progress(
                    Progress(stage=STAGE, done=done, total=len(tasks), message=jobs[job][0].path)
                )
                yield from zip(jobs[job], job.result(), strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run(
    directory: Path, rules: Path, tasks: Sequence[_Task], converter: Converter
) -> list[Clocks]:
    """Show files to one spatch; one at a time when it fails with all of them."""
    directory.mkdir()
    files = [directory / f"{number}.c" for number in range(len(tasks))]
    for file, task in zip(files, tasks, strict=True):
        file.write_bytes(task.text)
    command: list[str | Path] = [
        SPATCH, "--sp-file", rules, "--dir", directory, "--in-place", "--no-includes",
        "--very-quiet", "--no-show-diff", "--max-width", "10000", "--timeout", str(FILE_SECONDS),
    ]  # fmt: skip
    try:
        done = process.run(
            command, check=False, cwd=directory, timeout_seconds=FILE_SECONDS * len(tasks) + 60
        )
        failed = done.returncode != 0
    except StageError:
        failed = True
    if failed and len(tasks) > 1:
        parts = [(directory / f"alone-{number}", [task]) for number, task in enumerate(tasks)]
        return [clocks for place, alone in parts for clocks in _run(place, rules, alone, converter)]
    if failed:
        return [Clocks(trouble=FAILED)]
    return [_read(file, task, converter) for file, task in zip(files, tasks, strict=True)]


def _read(file: Path, task: _Task, converter: Converter) -> Clocks:
    try:
        marked = file.read_bytes()
    except OSError:
        return Clocks(trouble=FAILED)
    plain = marks.unmark(marked)
    # spatch may break a line that a mark has made long; nothing else of the file may change.
    if _dense(plain) != _dense(task.text):
        return Clocks(trouble=JUNK)
    place = dict(zip(converter.readings(lex.parse(plain)), task.calls, strict=True))
    readings = marks.read_marks(marked)
    unknown = dict.fromkeys(place.keys() - readings.seen, marks.UNREAD) | readings.unknown
    return Clocks(
        deadlines=frozenset(place[offset] for offset in readings.deadlines),
        unknown={place[offset]: reason for offset, reason in unknown.items()},
    )


def _dense(text: bytes) -> bytes:
    return b"".join(text.split())


def _record(clocks: Clocks) -> Any:
    return {
        "deadlines": sorted(clocks.deadlines),
        "unknown": sorted(clocks.unknown.items()),
        "trouble": clocks.trouble,
    }


def _recall(value: Any) -> Clocks | None:
    try:
        trouble = value["trouble"]
        return Clocks(
            deadlines=frozenset(int(offset) for offset in value["deadlines"]),
            unknown={int(offset): str(reason) for offset, reason in value["unknown"]},
            trouble=None if trouble is None else str(trouble),
        )
    except (KeyError, TypeError, ValueError):
        return None

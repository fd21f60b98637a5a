# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found wrong in a scenario file: all of it, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dynaccel.scenario.files.places import Place, Places, Steps

REFERENCE = "docs/scenarios.md"

_MEANT = {
    "accel": "ratio",
    "speed": "ratio",
    "duration": "for",
    "length": "for",
    "schedule": "cron",
    "interval": "every",
    "period": "every",
    "cmd": "command",
    "exec": "command",
    "run": "command",
    "env": "environment",
    "cwd": "directory",
    "workdir": "directory",
    "regex": "pattern",
    "maximum": "limit",
    "max": "limit",
    "min": "minimum",
    "ram": "memory",
    "date": "start",
    "size": "disk",
    "status": "statuses",
}
"""Words that others use, and what may be meant."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """Something wrong, or (a warning) something odd.

    Attributes:
        place: Where in the file.
        message: What, and what to write instead.
    """

    place: Place
    message: str

    def line(self, path: Path) -> str:
        """Return it as compilers do, so that editors find the place."""
        return f"{path}:{self.place.line}:{self.place.column}: {self.message}"


class ScenarioFileError(UserError):
    """A scenario file has mistakes; all of them are in it.

    Args:
        path: The file.
        mistakes: What is wrong, in the order of the file.
    """

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"the scenario {path} has {count}",
            hint=f"mend {path}; {REFERENCE} has each key",
            detail="\n".join(mistake.line(path) for mistake in mistakes),
        )
        self.path = path
        self.mistakes = tuple(mistakes)


class Findings:
    """Collects mistakes and warnings by the way to the value that they are about.

    Args:
        places: Of the document.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._mistakes: set[Mistake] = set()
        self._warnings: set[Mistake] = set()

    @property
    def mistakes(self) -> list[Mistake]:
        """What is wrong, in the order of the file."""
        return sorted(self._mistakes)

    @property
    def warnings(self) -> list[Mistake]:
        """What is odd, in the order of the file."""
        return sorted(self._warnings)

    def wrong(self, steps: Steps, message: str) -> None:
        """Note what is wrong with a value."""
        self._mistakes.add(Mistake(self._places.value(steps), message))

    def wrong_key(self, steps: Steps, message: str) -> None:
        """Note what is wrong with a key: that it is there, or its name."""
        self._mistakes.add(Mistake(self._places.key(steps), message))

    def odd(self, steps: Steps, message: str) -> None:
        """Note what a reader should know of a value, and what is no mistake."""
        self._warnings.add(Mistake(self._places.value(steps), message))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return which of the known words may be meant by ``word``; None when none is like it."""
    names = sorted(known)
    plain = word.lower().replace("_", "-")
    if _MEANT.get(plain) in names:
        return _MEANT[plain]
    near = get_close_matches(plain, names, n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what to write instead of ``word``, as the end of a sentence.

    Args:
        word: What was written.
        known: What could have been.
    """
    names = sorted(known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"there {'is' if len(names) == 1 else 'are'} {listed(names)}" if names else ""


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as a sentence has them: ``a, b and c``."""
    if len(names) < 2:  # noqa: PLR2004
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device is for these tests: QEMU's words for it, its driver, and how it is used."""

from __future__ import annotations

import gzip
import re
import shutil
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from device_lab import CONSOLE, SETTINGS, Amount, Lab, Report, Setting, free_image, lab

from dynaccel.core.errors import DynaccelError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

FIRST_SLOT = 0x0A
"""QEMU puts what asks for no slot into the first ones."""

COMPLAINT = re.compile(
    r"time[- ]?d?[- ]?out|\breset|link (is )?down|lost|fail|error|abort|unable|cannot|can't"
    r"|\bnot (respond|accept|ready)|no response|hung|stall|lockup|blocked for more|WARNING|BUG:"
    r"|unstable|offline|corrupt|nobody cared|spurious|disabled by hub|stuck|\bdead|retry|retries"
    r"|too long|giving up|disconnect|slow",
    re.IGNORECASE,
)
"""What a driver says that waits for a device too short."""


NUMBER = re.compile(r"\b(0x)?[0-9a-f]*[0-9][0-9a-f]*\b")
COMPLAINTS_SHOWN = 6
CONSOLE_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A device.

    Attributes:
        name: As it stands in a table.
        use: Uses it once and reports.
        words: For QEMU; ``{id}``, ``{addr}`` (its PCI slot), ``{number}`` and ``{scratch}`` are
            filled in.
        symbols: Options of the kernel without which there is no driver.
        programs: What must be installed on the host.
        image_mebibytes: Size of its disk, ``{scratch}/{id}.img``; 0 for none.
        plug: Arguments of ``device_add`` for the part that can be unplugged; None for none.
        host: What runs on the host meanwhile.
        expected: Lines of the log that look like complaints and belong to what is done.
        alone: Whether it needs a guest for itself.
        settings: Where it makes sense.
    """

    name: str
    use: Callable[[Lab, Place, Report], None]
    words: str = ""
    symbols: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    image_mebibytes: int = 0
    plug: dict[str, str] | None = None
    host: Callable[[Place], AbstractContextManager[object]] | None = None
    expected: tuple[str, ...] = ()
    alone: bool = False
    settings: tuple[Setting, ...] = SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device in its guest.

    Attributes:
        case: What it is.
        number: Counts the devices of a guest.
        scratch: The directory of the host for what it needs there.
    """

    case: Case
    number: int
    scratch: Path

    @property
    def id(self) -> str:
        """Its name in QEMU."""
        return f"d{self.number}"

    @property
    def slot(self) -> str:
        """Its address on the guest's PCI bus, or that of the port that it is plugged into."""
        return f"0000:00:{FIRST_SLOT + self.number:02x}.0"

    @property
    def image(self) -> Path:
        """What its disk holds."""
        return self.scratch / f"{self.id}.img"

    def filled(self, text: str) -> str:
        """Fill in what differs from place to place."""
        return text.format(
            id=self.id,
            addr=f"0x{FIRST_SLOT + self.number:x}",
            number=self.number,
            scratch=self.scratch,
            image=self.image,
        )

    def words(self) -> list[str]:
        """Return the words for QEMU."""
        return [self.filled(word) for word in self.case.words.split()]

    def plug(self) -> dict[str, Any] | None:
        """Return the arguments that plug it in."""
        if self.case.plug is None:
            return None
        return {"id": self.id} | {key: self.filled(text) for key, text in self.case.plug.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a device at a setting.

    Attributes:
        case: Its name.
        setting: The setting's name.
        facts: What was measured.
        problems: What ought not to be.
        whole: Whether it came to its end; else who knows what state it left the guest in.
    """

    case: str
    setting: str
    facts: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    whole: bool = True


def judge_log(lab: Lab, report: Report, expected: Sequence[str] = ()) -> None:
    """Note what the kernel has complained of since the last look, each kind of line once."""
    kinds: dict[str, list[str]] = {}
    for line in lab.new_log_lines():
        if COMPLAINT.search(line) and not any(re.search(each, line) for each in expected):
            kinds.setdefault(NUMBER.sub("#", line), []).append(line)
    for lines in list(kinds.values())[:COMPLAINTS_SHOWN]:
        times = f" ({len(lines)} times)" if len(lines) > 1 else ""
        report.problems.append(f"log: {lines[0]}{times}")
    if len(kinds) > COMPLAINTS_SHOWN:
        report.problems.append(f"log: {len(kinds) - COMPLAINTS_SHOWN} more kinds of complaints")


def missing(case: Case, kernel: Kernel) -> str | None:
    """Say what a case needs and has not, or None."""
    config = kernel.image.parent / "config"
    text = config.read_text() if config.exists() else _own_config(kernel.image)
    for symbol in case.symbols:
        if text and f"CONFIG_{symbol}=y" not in text:
            return f"the kernel has no CONFIG_{symbol}"
    for program in case.programs:
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return None


def _own_config(image: Path) -> str:
    data = image.read_bytes()
    begin, end = data.find(b"IKCFG_ST"), data.find(b"IKCFG_ED")
    if begin < 0 or end < 0:
        return ""
    return gzip.decompress(data[begin + len(b"IKCFG_ST") : end]).decode()


@contextmanager
def installed(
    kernel: Kernel, cases: Sequence[Case], scratch: Path
) -> Iterator[tuple[Lab, list[Place]]]:
    """Start a guest that has all these devices."""
    places = [Place(case=case, number=i, scratch=scratch) for i, case in enumerate(cases)]
    with ExitStack() as stack:
        for place in places:
            if place.case.image_mebibytes and not place.image.exists():
                free_image(place.image, place.case.image_mebibytes)
            if place.case.host is not None:
                stack.enter_context(place.case.host(place))
        words = [word for place in places for word in place.words()]
        yield stack.enter_context(lab(kernel, words, scratch)), places


def used(lab: Lab, place: Place, setting: Setting, report: Report) -> Outcome:
    """Use a device once at a setting and say what came of it."""
    whole = False
    try:
        lab.new_log_lines()
        with lab.at(setting):
            place.case.use(lab, place, report)
        whole = True
    except (DynaccelError, OSError) as error:
        detail = getattr(error, "detail", None)
        report.problems.append(f"gave up: {error}" + (f" ({detail.strip()})" if detail else ""))
    try:
        judge_log(lab, report, place.case.expected)
    except StageError as error:
        whole = False
        report.problems.append(f"the guest was lost: {error}")
        last = (lab.scratch / CONSOLE).read_text(errors="replace").splitlines()[-CONSOLE_LINES:]
        report.problems += [f"console: {line}" for line in last]
    return Outcome(
        case=place.case.name,
        setting=setting.name,
        facts=dict(report.facts),
        problems=tuple(report.problems),
        whole=whole,
    )


def outcomes(
    kernel: Kernel,
    cases: Sequence[Case],
    scratch: Path,
    *,
    amount: Amount,
    settings: Sequence[Setting] = SETTINGS,
) -> Iterator[Outcome]:
    """Use each device at each setting, in one guest as long as it lives, in a fresh one after.

    A case is over with the guest that it loses: its other settings are tried in the next one.
    """
    todo = [(i, setting) for setting in settings for i, _ in enumerate(cases)]
    todo = [(i, setting) for i, setting in todo if setting in cases[i].settings]
    baselines: dict[int, dict[str, float]] = {}
    while todo:
        before = len(todo)
        try:
            with installed(kernel, cases, scratch) as (lab, places):
                while todo:
                    i, setting = todo.pop(0)
                    report = Report(amount=amount, baseline=baselines.get(i, {}))
                    outcome = used(lab, places[i], setting, report)
                    if setting.ratio == 1:
                        baselines[i] = outcome.facts
                    yield outcome
                    if not outcome.whole:
                        break
        except StageError:
            # As a guest ends that was lost before: that is told. One that never began is not.
            if len(todo) == before:
                raise

# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario file, read and checked."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.scenario.files.build import build
from dynaccel.scenario.files.checks import check_checks
from dynaccel.scenario.files.findings import Findings, Mistake, ScenarioFileError
from dynaccel.scenario.files.fits import check_fits
from dynaccel.scenario.files.machine import check_machine
from dynaccel.scenario.files.phases import check_phases
from dynaccel.scenario.files.places import Place, Places
from dynaccel.scenario.files.references import check_references
from dynaccel.scenario.files.take import take
from dynaccel.scenario.files.warn import warn

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.scenario.files.take import Document
    from dynaccel.scenario.model import Scenario

SIZE_MAX = 1 << 20
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """A scenario file without mistakes.

    Attributes:
        path: The file.
        scenario: What it says.
        warnings: What a reader should know, in the order of the file.
    """

    path: Path
    scenario: Scenario
    warnings: tuple[Mistake, ...]


def read_scenario(path: Path, *, directory: Path | None = None) -> Scenario:
    """Return the scenario that a file describes; as :func:`read_file`, without the warnings."""
    return read_file(path, directory=directory).scenario


def read_file(path: Path, *, directory: Path | None = None) -> ScenarioFile:
    """Return the scenario that a file describes, and what is odd about it.

    Args:
        path: The file.
        directory: What relative paths in it begin at; None: the file's own directory.

    Raises:
        UserError: The file is not there, is no text or not TOML, or has mistakes; a
            :class:`ScenarioFileError` has all of them with their places.
        InfrastructureError: It cannot be read.
    """
    text = _text(path)
    data = _data(path, text)
    findings = Findings(Places(text))
    document = take(data, findings)
    directory = directory or path.parent
    _check_name(document, findings)
    check_fits(document, findings)
    check_phases(document, findings)
    check_machine(document, directory, findings)
    check_references(document, findings)
    check_checks(document, findings)
    if findings.mistakes:
        raise ScenarioFileError(path, findings.mistakes)
    scenario = build(document, directory=directory, text=text)
    warn(scenario, findings)
    return ScenarioFile(path, scenario, tuple(findings.warnings))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_MAX + 1)
    except FileNotFoundError:
        raise UserError(
            f"there is no scenario file {path}",
            hint="dynaccel scenario list has those that ship; dynaccel scenario show NAME prints"
            " one, to start from",
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a directory", hint="name a scenario file") from None
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > SIZE_MAX:
        raise UserError(
            f"{path} is larger than {SIZE_MAX >> 20} MiB: that is no scenario file",
            hint="name another file",
        )
    try:
        # As tomllib does; columns do not change by it.
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        place = Place(line, len(before) - (before.rfind("\n") + 1) + 1)
        wrong = Mistake(place, f"byte 0x{content[error.start]:02x} is not UTF-8: save it as UTF-8")
        raise ScenarioFileError(path, [wrong]) from error


def _data(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _WHERE.search(message)
        lines = text.split("\n")
        place = Place(len(lines), len(lines[-1]) + 1)
        if found and found["line"]:
            place = Place(int(found["line"]), int(found["column"]))
        reason = _WHERE.sub("", message)
        wrong = Mistake(place, f"this is not TOML: {reason[:1].lower()}{reason[1:]}")
        raise ScenarioFileError(path, [wrong]) from error
    except RecursionError as error:
        wrong = Mistake(Place(1, 1), "arrays or tables are nested too deeply")
        raise ScenarioFileError(path, [wrong]) from error


def _check_name(document: Document, findings: Findings) -> None:
    top = document.top
    if "name" not in top.given:
        findings.wrong((), 'the scenario has no name: write name = "..." in the first line')
    elif top.table.name is not None and not _NAME.fullmatch(top.table.name):
        findings.wrong(
            ("name",),
            f"{top.table.name!r} cannot be a scenario's name: write lower-case words with hyphens",
        )

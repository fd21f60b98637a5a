# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes of a run: the verdict, for people, programs and CI servers, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_atomic, write_json_atomic
from dynaccel.recording.reader import Recording
from dynaccel.scenario.files import read_scenario
from dynaccel.scenario.report import write_report
from dynaccel.scenario.verdict import judge, junit_xml, verdict_json

if TYPE_CHECKING:
    from dynaccel.scenario.conduct.directory import RunDirectory
    from dynaccel.scenario.verdict import Verdict

_CONSOLE_BYTES = 16 << 10


def finish(directory: RunDirectory) -> Verdict:
    """Judge a run that has come to its end, and write all that is to be written of it.

    The verdict's file is written last: a run that has it is over.

    Raises:
        UserError: The directory is not that of a run.
        MissingError: A library that it takes is not installed.
        InfrastructureError: Something cannot be read or written.
    """
    verdict = report(directory, over=True)
    assert verdict is not None  # noqa: S101
    write_atomic(directory.junit, junit_xml(verdict))
    write_json_atomic(directory.verdict, verdict_json(verdict))
    return verdict


def report(
    directory: RunDirectory, *, over: bool | None = None, path: Path | None = None
) -> Verdict | None:
    """Write the report of a run as far as it has come.

    Args:
        directory: The run.
        over: Whether it has come to its end and is judged; None: when it has a verdict already.
        path: Where the page goes; None: to its place in the directory.

    Returns:
        The verdict, of a run that has come to its end.

    Raises:
        UserError: The directory is not that of a run.
        MissingError: A library that it takes is not installed.
        InfrastructureError: Something cannot be read or written.
    """
    state = directory.read_state()
    scenario = read_scenario(directory.scenario, directory=Path(state.source))
    with Recording.open(directory.recording) as recording:
        judged = directory.verdict.exists() if over is None else over
        verdict = judge(scenario, recording) if judged else None
        write_report(
            scenario, recording, verdict, path or directory.report, console=_console(directory)
        )
    return verdict


def _console(directory: RunDirectory) -> str:
    try:
        with directory.console.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _CONSOLE_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's logs: files across rotation, the kernel's messages, the journal."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from conductor_lab import Conductor, Lab, conductor_program, lab, phase, scenario, seconds

from dynaccel.scenario.conductor import orders
from dynaccel.scenario.conductor.reports import Done, LogReport, PhaseReport
from dynaccel.scenario.model import Log, LogKind

if TYPE_CHECKING:
    import pytest

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)


def follow(lab: Lab, path: Path, **more: object) -> Conductor:
    log = Log(name="log", kind=LogKind.FILE, path=PurePosixPath(path), **more)  # type: ignore[arg-type]
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), logs=(log,)))
    conductor.wait_for_any(PhaseReport)
    return conductor


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def wait_for_lines(conductor: Conductor, *lines: str) -> None:
    conductor.wait_for(lambda: len(conductor.lines("log")) >= len(lines))
    assert conductor.lines("log") == list(lines)


def test_only_what_is_new_is_read(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    conductor = follow(lab, path)
    append(path, "one\ntw")
    wait_for_lines(conductor, "one")
    append(path, "o\nthree\n")
    wait_for_lines(conductor, "one", "two", "three")
    stream = {line.stream for report in conductor.find(LogReport) for line in report.lines}
    assert stream == {"line"}


def test_a_file_that_comes_later_is_read_from_its_begin(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "later"
    conductor = follow(lab, path)
    path.write_text("one\n")
    wait_for_lines(conductor, "one")


def test_a_renamed_file_is_read_to_its_end_and_the_next_one_follows(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.touch()
    conductor = follow(lab, path)
    with path.open("a", buffering=1) as writer:
        writer.write("one\n")
        wait_for_lines(conductor, "one")
        path.rename(tmp_path / "log.1")
        writer.write("still the old file\n")
    path.write_text("the new file\n")
    wait_for_lines(conductor, "one", "still the old file", "the new file")


def test_many_rotations_lose_nothing(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "log"
    conductor = follow(lab, path)
    wanted: list[str] = []
    for rotation in range(20):
        lines = [f"{rotation} {i}" for i in range(50)]
        append(path, "".join(f"{line}\n" for line in lines))
        wanted += lines
        # A rotation in less than the reader's time is not logrotate's way.
        wait_for_lines(conductor, *wanted)
        path.rename(tmp_path / "log.1")
    assert conductor.lines("log") == wanted


def test_a_file_that_is_cut_is_read_from_its_begin(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    conductor = follow(lab, path)
    append(path, "a long line before the file is cut\nand a part")
    wait_for_lines(conductor, "a long line before the file is cut")
    path.write_text("short\n")
    conductor.wait_for(lambda: "short" in conductor.lines("log"))
    assert conductor.lines("log")[1:] == ["and a part", "short"]


def test_only_lines_that_match_are_kept(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "log"
    conductor = follow(lab, path, match="^(warning|error):")
    path.write_text("error: a\nan error: b\nwarning: c\nfine\nerror: last\n")
    wait_for_lines(conductor, "error: a", "warning: c", "error: last")


def test_the_last_words_are_read_before_the_end(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    conductor = follow(lab, path)
    append(path, "".join(f"{i}\n" for i in range(10000)) + "no newline")
    conductor.tell(orders.end())
    conductor.finish()
    assert conductor.lines("log") == [*map(str, range(10000)), "no newline"]
    assert conductor.find(LogReport)[-1].seq < conductor.one(Done).seq


def test_messages_of_the_kernel_have_their_level(lab: Lab, tmp_path: Path) -> None:
    fifo = tmp_path / "kmsg"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    conductor = lab.start("--kmsg", str(fifo))
    log = Log(name="log", kind=LogKind.KERNEL)
    conductor.begin(scenario(phase(duration=FOREVER), logs=(log,)))
    os.write(
        writer,
        b"5,7,0,-;Linux version 6.1; a semicolon\n"
        b"4,8,12345,-,caller=T1;WARNING: CPU: 0\n SUBSYSTEM=cpu\n DEVICE=+cpu:0\n"
        b"30,9,99,-;systemd[1]: of a program\n"
        b"nonsense\n"
        b"3,14,100,-;after a gap\n",
    )
    wait_for_lines(
        conductor,
        "notice: Linux version 6.1; a semicolon",
        "warning: WARNING: CPU: 0",
        "info: systemd[1]: of a program",
        "err: after a gap",
    )
    lines = [line for report in conductor.find(LogReport) for line in report.lines]
    assert [line.dropped for line in lines] == [0, 0, 0, 4]
    os.close(writer)


def test_a_kernels_log_that_cannot_be_read_is_told(lab: Lab, tmp_path: Path) -> None:
    conductor = lab.start("--kmsg", str(tmp_path / "none"))
    log = Log(name="log", kind=LogKind.KERNEL)
    conductor.begin(scenario(phase(duration=seconds(0)), logs=(log,)))
    conductor.finish()
    assert conductor.errors() == [
        f"the log log: cannot open {tmp_path / 'none'}: No such file or directory"
    ]


def test_the_journal_is_followed_by_its_own_program(lab: Lab, tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\necho "$*"\nexec sleep 1000\n')
    program.chmod(0o755)
    conductor = lab.start(path=str(tmp_path))
    log = Log(name="log", kind=LogKind.JOURNAL)
    conductor.begin(scenario(phase(duration=FOREVER), logs=(log,)))
    wait_for_lines(conductor, "--follow --lines=0 --output=short-unix --no-pager")
    conductor.tell(orders.end())
    conductor.finish()


def test_a_system_without_a_journal_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonesuch")
    conductor = lab.start()
    log = Log(name="log", kind=LogKind.JOURNAL)
    conductor.begin(scenario(phase(duration=FOREVER), logs=(log,)))
    conductor.wait_for(lambda: bool(conductor.errors()))
    assert conductor.errors() == ["the log log: cannot run journalctl: No such file or directory"]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a run that need no guest: its clock, its directory, what is shown of it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dynaccel.cli import live
from dynaccel.core.errors import UserError
from dynaccel.recording.records import Stamp
from dynaccel.scenario.conduct.clock import NS, RunningClock
from dynaccel.scenario.conduct.directory import RunDirectory, RunState, new_directory
from dynaccel.scenario.conduct.progress import Progress
from dynaccel.scenario.model import Phase, Scenario
from dynaccel.scenario.outline import Outline

if TYPE_CHECKING:
    from pathlib import Path

STATE = RunState(
    scenario="year",
    source="/somewhere",
    kernel="abc",
    accelerator="tcg",
    counter_khz=2_000_000,
    initramfs="/cache/initramfs.cpio",
    base=None,
)


class Host:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 5_000 * NS

    def __call__(self) -> int:
        return self.ns


def test_real_time_leaves_out_what_the_guest_stood_still_for() -> None:
    host = Host()
    clock = RunningClock(now_ns=host)
    host.ns += 10 * NS
    assert clock.ns() == 10 * NS
    clock.restart(100 * NS)
    host.ns += NS
    assert clock.ns() == 101 * NS


def test_a_run_finds_its_state_again(tmp_path: Path) -> None:
    directory = new_directory(tmp_path / "deep" / "run")
    directory.write_state(STATE)
    assert RunDirectory(directory.path).read_state() == STATE


def test_an_occupied_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(UserError, match="holds something already"):
        new_directory(tmp_path)
    with pytest.raises(UserError, match="holds something already"):
        new_directory(tmp_path / "something")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 1, "x": 2}', "\xff"])
def test_a_directory_without_a_run_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="not the directory of a run"):
        RunDirectory(tmp_path).read_state()


def test_a_run_of_another_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"version": 99}')
    with pytest.raises(UserError, match="another version"):
        RunDirectory(tmp_path).read_state()


def test_a_run_goes_on_once_at_a_time(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with (
        directory.locked(),
        pytest.raises(UserError, match="goes on already"),
        RunDirectory(tmp_path).locked(),
    ):
        pass
    with RunDirectory(tmp_path).locked():
        pass


def progress(*phases: Phase) -> Progress:
    scenario = Scenario(name="x", start=datetime(2030, 1, 1, tzinfo=UTC), phases=phases)
    return Progress(Outline.of(scenario, now=datetime(2026, 1, 1, tzinfo=UTC)))


def at(virtual: float, real: float) -> Stamp:
    return Stamp(round(virtual * NS), round(virtual * NS), round(real * NS))


def test_how_far_a_run_is() -> None:
    shown = progress(
        Phase(name="slow", ratio=1, duration=timedelta(seconds=10)),
        Phase(name="fast", ratio=100, duration=timedelta(seconds=1000)),
    )
    before = shown.snapshot()
    assert (before.phase, before.phase_number, before.reached) == ("set-up", 0, None)
    assert before.real_left_seconds == pytest.approx(20)
    shown.begin_phase("fast", 1, 10 * NS)
    shown.ratio = 100
    shown.take_time(at(10, 10))
    shown.take_time(at(510, 15))
    now = shown.snapshot()
    assert now.reached == pytest.approx(100)
    assert now.real_left_seconds == pytest.approx(5)
    assert now.virtual_total_ns == 1010 * NS
    shown.forget_ratio()
    assert shown.snapshot().reached is None


def test_nobody_knows_how_long_a_phase_takes_that_the_guest_ends() -> None:
    shown = progress(Phase(name="wait", ratio=10, until_job="x"))
    assert shown.snapshot().real_left_seconds is None
    assert shown.snapshot().virtual_total_ns is None


def test_the_reached_ratio_is_that_of_the_last_seconds() -> None:
    shown = progress(Phase(name="fast", ratio=100, duration=timedelta(days=1)))
    shown.take_time(at(0, 0))
    for second in range(1, 40):
        shown.take_time(at(100 * second if second > 20 else 0, second))
    assert shown.snapshot().reached == pytest.approx(100)


@pytest.mark.parametrize(
    ("ratio", "faster", "slower"),
    [(1, 2, 1), (7, 10, 5), (200, 500, 100), (1000, 1000, 500)],
)
def test_keys_go_to_round_ratios(ratio: int, faster: int, slower: int) -> None:
    assert live.next_ratio(ratio, faster=True) == faster
    assert live.next_ratio(ratio, faster=False) == slower


def test_a_sparkline_goes_from_least_to_largest() -> None:
    assert live.sparkline((1.0, 8.0, 4.5)) == "▁█▅"
    assert live.sparkline((3.0, 3.0)) == "▁▁"
    assert live.sparkline(()) == ""
    assert len(live.sparkline(tuple(map(float, range(500))), width=20)) == 20


def test_virtual_times_are_told_by_days() -> None:
    assert live.virtual_time(-1) == "set-up"
    assert live.virtual_time((12 * 86400 + 3 * 3600 + 4 * 60 + 5) * NS) == "day 12 03:04:05"


def test_the_live_view_is_drawn() -> None:
    from rich.console import Console  # noqa: PLC0415

    shown = progress(Phase(name="fast", ratio=100, duration=timedelta(days=1)))
    shown.begin_phase("fast", 0, 0)
    shown.take_time(at(0, 0))
    shown.take_time(at(43200, 432))
    shown.take_memory(64 << 20)
    shown.take_line(43200 * NS, "[bold]no markup[/bold]")
    stream = io.StringIO()
    Console(file=stream, width=100).print(live.draw("year", shown.snapshot()))
    text = stream.getvalue()
    for word in ("year", "fast (1 of 1)", "day 0 12:00:00", "64.0 MiB", "[bold]no markup[/bold]"):
        assert word in text


def test_without_a_terminal_lines_tell_what_happens() -> None:
    stream = io.StringIO()
    view = live.PlainView(stream=stream)
    view.tell(86400 * NS, "phase fast begins")
    view.tell(None, "hello")
    assert stream.getvalue() == "[day 1 00:00:00] phase fast begins\nhello\n"
    quiet = live.PlainView(verbosity=-1, stream=stream)
    quiet.tell(None, "not told")
    assert "not told" not in stream.getvalue()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs whose guest boots the root's own system."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from vm_fakes import Fakes, fakes

from dynaccel.core import units
from dynaccel.core.errors import GuestPanicError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.vm import run as run_module
from dynaccel.vm.guest import Limits
from dynaccel.vm.streams import Streams

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fakes"]

INIT = "/sbin/init"


class Warnings(NullReporter):
    """Keeps what a reporter is warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, message: str) -> None:
        self.said.append(message)


def test_the_job_names_process_1_and_the_time_it_has(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "job.json"
    monkeypatch.setenv("FAKE_JOB", str(seen))
    fakes.run("true", init=INIT, limits=Limits(system=7))
    one = dict(json.loads(seen.read_text()))
    assert (one["init"], one["init_limit_ns"]) == (INIT, "7000000000")
    fakes.run("true")
    assert not {"init", "init_limit_ns"} & set(dict(json.loads(seen.read_text())))


def test_the_result_says_how_the_system_was(fakes: Fakes, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    fakes.run("true", init=INIT, result=file)
    value = json.loads(file.read_text())
    assert (value["system"], value["failed_units"]) == ("running", [])


def test_a_degraded_system_is_one_warning(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "degraded")
    reporter = Warnings()
    result = run_module.run(
        fakes.request("true", init=INIT), streams=Streams(stdin=None), reporter=reporter
    )
    assert (result.system, result.failed_units) == ("degraded", ("cron.service",))
    assert [line for line in reporter.said if "cron.service" in line] == [
        "the guest's system is degraded: failed: cron.service"
    ]


@pytest.mark.parametrize(("asked", "said"), [("2026-01-01", True), ("2027-01-01", False)])
def test_a_system_that_moves_its_date_is_told(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, asked: str, *, said: bool
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "moves-date")
    reporter = Warnings()
    run_module.run(
        fakes.request("true", init=INIT, start=units.parse_start(asked)),
        streams=Streams(stdin=None),
        reporter=reporter,
    )
    moved = [line for line in reporter.said if "date" in line]
    assert bool(moved) == said
    assert not said or "boot on 2026-01-01, and has set its date to 2026-04-27" in moved[0]


@pytest.mark.parametrize(("mode", "how"), [("reboots", "rebooted"), ("powers-off", "powered off")])
def test_a_system_that_ends_the_guest_is_no_end_of_the_command(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, how: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", mode)
    file = tmp_path / "result.json"
    result = fakes.run("sh", "-c", "kill -TERM $$", init=INIT, result=file)
    assert (result.exit_status, result.error) == (125, "shutdown")
    assert how in (result.message or "")
    assert json.loads(file.read_text())["virtual_seconds"] >= 0


@pytest.mark.parametrize(
    ("code", "how"), [("00000100", "status 1"), ("0000000b", "killed by signal 11")]
)
def test_a_panic_for_want_of_process_1_says_so(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, code: str, how: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "panic")
    text = f"Kernel panic - not syncing: Attempted to kill init! exitcode=0x{code}"
    monkeypatch.setenv("FAKE_PANIC", text + "\r\n<TASK>" * 40)
    with pytest.raises(GuestPanicError, match=f"process 1 of the guest ended .{how}"):
        fakes.run("sleep", "60", init=INIT)


def test_an_init_is_a_path_in_the_guest(fakes: Fakes) -> None:
    with pytest.raises(UserError, match="does not start with /") as caught:
        run_module.run(
            replace(fakes.request("true"), init="init"),
            streams=Streams(stdin=None),
            reporter=NullReporter(),
        )
    assert "--init /sbin/init" in (caught.value.hint or "")

# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from dynaccel.cli.main import dynaccel_command
from dynaccel.core.errors import MissingError, StageError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.verify import bench as bench_module
from dynaccel.verify import report
from dynaccel.verify.bench import Bench, local_bench
from dynaccel.verify.check import Check
from dynaccel.verify.parts import changes, log
from dynaccel.verify.rounds import Judged, best
from dynaccel.verify.verify import PARTS, Verification, chosen_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GOOD = Check(part="clocks", name="tai", ratio=10, ok=True, reached=10.0, error=0.0)
BAD = replace(GOOD, name="[raw]", ok=False, reached=1.0, error=-0.9, note="look at it")
MACHINE = {
    "kernel": "6.1", "cpus": 2, "cpu": "x", "clocksource": "tsc", "real_time_uncertainty": 1e-5,
}  # fmt: skip


def rounds(*checks: Check, suspect: bool = False) -> Any:
    left = list(checks)

    def measure() -> list[Judged]:
        check = left.pop(0)
        return [Judged(check=check, suspect=suspect and not check.ok)]

    return measure


def test_measuring_ends_with_the_first_round_that_holds() -> None:
    late = replace(BAD, late_us=9.0)
    assert best(rounds(late, replace(late, ok=True), GOOD)) == [replace(late, ok=True)]


def test_the_best_of_all_rounds_counts() -> None:
    late = [replace(BAD, late_us=value) for value in (9.0, 5.0, 7.0, 8.0)]
    (check,) = best(rounds(*late), rounds=4)
    assert (check.late_us, check.ok) == (5.0, False)
    assert "the best of 4 rounds" in check.note


def test_what_no_busy_host_explains_is_never_made_good() -> None:
    measured = iter([
        [Judged(check=BAD, final=True), Judged(check=replace(BAD, name="other"))],
        [Judged(check=replace(BAD, ok=True)), Judged(check=replace(GOOD, name="other"))],
    ])  # fmt: skip
    first, other = best(lambda: next(measured), rounds=2)
    assert (first.ok, other.ok) == (False, True)


def test_what_happens_once_in_all_rounds_is_told() -> None:
    early = replace(BAD, note="a tick early")
    good = replace(early, ok=True, note="fine")
    (check,) = best(rounds(early, good, good, good, suspect=True), rounds=4)
    assert check == replace(good, note="fine; in 1 of 4 rounds a tick early")


def test_what_happens_twice_is_no_accident() -> None:
    early = replace(BAD, note="a tick early")
    good = replace(early, ok=True, note="fine")
    (check,) = best(rounds(good, early, good, early, suspect=True), rounds=4)
    assert check == good  # the first round settled it
    (check,) = best(rounds(early, good, good, early, suspect=True), rounds=4)
    assert check == early


def verification(*checks: Check) -> Verification:
    return Verification(
        started="2026-01-01T00:00:00+00:00", ratios=(10,), machine=MACHINE, checks=checks
    )


def test_the_table_has_every_check_whole() -> None:
    stream = io.StringIO()
    table = report.table(verification(GOOD, BAD), plain=True)
    Console(file=stream, width=160).print(table)
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert lines[1] == ["clocks", "tai", "10", "10.0000", "+0.0000%", "holds"]
    assert lines[2] == ["clocks", "[raw]", "10", "1.0000", "-90.0000%", "FAILS"]


def test_the_summary_names_failures_parts_and_the_whole() -> None:
    lines = report.summary(verification(GOOD, BAD, replace(GOOD, part="log")))
    assert lines[0] == "FAILS: clocks: [raw] at 10: look at it"
    assert lines[2:5] == ["clocks: 1 of 2 fail", "log: all 1 hold", "all: 1 of 3 fail"]


def test_parts_by_name() -> None:
    assert chosen_parts([]) == tuple(PARTS)
    assert chosen_parts(["log", "clocks"]) == ("clocks", "log")
    with pytest.raises(UserError, match="nonsense"):
        chosen_parts(["nonsense"])


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("Freeing unused kernel image", True),
        ("installing things", True),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", False),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", False),
        ("INFO: task sh:1 blocked for more than 120 seconds.", False),
        ("WARNING: CPU: 0 PID: 1 at kernel/time/timekeeping.c", False),
        ("clocksource: Marking clocksource 'tsc' as unstable", False),
        ("Clock: clock skew detected", False),
        ("perf: interrupt took too long (2505 > 2500), lowering", False),
    ],
)
def test_complaints_of_the_kernel(line: str, *, ok: bool) -> None:
    check = log.judge(["harmless", line], ratio=1000)
    assert check.ok is ok
    assert (line in check.note) is not ok


CHANGES = {
    "changes": 1000, "counts": 10**9, "reads": 5000, "backward": {}, "crossed": 0, "naps": 900,
    "early": 0, "earliest_ns": 0, "failed": 0, "longest_counts": 10**9, "lost": 0,
    "lag_ticks_fast": 0.1, "lag_ticks_slow": 0.2, "jiffies_drift_ns": 1202003,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        ({"changes": 999}, {"1000 changes"}),
        ({"backward": {"times": 2}}, {"no clock goes back"}),
        ({"crossed": 1}, {"vDSO and system call agree"}),
        ({"early": 1, "earliest_ns": 10}, {"no wait ends early"}),
        ({"failed": 1}, {"no wait ends early"}),
        ({"lost": 1}, {"no wait is lost"}),
        ({"naps": 0}, {"no wait ends early", "no wait is lost"}),
        ({"reads": 0}, {"no clock goes back", "vDSO and system call agree"}),
        ({"lag_ticks_fast": 50.0}, {"coarse clocks in line after 1 to 1000"}),
        ({"lag_ticks_slow": 50.0}, {"coarse clocks in line after 1000 to 1"}),
        ({"jiffies_drift_ns": -(10**9)}, {"jiffies in line after all"}),
    ],
)
def test_changes(changed: dict[str, Any], failing: set[str]) -> None:
    checks = list(changes.judge({**CHANGES, **changed}, count=1000, counts_per_second=1e9))
    assert {check.name for check in checks if not check.ok} == failing


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for kernel.accel: a file that takes what is written."""
    path = tmp_path / "accel"
    path.write_text("7\n")
    monkeypatch.setattr(bench_module, "CONTROL", str(path))
    monkeypatch.setattr(bench_module, "CALIBRATION_SECONDS", 0.1)
    return path


def test_a_bench_on_this_machine(control: Path) -> None:
    with local_bench(reporter=NullReporter()) as bench:
        assert control.read_text() == "1\n"
        bench.set_ratio(50)
        assert control.read_text() == "50\n"
        assert bench.shell("printf 'a\\nb'") == "a\nb"
        assert bench.shell("cat; echo done") == "done\n"  # its standard input is empty
        began, first = time.monotonic(), bench.stamp()
        time.sleep(0.2)
        counts = bench.stamp().counter - first.counter
        assert 0.19 < bench.real_seconds(counts) < time.monotonic() - began + 0.01
        with pytest.raises(StageError) as caught:
            bench.shell("echo oops >&2; exit 3")
        assert caught.value.detail == "oops"
        with pytest.raises(StageError, match="did not end within"):
            bench.shell("sleep 60", limit_seconds=0.3)
    assert control.read_text() == "7\n"


def test_the_ratio_is_restored_whatever_happens(control: Path) -> None:
    def interrupted() -> None:
        with local_bench(reporter=NullReporter()) as bench:
            bench.set_ratio(1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert control.read_text() == "7\n"


def test_a_machine_that_cannot_accelerate(control: Path) -> None:
    control.unlink()
    with pytest.raises(MissingError), local_bench(reporter=NullReporter()):
        pass


@pytest.fixture
def measured(control: Path, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """Replace what is measured, on a bench that is real."""
    checks: list[Check] = []

    def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
        for ratio in ratios:
            bench.set_ratio(ratio)
            for check in checks:
                if check.name == "death":
                    bench.shell("kill $PPID")
                yield replace(check, ratio=ratio)

    module = SimpleNamespace(measure=measure)
    monkeypatch.setitem(sys.modules, "a_part_of_this_test", module)
    monkeypatch.setitem(PARTS, "log", "a_part_of_this_test")
    monkeypatch.setattr("dynaccel.cli.verify.os.geteuid", lambda: 0)
    assert control.exists()
    return checks


def verify(*words: str) -> Any:
    return CliRunner().invoke(dynaccel_command, ["-q", "verify", "--here", "--part", "log", *words])


@pytest.mark.parametrize(("checks", "status"), [([GOOD], 0), ([GOOD, BAD], 1)])
def test_the_exit_status_and_the_file(
    measured: list[Check], tmp_path: Path, checks: list[Check], status: int
) -> None:
    measured.extend(checks)
    done = verify("--accel", "3,4,3", "--json", str(tmp_path / "v.json"))
    assert done.exit_code == status, done.output
    value = json.loads((tmp_path / "v.json").read_text())
    assert value["ok"] is (status == 0)
    assert [check["ratio"] for check in value["checks"]] == [3] * len(checks) + [4] * len(checks)
    assert value["machine"]["where"] == "this machine"
    assert "tai" in done.stdout


def test_json_on_standard_output_stands_alone(measured: list[Check]) -> None:
    measured.append(GOOD)
    done = verify("--json", "-")
    assert json.loads(done.stdout)["checks"][0]["name"] == "tai"
    assert "tai" in done.stderr


def test_a_place_that_dies(measured: list[Check], tmp_path: Path) -> None:
    measured.extend([GOOD, replace(GOOD, name="death")])
    done = verify("--accel", "2", "--json", str(tmp_path / "v.json"))
    assert done.exit_code == 4
    assert not (tmp_path / "v.json").exists()


@pytest.mark.parametrize(
    "words",
    [("--accel", "0"), ("--accel", "1,x"), ("--part", "nonsense"), ("--json", "/proc/x/y")],
)
def test_bad_usage(measured: list[Check], words: tuple[str, ...]) -> None:
    assert measured == []
    assert verify(*words).exit_code == 2

# SPDX-License-Identifier: GPL-2.0-or-later
"""When a timer inside the kernel counts as early, late or right; fed with records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from dynaccel.host import paths
from dynaccel.verify.kernel_averages import grace_seconds, judge_grace, judge_pressure
from dynaccel.verify.kernel_timers import WITNESSES, bar_seconds, judge
from dynaccel.verify.parts import kernel_timers
from dynaccel.verify.parts.kernel_timers import ROUNDS, RUNS, measure, runs_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.verify.bench import Bench
    from dynaccel.verify.check import Check

FREQUENCY = 2.6e9
TICK = 0.004


def real_seconds(counts: int) -> float:
    return counts / FREQUENCY


def record(
    witness: str, asked: float, took: float, *, ratio: float = 1, stale: float = 0, slack: float = 0
) -> dict[str, Any]:
    """Return what a probe prints; all in virtual seconds."""
    return {
        "witness": witness,
        "asked_ns": round(asked * 1e9),
        "slack_ns": round(slack * 1e9),
        "virtual_ns": round(took * 1e9),
        "counts": round(took / ratio * FREQUENCY),
        "stale_ns": round(stale * 1e9),
        "torn_counts": 100,
    }


def judged(*records: dict[str, Any], ratio: int) -> tuple[Check, bool]:
    (one,) = judge(records, ratio=ratio, tick_seconds=TICK, real_seconds=real_seconds, base_us={})
    return one.check, one.final


@pytest.mark.parametrize(
    ("asked", "ratio", "jiffies"),
    [
        (0.1, 1, 1 + 1),  # 25 jiffies: the finest level of the wheel
        (1.0, 1, 8 + 1),  # 250: the second, from 63 on
        (10.0, 1, 64 + 1),  # 2500: the third, from 504 on
        (10.0, 10, 64 + 10),  # nine jiffies more may pass until the next tick
        (1.0, 1000, 64 + 1000),  # 250, armed as if it were 1250
    ],
)
def test_a_timer_may_be_late_by_the_grain_of_the_wheel_and_a_tick(
    asked: float, ratio: int, jiffies: int
) -> None:
    bar = bar_seconds(WITNESSES["reassembly"], asked, ratio=ratio, tick_seconds=TICK)
    assert bar == pytest.approx(jiffies * TICK + 0.008 * ratio)


def test_a_row_of_timers_may_be_late_at_each() -> None:
    # 1, 2 and 4 s: 8, 8 and 64 jiffies of grain; 2 s are 500 and a tick of 1.
    bar = bar_seconds(WITNESSES["tcp-syn-3"], 7.0, ratio=1, tick_seconds=TICK)
    assert bar == pytest.approx((8 + 8 + 64 + 3) * TICK + 0.005 + 3 * 0.003)


def test_a_timer_that_keeps_to_it_is_right() -> None:
    check, final = judged(record("reassembly", 10, 11, ratio=100), ratio=100)
    assert check.ok
    assert not final
    assert check.name == "IP reassembly, 10 s"
    assert check.reached == pytest.approx(100)
    assert check.late_us == pytest.approx(10_000)


def test_a_timer_that_does_not_follow_is_late() -> None:
    # 10 s of real time at ratio 100.
    check, final = judged(record("reassembly", 10, 1000, ratio=100), ratio=100)
    assert not check.ok
    assert not final
    assert "late" in check.note


def test_a_clock_that_does_not_follow_is_found_by_the_counter() -> None:
    check, _ = judged(record("reassembly", 10, 10.1, ratio=97), ratio=100)
    assert not check.ok
    assert "by the counter" in check.note
    assert check.error == pytest.approx(-0.03)


def test_the_best_round_counts() -> None:
    late, good = record("netem", 0.1, 5, ratio=100), record("netem", 0.1, 0.2, ratio=100)
    assert judged(late, good, ratio=100)[0].ok
    assert not judged(late, late, ratio=100)[0].ok


@pytest.mark.parametrize(
    ("witness", "took"), [("reassembly", 0.949), ("tcp-delayed-ack", 0.949), ("netem", 0.9999)]
)
def test_early_by_more_than_a_tick_counts_in_every_round(witness: str, took: float) -> None:
    # A tick at ratio 10 is 0.04 s; netem goes by an hrtimer, which no tick excuses.
    good, early = record(witness, 1, 1.02, ratio=10), record(witness, 1, took, ratio=10, stale=0.04)
    check, final = judged(good, early, good, ratio=10)
    assert not check.ok
    assert final
    assert "early" in check.note


@pytest.mark.parametrize("witness", ["reassembly", "conntrack"])
def test_a_tick_as_a_timer_is_armed_explains_an_early_one_once(witness: str) -> None:
    good, early = record(witness, 1, 1.02, ratio=10), record(witness, 1, 0.961, ratio=10)
    (once,) = judge(
        [good, early], ratio=10, tick_seconds=TICK, real_seconds=real_seconds, base_us={}
    )
    assert not once.check.ok
    assert once.suspect
    assert not once.final


def test_a_tick_that_the_host_delayed_excuses_what_it_was_late() -> None:
    # A tick at ratio 100 is 0.4 s; the last one was 0.5 s ago.
    assert judged(record("reassembly", 10, 9.91, ratio=100, stale=0.5), ratio=100)[0].ok
    assert not judged(record("reassembly", 10, 9.89, ratio=100, stale=0.5), ratio=100)[0].ok


def test_at_ratio_1_jiffies_may_be_a_tick_old_or_as_old_as_the_host_makes_them() -> None:
    for took, stale, ok in ((9.9961, 0, True), (9.9959, 0, False), (9.9959, 0.0042, True)):
        check, _ = judged(record("reassembly", 10, took, stale=stale), ratio=1)
        assert check.ok is ok


def test_what_only_compares_jiffies_counts_from_the_last_tick() -> None:
    assert judged(record("conntrack", 10, 9.7, ratio=100, stale=0.3), ratio=100)[0].ok
    assert not judged(record("conntrack", 10, 9.6, ratio=100, stale=0.3), ratio=100)[0].ok


def test_a_rate_may_be_off_to_either_side_and_measured_again() -> None:
    for took, ok in ((63.2, True), (62.8, True), (64.0, False), (62.0, False)):
        check, final = judged(record("tcp-timestamps", 63, took, ratio=100), ratio=100)
        assert check.ok is ok
        assert not final


def test_what_the_probe_grants_is_granted() -> None:
    late = record("writeback", 30, 35, ratio=100)
    assert not judged(late, ratio=100)[0].ok
    assert judged({**late, "slack_ns": 5_000_000_000}, ratio=100)[0].ok


def test_every_witness_of_the_probes_is_known() -> None:
    sources = {run.probe: paths.data_dir("guest") / "probes" / f"{run.probe}.c" for run in RUNS}
    plain, counted = set(), set()
    for source in sources.values():
        text = source.read_text()
        plain |= set(re.findall(r'report(?:_slack)?\("([a-z-]+)"', text))
        plain |= set(re.findall(r'report_end\("([a-z-]+)"', text))
        counted |= set(re.findall(r'report_nth\("([a-z-]+)"', text))
    known = {name for name in WITNESSES if not name[-1].isdigit()}
    assert plain == known
    assert {f"tcp-{name}-1" for name in counted} <= set(WITNESSES)


@pytest.mark.parametrize("ratio", [100, 1000])
def test_a_part_of_the_verification_takes_seconds(ratio: int) -> None:
    fits, _ = runs_at(ratio)
    assert sum(run.seconds for run in fits) / ratio < 20


def test_what_does_not_fit_is_named() -> None:
    fits, left_out = runs_at(1)
    assert {run.label for run in fits}.isdisjoint(left_out)
    assert {"TCP TIME_WAIT", "write-back", "IP reassembly, 3000 s"} <= set(left_out)
    assert runs_at(1000)[1] == []


def test_of_several_lengths_the_longest_is_measured() -> None:
    for ratio, syns in ((1, "syn=1"), (10, "syn=3"), (100, "syn=6")):
        (run,) = (run for run in runs_at(ratio)[0] if run.label == "TCP SYN again")
        assert run.arguments == (ROUNDS, syns)


def reading(name: str, at: float, load: float, avg10: float, total: float) -> dict[str, Any]:
    return {
        "reading": name,
        "virtual_ns": round(at * 1e9),
        "counts": round(at / 100 * FREQUENCY),
        "load1": load,
        "avg10": avg10,
        "total_us": round(total * 1e6),
    }


# Measured in a guest at ratio 100 with two hogs for 180 s.
GOOD = (
    reading("before", 0, 1.04, 20.0, 10),
    reading("loaded", 182, 1.99, 94.0, 10 + 166),
    reading("released", 183, 1.99, 94.4, 10 + 167),
    reading("rested", 213, 1.23, 7.5, 10 + 168),
)


def failing(*changed: tuple[int, dict[str, Any]]) -> set[str]:
    records = list(GOOD)
    for number, fields in changed:
        records[number] = {**records[number], **fields}
    checks = judge_pressure(records, ratio=100, tick_seconds=TICK, real_seconds=real_seconds)
    wrong = [one.check for one in checks if not one.check.ok]
    assert all(("psi.c" in one.note) is ("pressure" in one.name) for one in wrong)
    return {one.name for one in wrong}


def test_averages_that_follow_are_right() -> None:
    assert failing() == set()


@pytest.mark.parametrize("load", [0.0, 1.1, 12.0])
def test_a_load_that_stands_still_or_explodes_is_wrong(load: float) -> None:
    assert "load average of 2 hogs" in failing((1, {"load1": load}))


@pytest.mark.parametrize("load", [0.0, 1.99])
def test_a_load_that_does_not_decay_in_time_is_wrong(load: float) -> None:
    assert failing((3, {"load1": load})) == {"load average decays"}


def test_pressure_in_real_time_is_wrong() -> None:
    assert failing((1, {"total_us": 11_660_000, "avg10": 1.0})) == {
        "CPU pressure, total",
        "CPU pressure, avg10",
    }


@pytest.mark.parametrize("average", [0.0, 90.0])
def test_a_pressure_that_does_not_decay_in_time_is_wrong(average: float) -> None:
    assert failing((3, {"avg10": average})) == {"CPU pressure decays"}


def test_a_grace_period_may_not_become_longer() -> None:
    records = [{"counts": round(ms / 1000 * FREQUENCY)} for ms in (9, 90, 12, 11, 10)]
    base = grace_seconds(records, real_seconds)
    assert base == pytest.approx(0.011)
    for seconds, ok in ((0.005, True), (0.0299, True), (0.0301, False)):
        (one,) = judge_grace(seconds, base, ratio=1000, tick_seconds=TICK)
        assert one.check.ok is ok


class FakeBench:
    """A bench where every timer takes what the test says beyond what it was asked for."""

    tick_seconds = TICK

    def __init__(self, late: float = 0.01) -> None:
        self.late = late
        self.ratios: list[int] = []
        self.probed: list[str] = []

    def set_ratio(self, ratio: int) -> None:
        self.ratios.append(ratio)

    def real_seconds(self, counts: int) -> float:
        return real_seconds(counts)

    def probe(self, name: str, *_arguments: object) -> list[dict[str, Any]]:
        self.probed.append(name)
        if name == "grace":
            return [{"counts": 10**7}]
        if name == "journal":
            return [{"missing": "mke2fs"}]
        if name == "fragments":
            return [record("reassembly", 1, 1 + self.late, ratio=self.ratios[-1])]
        return [record("netem", 0.1, 0.1, ratio=self.ratios[-1])]


def all_checks(bench: FakeBench, ratios: Sequence[int]) -> list[Check]:
    return list(measure(cast("Bench", bench), ratios))


def test_each_ratio_is_set_and_the_last_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_timers, "judge_pressure", lambda *_args, **_named: iter(()))
    bench = FakeBench()
    checks = all_checks(bench, [1, 100])
    assert bench.ratios == [1, 1, 100, 1]
    assert all(check.ok for check in checks)
    accelerated = [check for check in checks if check.name == "IP reassembly, 1 s"][-1]
    assert accelerated.late_base_us == pytest.approx(10_000)
    assert [check.note for check in checks if check.name == "ext4 commits"] == [
        "left out: there is no mke2fs in this root"
    ]


def test_at_ratio_1_a_tick_that_the_host_delayed_is_linux_own_affair() -> None:
    tick = 0.004
    within, beyond = (record("wheel-short", 0.04, 0.04 - off * tick, ratio=1) for off in (0.9, 1.1))
    assert judged(within, ratio=1)[0].ok
    assert not judged(beyond, ratio=1)[0].ok


def test_a_late_timer_is_measured_again_and_an_early_one_is_not() -> None:
    late, early = FakeBench(late=5), FakeBench(late=-0.5)
    for bench in (late, early):
        checks = all_checks(bench, [1])
        assert not next(check for check in checks if check.name.startswith("IP reass")).ok
    assert late.probed.count("fragments") > early.probed.count("fragments") == 1

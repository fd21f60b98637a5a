# SPDX-License-Identifier: GPL-2.0-or-later
"""A real lockup is caught after the same real time, however fast virtual time flows.

The kernel's own crash test module provokes the lockups. The NMI detector of hard lockups cannot be
tried here, since TCG has no performance counters; RCU sees such a lockup from another CPU.

A ratio cannot be changed while a CPU has preemption off: the change stops the machine, and in any
Linux that waits for all CPUs. What is stuck across a change here lets itself be stopped.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

pytestmark = pytest.mark.qemu

RATIOS = (1, 100, 1000)
SOFT, WORKQUEUE, HUNG, RCU, RCU_ALONE = 2.0, 2.0, 2.0, 6.0, 3.0
"""Thresholds in real seconds. RCU's report makes the soft lockup detector start afresh, so where
both are watched it comes later; 3 is the least that it takes."""

FLOOR = {
    # The last sample came up to 2/5 of watchdog_thresh before (set_sample_period()).
    "soft": SOFT * 0.8,
    # A grace period, or a work item, can have begun just before the CPU was lost.
    "workqueue": WORKQUEUE * 0.9,
    "rcu": 0.9,
    # Jiffies at both ends.
    "hung": HUNG - 0.01,
}
"""Real seconds before which no report may come; for RCU a fraction of its threshold."""

BAR = {
    # It counts in units of 2^30 ns (get_timestamp()), more than two of them, and samples.
    "soft": 4 * 1.08 + 0.4,
    "workqueue": 2 * WORKQUEUE,
    "rcu": 1.1,
    "hung": 2 * HUNG,
}
"""By then it comes where nothing is in the way."""

ROOM_SECONDS = 8.0
"""For a busy host."""
LIMIT_SECONDS = 24.0

KNOBS = """
mount -t debugfs none /sys/kernel/debug 2>/dev/null
echo 1 >/proc/sys/kernel/watchdog_thresh &&
echo {hung:.0f} >/proc/sys/kernel/hung_task_timeout_secs &&
echo -1 >/proc/sys/kernel/hung_task_warnings &&
echo {workqueue:.0f} >/sys/module/workqueue/parameters/watchdog_thresh &&
echo {rcu:.0f} >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
"""


@contextmanager
def guest(kernel: Kernel, *, rcu: float) -> Iterator[Bench]:
    options = ["--kernel", str(kernel.image), "--accelerator", "tcg", "--cpus", "2"]
    with guest_bench(options, reporter=NullReporter()) as bench:
        bench.shell(KNOBS.format(hung=HUNG, workqueue=WORKQUEUE, rcu=rcu))
        yield bench


class _GivenUpError(Exception):
    """Nothing more is asked of the guest, which may not be able to answer."""


@contextmanager
def doomed(kernel: Kernel, *, rcu: float) -> Iterator[Bench]:
    """Start a guest that will not have all its CPUs at the end of the block."""
    with suppress(_GivenUpError), guest(kernel, rcu=rcu) as bench:
        yield bench
        raise _GivenUpError


def provoke(
    bench: Bench, wanted: Sequence[str], *deeds: str, seconds: float = LIMIT_SECONDS
) -> list[dict[str, Any]]:
    return bench.probe("lockup", bench.counts(seconds), ",".join(wanted) or "-", *deeds)


def delays(
    bench: Bench, records: Sequence[Mapping[str, Any]], causes: Mapping[str, str]
) -> dict[str, float]:
    """Return by report, for the first of each, the real seconds since the deed that caused it."""
    began = {record["deed"]: record["counter"] for record in records if "deed" in record}
    found: dict[str, float] = {}
    for record in records:
        name = record.get("report", "")
        if name in causes and name not in found:
            found[name] = bench.real_seconds(record["counter"] - began[causes[name]])
    return found


@pytest.fixture(scope="module")
def stuck(kernel: Kernel) -> dict[int, dict[str, float]]:
    """Delays by ratio: a CPU that is lost with preemption off, and a task that sleeps for ever."""
    causes = {"hung": "hung", "soft": "soft", "workqueue": "soft", "rcu": "soft"}
    found = {}
    for ratio in RATIOS:
        with doomed(kernel, rcu=RCU) as bench:
            bench.set_ratio(ratio)
            found[ratio] = delays(bench, provoke(bench, list(causes), "hung", "soft"), causes)
    return found


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", ["soft", "workqueue", "rcu", "hung"])
def test_a_lockup_is_caught_in_real_time(
    stuck: dict[int, dict[str, float]], name: str, ratio: int
) -> None:
    assert name in stuck[ratio], f"never reported; the reports were {stuck}"
    threshold = RCU if name == "rcu" else 1
    delay, alike = stuck[ratio][name], stuck[1].get(name, 0.0)
    assert delay >= FLOOR[name] * threshold, stuck
    # What this host adds at ratio 1 it may add at every ratio.
    assert delay <= max(BAR[name] * threshold, alike) + ROOM_SECONDS, stuck


@pytest.mark.parametrize("ratio", [1, 1000])
def test_rcu_sees_a_cpu_with_interrupts_off(kernel: Kernel, ratio: int) -> None:
    with doomed(kernel, rcu=RCU_ALONE) as bench:
        bench.set_ratio(ratio)
        found = delays(bench, provoke(bench, ["rcu"], "hard"), {"rcu": "hard"})
    assert RCU_ALONE * FLOOR["rcu"] <= found["rcu"] <= RCU_ALONE * BAR["rcu"] + ROOM_SECONDS


@pytest.fixture(scope="module")
def bench(kernel: Kernel) -> Iterator[Bench]:
    with guest(kernel, rcu=RCU_ALONE) as place:
        yield place


def test_a_cpu_that_is_busy_is_not_reported(bench: Bench) -> None:
    bench.set_ratio(1000)
    records = provoke(bench, [], "busy", seconds=2 * max(SOFT, WORKQUEUE, HUNG, RCU_ALONE))
    bench.set_ratio(1)
    assert [record for record in records if "report" in record] == []


@pytest.mark.parametrize(("before", "after"), [(1000, 1), (1, 1000), (100, 300)])
def test_a_change_of_the_ratio_hides_no_lockup(bench: Bench, before: int, after: int) -> None:
    causes = {"hung": "hung", "workqueue": "fifo"}
    bench.set_ratio(before)
    change_seconds = 1.0
    later = f"after={bench.counts(change_seconds)}"
    records = provoke(bench, list(causes), "fifo", "hung", later, f"ratio={after}")
    bench.set_ratio(1)
    found = delays(bench, records, causes)
    for name in causes:
        assert name in found, f"never reported: {records}"
        # The detectors may start afresh with the change.
        bar = BAR[name] + change_seconds + ROOM_SECONDS
        assert FLOOR[name] <= found[name] <= bar, found


def test_changes_one_after_the_other_hide_no_hung_task(bench: Bench) -> None:
    bench.set_ratio(1)
    step = f"after={bench.counts(0.5)}"
    changes = [step, "ratio=1000", step, "ratio=30", step, "ratio=1"] * 4
    records = provoke(bench, ["hung"], "hung", *changes)
    bench.set_ratio(1)
    found = delays(bench, records, {"hung": "hung"})
    assert FLOOR["hung"] <= found["hung"] <= BAR["hung"] + ROOM_SECONDS, found

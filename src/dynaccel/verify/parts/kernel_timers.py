# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "kernel timers": what a kernel does on its own after a while, at every ratio.

Every witness lets itself be seen by a probe of ``guest/probes``. How far off in virtual time it is
depends on the ratio, so that it takes about a second of real time; what does not fit is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.kernel_averages import HOGS, grace_seconds, judge_grace, judge_pressure
from dynaccel.verify.kernel_timers import PART, judge
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

REACH_SECONDS = 3.6
"""Real time that the farthest timer of a witness may be away."""
GRACE_PERIODS = 15
UP_SECONDS, UP_REAL_SECONDS = 180.0, 0.5
"""How long the hogs run: long against the averages, and long enough to be scheduled in turn."""
DOWN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a probe.

    Attributes:
        label: What it is about.
        probe: The probe.
        arguments: Its arguments.
        seconds: Virtual time until the last timer goes off.
    """

    label: str
    probe: str
    arguments: tuple[str, ...]
    seconds: float


ROUNDS = "2"
"""That many times a probe does each; the best counts."""

RUNS = (
    *(
        Run(label=f"IP reassembly, {s} s", probe="fragments", arguments=(ROUNDS, f"{s}"), seconds=s)
        for s in (1, 10, 100, 1000, 3000)
    ),
    *(
        Run(label=f"IPv6 address, {s} s", probe="lifetimes", arguments=("1", f"{s}"), seconds=s)
        for s in (2, 30, 200, 3000)
    ),
    *(
        Run(
            label=f"conntrack, {s} s", probe="conntrack", arguments=("gone", "1", f"{s}"), seconds=s
        )
        for s in (2, 20, 120, 1200)
    ),
    *(
        Run(
            label="conntrack, 5 days count down",
            probe="conntrack",
            arguments=("countdown", f"{s}000000000"),
            seconds=s,
        )
        for s in (2, 20, 100, 1000)
    ),
    Run(
        label="neighbour INCOMPLETE to FAILED",
        probe="neighbours",
        arguments=(ROUNDS, "0", "100", "700"),
        seconds=3 * 0.7,
    ),
    Run(
        label="neighbour REACHABLE to STALE",
        probe="neighbours",
        arguments=("1", "1"),
        seconds=20.0,
    ),
    *(
        Run(
            label="TCP SYN again",
            probe="tcp",
            arguments=(ROUNDS, f"syn={count}"),
            seconds=2.0 ** (count + 1) - 1,
        )
        for count in (1, 3, 6)
    ),
    Run(label="TCP data again", probe="tcp", arguments=(ROUNDS, "retransmit=3"), seconds=2.0),
    Run(label="TCP_USER_TIMEOUT", probe="tcp", arguments=("1", "user-timeout=20"), seconds=20.0),
    Run(label="TCP keep-alive", probe="tcp", arguments=("1", "keepalive=10"), seconds=30.0),
    Run(label="TCP TIME_WAIT", probe="tcp", arguments=("1", "time-wait"), seconds=60.0),
    Run(label="TCP delayed ACK", probe="tcp", arguments=("5", "delayed-ack"), seconds=0.2),
    Run(label="socket time-out within a tick", probe="shortwheel", arguments=("60",), seconds=0.1),
    Run(label="netem delay", probe="netem", arguments=("5", "100"), seconds=0.1),
    Run(label="write-back", probe="writeback", arguments=("1",), seconds=35.0),
    Run(label="ext4 commits", probe="journal", arguments=("3", "5"), seconds=7.0),
)

_LABELS = tuple(run.label for run in RUNS)


def runs_at(ratio: int) -> tuple[list[Run], list[str]]:
    """Return what is measured at a ratio, and what is left out because it takes too long.

    Of runs with the same label the longest that fits is made.
    """
    fits = {run.label: run for run in RUNS if run.seconds <= REACH_SECONDS * ratio}
    return list(fits.values()), [label for label in dict.fromkeys(_LABELS) if label not in fits]


def measure(bench: Bench, ratios: Sequence[int]) -> Iterator[Check]:
    """Watch what the kernel does on its own at each ratio.

    Raises:
        StageError: A probe failed or the guest ended.
    """
    bench.set_ratio(1)
    base_grace = _grace(bench)
    base_us: dict[str, float] = {}
    for ratio in ratios:
        bench.set_ratio(ratio)
        fits, left_out = runs_at(ratio)
        for run in fits:
            for check in _best(bench, run, ratio, base_us):
                if ratio == 1 and check.late_us is not None:
                    base_us[check.name] = check.late_us
                yield check
        yield from best(lambda: _judged_grace(bench, ratio, base_grace))  # noqa: B023
        if REACH_SECONDS * ratio >= UP_SECONDS + DOWN_SECONDS:
            yield from best(lambda: _pressure(bench, ratio))  # noqa: B023
        else:
            left_out.append("load and pressure")
        if left_out:
            yield Check(
                part=PART,
                name="left out",
                ratio=ratio,
                ok=True,
                note=f"takes too long: {'; '.join(left_out)}",
            )
    bench.set_ratio(1)


def _best(bench: Bench, run: Run, ratio: int, base_us: dict[str, float]) -> list[Check]:
    def one_round() -> Iterator[Judged]:
        records: list[dict[str, Any]] = bench.probe(run.probe, *run.arguments)
        missing = [record["missing"] for record in records if "missing" in record]
        if missing:
            note = f"left out: there is no {', '.join(missing)} in this root"
            yield Judged(check=Check(part=PART, name=run.label, ratio=ratio, ok=True, note=note))
            return
        yield from judge(
            records,
            ratio=ratio,
            tick_seconds=bench.tick_seconds,
            real_seconds=bench.real_seconds,
            base_us=base_us,
        )

    return best(one_round)


def _grace(bench: Bench) -> float:
    return grace_seconds(bench.probe("grace", GRACE_PERIODS), bench.real_seconds)


def _judged_grace(bench: Bench, ratio: int, base_seconds: float) -> Iterator[Judged]:
    seconds = _grace(bench)
    return judge_grace(seconds, base_seconds, ratio=ratio, tick_seconds=bench.tick_seconds)


def _pressure(bench: Bench, ratio: int) -> Iterator[Judged]:
    up_ns = round(max(UP_SECONDS, UP_REAL_SECONDS * ratio) * 1e9)
    records = bench.probe("pressure", HOGS, up_ns, round(DOWN_SECONDS * 1e9))
    return judge_pressure(
        records, ratio=ratio, tick_seconds=bench.tick_seconds, real_seconds=bench.real_seconds
    )

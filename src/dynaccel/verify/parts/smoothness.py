# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the clock moves without steps, forward or back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynaccel.verify.check import Check
from dynaccel.verify.rounds import Judged, best

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.verify.bench import Bench

PART = "clocks"
WINDOW_SECONDS = 0.2
STEP_REAL_SECONDS = 1e-6
"""Real time: no step that a program could make out beside the cost of a read."""
RATE_SLACK = 2e-6
"""How far the rate in one window may be from that in the next: NTP's dithering and the edges."""


def measure(bench: Bench, ratio: int) -> list[Check]:
    """Return whether MONOTONIC is smooth on each CPU and across all.

    Raises:
        StageError: The probe failed or the guest ended.
    """

    def one_round() -> Iterator[Judged]:
        records = bench.probe("smooth", bench.counts(WINDOW_SECONDS))
        return judge(records, ratio=ratio, counts_per_second=bench.counts_per_second)

    return best(one_round)


def judge(
    records: Sequence[dict[str, Any]], *, ratio: int, counts_per_second: float
) -> Iterator[Judged]:
    """Judge what the probe ``smooth`` told.

    Args:
        records: Its records.
        ratio: The ratio that was asked for.
        counts_per_second: Frequency of the counter.
    """
    for record in records:
        backward = record["backward"]
        if record["name"] == "together":
            yield Judged(
                check=Check(
                    part=PART,
                    name=f"monotonic across {record['cpus']} CPUs",
                    ratio=ratio,
                    ok=backward == 0,
                    note=_backward(record),
                ),
                final=backward > 0,
            )
            continue
        step_real = max(record["ahead_ns"], record["behind_ns"]) / 1e9 / ratio
        allowed = STEP_REAL_SECONDS + RATE_SLACK * record["gap_counts"] / counts_per_second
        ok = backward == 0 and step_real <= allowed
        yield Judged(
            check=Check(
                part=PART,
                name=f"smoothness of monotonic on CPU {record['cpu']}",
                ratio=ratio,
                ok=ok,
                note=_backward(record)
                or f"largest step that the counter does not explain: {step_real * 1e6:.3f} real us"
                + ("" if ok else "; look at the update of the timekeeper and the vDSO's data"),
            ),
            final=backward > 0,
        )


def _backward(record: dict[str, Any]) -> str:
    if not record["backward"]:
        return ""
    return (
        f"{record['backward']} of {record['reads']} reads went backward:"
        " look at the counters of the CPUs, then at the vDSO's data"
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the numbers of a series are, by the metric's name."""

from __future__ import annotations

BYTES = frozenset(
    [
        "memory_used",
        "memory_free",
        "memory_available",
        "memory_cached",
        "slab",
        "slab_unreclaimable",
        "kernel_stack",
        "page_tables",
        "swap_used",
        "rss",
        "pss",
        "anonymous",
        "virtual",
        "swap",
        "used",
        "free",
        "size",
        "disk_read_bytes",
        "disk_written_bytes",
    ]
)
SECONDS = frozenset({"cpu_seconds", "age_seconds", "offset_seconds"})
TOTALS = frozenset(
    [
        "context_switches",
        "forks",
        "cpu_seconds",
        "interrupts",
        "disk_read_bytes",
        "disk_written_bytes",
        "readings",
        "back_steps",
    ]
)


def unit_of(metric: str) -> str:
    """Return ``bytes``, ``seconds`` or ``count``.

    A metric that a user's own command prints has the unit that its name ends with.
    """
    if metric in BYTES or metric.endswith("_bytes"):
        return "bytes"
    if metric in SECONDS or metric.endswith("_seconds"):
        return "seconds"
    return "count"


def is_total(metric: str) -> bool:
    """Return whether the metric counts up from the boot, and is read best as a rate."""
    return metric in TOTALS or metric.endswith("_total")

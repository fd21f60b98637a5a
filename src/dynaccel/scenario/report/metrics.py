# SPDX-License-Identifier: GPL-2.0-or-later
"""What metrics are called, and which are worth a look first."""

from __future__ import annotations

TITLES = {
    # of the system
    "memory_used": "Memory used",
    "memory_available": "Memory available",
    "slab": "Kernel slab",
    "slab_unreclaimable": "Kernel slab that stays",
    "load_1": "Load",
    "processes": "Processes",
    "file_handles": "Open files",
    "sockets": "Sockets",
    "memory_free": "Memory free",
    "memory_cached": "Page cache",
    "swap_used": "Swap used",
    "kernel_stack": "Kernel stacks",
    "page_tables": "Page tables",
    "tcp_sockets": "TCP sockets",
    "tcp_time_wait": "TCP in TIME-WAIT",
    "disk_written_bytes": "Written to disk",
    "disk_read_bytes": "Read from disk",
    "context_switches": "Context switches",
    "forks": "Processes started",
    "interrupts": "Interrupts",
    # of processes
    "rss": "Resident memory",
    "pss": "Memory, its share of shared pages",
    "anonymous": "Anonymous memory",
    "swap": "Swapped out",
    "descriptors": "Open files and sockets",
    "threads": "Threads",
    "children": "Processes",
    "cpu_seconds": "CPU in use",
    "virtual": "Address space",
    "age_seconds": "Age",
    # of file systems and files
    "used": "Used",
    "free": "Free",
    "inodes_used": "Inodes used",
    "size": "Size",
    "count": "Files",
    # of clocks
    "back_steps": "Steps back",
    "readings": "Readings",
    "offset_seconds": "Date against uptime",
}
"""In the order in which charts of one sample stand."""

_FIRST = {
    "rss", "anonymous", "descriptors", "threads", "children", "cpu_seconds", "memory_used", "slab",
    "load_1", "processes", "file_handles", "sockets", "used", "inodes_used", "size", "count",
    "back_steps", "offset_seconds",
}  # fmt: skip
_ORDER = {metric: place for place, metric in enumerate(TITLES)}


def title(metric: str) -> str:
    """Return what a chart of the metric is called."""
    words = metric.replace("_", " ").removesuffix(" total")
    return TITLES.get(metric, words[:1].upper() + words[1:])


def place(metric: str) -> tuple[int, str]:
    """Return what metrics are sorted by; those that a user's own command prints come first."""
    return (_ORDER.get(metric, -1), metric)


def is_first(metric: str) -> bool:
    """Return whether a chart of the metric is shown without being asked for."""
    return metric in _FIRST or metric not in _ORDER

# SPDX-License-Identifier: GPL-2.0-or-later
"""What samples measure: the names of metrics, their units and what they mean."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dynaccel.scenario.model import SampleKind


class Unit(enum.StrEnum):
    """What a metric is counted in."""

    BYTES = "bytes"
    SECONDS = "seconds"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Metric:
    """A thing that is measured.

    Attributes:
        unit: What it is counted in.
        about: What it is.
    """

    unit: Unit
    about: str


def _bytes(about: str) -> Metric:
    return Metric(Unit.BYTES, about)


def _seconds(about: str) -> Metric:
    return Metric(Unit.SECONDS, about)


def _count(about: str) -> Metric:
    return Metric(Unit.COUNT, about)


METRICS: dict[SampleKind, dict[str, Metric]] = {
    SampleKind.SYSTEM: {
        "memory_used": _bytes("Memory that is in use and cannot be had back at once"),
        "memory_free": _bytes("Memory that nothing uses"),
        "memory_available": _bytes("Memory that a program could have without swapping"),
        "memory_cached": _bytes("Files' content in memory"),
        "slab": _bytes("The kernel's own objects"),
        "slab_unreclaimable": _bytes("Those of them that cannot be given back"),
        "kernel_stack": _bytes("Kernel stacks of all threads"),
        "page_tables": _bytes("Page tables"),
        "swap_used": _bytes("Swap in use"),
        "load_1": _count("Load average over a (virtual) minute"),
        "processes": _count("Processes"),
        "threads": _count("Threads"),
        "file_handles": _count("Open file handles"),
        "sockets": _count("Sockets"),
        "tcp_sockets": _count("TCP sockets in use"),
        "tcp_time_wait": _count("TCP sockets in TIME-WAIT"),
        "context_switches": _count("Context switches since boot"),
        "forks": _count("Processes and threads made since boot"),
        "cpu_seconds": _seconds("CPU time used by all, since boot"),
        "interrupts": _count("Interrupts since boot"),
        "disk_read_bytes": _bytes("Read from disks since boot"),
        "disk_written_bytes": _bytes("Written to disks since boot"),
    },
    SampleKind.PROCESS: {
        "rss": _bytes("Resident memory"),
        "pss": _bytes("Resident memory, shared pages by their share"),
        "anonymous": _bytes("Resident memory that is no file's: heap and stacks"),
        "virtual": _bytes("Address space"),
        "swap": _bytes("Swapped out"),
        "descriptors": _count("Open file descriptors"),
        "threads": _count("Threads"),
        "cpu_seconds": _seconds("CPU time used"),
        "children": _count("Processes of the job"),
        "age_seconds": _seconds("Time since it was started"),
    },
    SampleKind.DISK: {
        "used": _bytes("In use"),
        "free": _bytes("Free for all users"),
        "inodes_used": _count("Inodes in use"),
    },
    SampleKind.FILE: {
        "size": _bytes("Size of the file, or of all files in the directory"),
        "count": _count("Files in the directory; 1 for a file that is there"),
    },
    SampleKind.COMMAND: {},
    SampleKind.CLOCKS: {
        "back_steps": _count("How often a clock went back since the begin"),
        "readings": _count("Readings made since the begin"),
        "offset_seconds": _seconds("How far REALTIME has been moved against BOOTTIME"),
    },
}
"""By the kind of sample; a command's metrics have the names that it prints."""


def split_series(series: str) -> tuple[str, str, str] | None:
    """Return the sample, the subject (empty: none) and the metric of a series; None: it is none.

    A subject may have dots of its own (``logs./var/log/app.log.size``), the others have none.
    """
    sample, dot, rest = series.partition(".")
    subject, _, metric = rest.rpartition(".")
    return (sample, subject, metric) if dot and sample and metric else None

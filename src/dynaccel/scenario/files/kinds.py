# SPDX-License-Identifier: GPL-2.0-or-later
"""Which keys a job, a sample, a log, a fault or a check takes, by its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.scenario.model import CheckKind, FaultKind, JobKind, LogKind, SampleKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one kind, beside those that all kinds have.

    Attributes:
        needs: Groups of keys; exactly one of each group has to be there.
        takes: Keys that may be there.
        any_of: Keys at least one of which has to be there.
        about: What the kind is.
    """

    about: str
    needs: tuple[tuple[str, ...], ...] = ()
    takes: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def all(self) -> set[str]:
        """Return all keys that may be there."""
        return {key for group in self.needs for key in group} | {*self.takes, *self.any_of}


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of one sort of table.

    Attributes:
        common: What all kinds need and take.
        by_kind: What each does beside.
        needs_kind: Whether ``kind`` has to be said.
    """

    common: Keys
    by_kind: Mapping[StrEnum, Keys]
    needs_kind: bool = True

    def known(self, kind: StrEnum) -> set[str]:
        """Return all keys that a kind takes."""
        return {"kind"} | self.common.all() | self.by_kind[kind].all()

    def takers(self, key: str) -> list[str]:
        """Return the kinds that take a key which not all do."""
        return [kind.value for kind, keys in self.by_kind.items() if key in keys.all()]


_WINDOW = ("settle", "phase")

JOBS = Kinds(
    common=Keys(
        "", needs=(("command",),), takes=("environment", "directory", "user", "stop-signal")
    ),
    needs_kind=False,
    by_kind={
        JobKind.SETUP: Keys(
            "Before the first phase, at ratio 1, one after the other in the file's order; a failure"
            " ends the scenario.",
            takes=("timeout",),
        ),
        JobKind.SERVICE: Keys(
            "All the time; when it ends, `restart` says what is done.",
            takes=("after", "restart", "restart-delay"),
        ),
        JobKind.ONCE: Keys("Once, `after` the first phase has begun.", takes=("after", "timeout")),
        JobKind.REPEAT: Keys(
            "Again and again, by `every` or `cron`.",
            needs=(("every", "cron"),),
            takes=("after", "timeout"),
        ),
        JobKind.FINISH: Keys(
            "After the last phase, at ratio 1, one after the other, while the services still run.",
            takes=("timeout",),
        ),
    },
)

SAMPLES = Kinds(
    common=Keys("", takes=("every",)),
    by_kind={
        SampleKind.SYSTEM: Keys("Memory, load, processes, sockets and more of the whole guest."),
        SampleKind.PROCESS: Keys(
            "Memory, file descriptors, threads and CPU time of processes.",
            needs=(("job", "process"),),
            takes=("pss",),
        ),
        SampleKind.DISK: Keys("The room in file systems.", needs=(("paths",),)),
        SampleKind.FILE: Keys(
            "Sizes of files; of a directory, of all that is in it, and their number.",
            needs=(("paths",),),
        ),
        SampleKind.COMMAND: Keys(
            "What a command prints.", needs=(("command",),), takes=("timeout-real",)
        ),
        SampleKind.CLOCKS: Keys(
            "A burst of readings of all clocks and times(2): whether any goes back."
        ),
    },
)

LOGS = Kinds(
    common=Keys("", takes=("match", "limit")),
    by_kind={
        LogKind.KERNEL: Keys("What the kernel says (`/dev/kmsg`)."),
        LogKind.JOURNAL: Keys("The journal of systemd; with `system = true`."),
        LogKind.FILE: Keys("A file that grows.", needs=(("path",),)),
    },
)

FAULTS = Kinds(
    common=Keys("", needs=(("after", "at"),), takes=("every",)),
    by_kind={
        FaultKind.DATE_STEP: Keys("The guest's date jumps by `step`.", needs=(("step",),)),
        FaultKind.LEAP_SECOND: Keys(
            'A second is inserted (`step = "1s"`, the default) or left out (`"-1s"`) at the next'
            " midnight of UTC.",
            takes=("step",),
        ),
        FaultKind.MEMORY_PRESSURE: Keys(
            "So much memory is taken and held in use.", needs=(("size",), ("for",))
        ),
        FaultKind.DISK_FULL: Keys(
            "The file system of `path` is filled.", needs=(("for",),), takes=("path", "leave")
        ),
        FaultKind.KILL: Keys(
            "Processes get a signal.", needs=(("job", "process"),), takes=("signal",)
        ),
        FaultKind.NETWORK_CUT: Keys(
            "An interface goes down.", needs=(("for",),), takes=("interface",)
        ),
        FaultKind.PAUSE: Keys(
            "The whole guest stands still, its clocks too.", needs=(("for-real",),)
        ),
    },
)

CHECKS = Kinds(
    common=Keys(""),
    by_kind={
        CheckKind.FINISHED: Keys(
            "All phases came to their end within the budget, and the guest never panicked or got"
            " lost."
        ),
        CheckKind.EXIT_STATUS: Keys(
            "Each run of `job` (without it: of all jobs) ended with one of `statuses`.",
            takes=("job", "statuses", "phase"),
        ),
        CheckKind.RUNS: Keys(
            "`job` ran at least `share` of the times that its `every` or `cron` asks for.",
            needs=(("job",),),
            takes=("share", "phase"),
        ),
        CheckKind.RESTARTS: Keys(
            "The service `job` ended by itself at most `limit` times.",
            needs=(("job",),),
            takes=("limit", "phase"),
        ),
        CheckKind.LOG_ABSENT: Keys(
            "No line of `log` fits `pattern`.", needs=(("pattern",),), takes=("log", "phase")
        ),
        CheckKind.LOG_PRESENT: Keys(
            "At least `minimum` lines of `log` fit `pattern`.",
            needs=(("pattern",),),
            takes=("log", "minimum", "phase"),
        ),
        CheckKind.GROWTH: Keys(
            "`series` grows less than `limit`: a trend that stands out of the noise and is steeper"
            " fails, one that cannot be told from none passes.",
            needs=(("series",), ("limit",)),
            takes=("per", *_WINDOW),
        ),
        CheckKind.VALUE: Keys(
            "`series` stays within `minimum` and `limit`, or one of them.",
            needs=(("series",),),
            any_of=("minimum", "limit"),
            takes=_WINDOW,
        ),
        CheckKind.CLOCKS: Keys(
            "No clock ever goes back but by a fault that steps the date.", takes=("phase",)
        ),
        CheckKind.RATIO: Keys(
            "Virtual over real time is within `share` of the ratio in each phase of at least 10"
            " real seconds, but for ramps.",
            takes=("share", "phase"),
        ),
        CheckKind.KERNEL_LOG: Keys(
            "The kernel writes no warning, oops, lockup or stall.", takes=("phase",)
        ),
    },
)

KINDS: dict[str, Kinds] = {
    "job": JOBS, "sample": SAMPLES, "log": LOGS, "fault": FAULTS, "check": CHECKS,
}  # fmt: skip
"""By the name of the table."""

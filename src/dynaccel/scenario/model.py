# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario as a value: what a scenario file says, checked and complete.

All durations and dates are virtual, the guest's own, unless the name says ``real``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

_SLASH = PurePosixPath("/")


class RootKind(enum.StrEnum):
    """Where a guest's root file system comes from."""

    DEBIAN = "debian"
    """A disk image of a whole Debian, which the tool makes with the packages named."""
    IMAGE = "image"
    """A disk image of the user's."""
    DIRECTORY = "directory"
    """A directory of the host; such a guest cannot be checkpointed."""
    HOST = "host"
    """This machine's own root file system; likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The guest's root file system.

    Attributes:
        kind: Where it comes from.
        path: The image or directory; None for the others.
        suite: Debian's suite.
        packages: What it has beside the base system.
        size_bytes: The disk's size; only of Debian's.
        tune: Whether the settings of ``dynaccel tune`` are in it; only of Debian's.
    """

    kind: RootKind = RootKind.DEBIAN
    path: Path | None = None
    suite: str = "bookworm"
    packages: tuple[str, ...] = ()
    size_bytes: int = 4 << 30
    tune: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """A file or directory of the host that the guest finds at a place of its own, owned by root."""

    source: Path
    target: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The guest.

    Attributes:
        root: Its root file system.
        kernel: As ``dynaccel run --kernel`` takes it; None is the newest.
        accelerator: ``auto``, ``kvm`` or ``tcg``.
        cpus: Number of virtual CPUs.
        memory_bytes: Size of its memory.
        system: Whether the root's own process 1 is booted (systemd with its services).
        network: Whether it has QEMU's user network.
        vmcore: Whether its memory is kept when its kernel panics.
        uptime: How long it has been up as it boots, for counter wraps.
        append: More for its kernel's command line.
        files: What is copied into it.
    """

    root: Root = field(default_factory=Root)
    kernel: str | None = None
    accelerator: str = "auto"
    cpus: int = 2
    memory_bytes: int = 512 << 20
    system: bool = False
    network: bool = False
    vmcore: bool = False
    uptime: timedelta | None = None
    append: str = ""
    files: tuple[CopiedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the run at one ratio; exactly one of the four ends is given.

    Attributes:
        name: Unique.
        ratio: The ratio, 1 to 1000.
        ramp: Virtual time over which the ratio goes from the phase's before to this one, in steps
            of equal factors; None: at once. It counts as part of the phase.
        duration: The phase ends after it.
        until: The phase ends at this date of the guest.
        until_file: The phase ends when this file is there in the guest.
        until_job: The phase ends when this job has ended for good.
        limit: The scenario fails when a phase with ``until_file`` or ``until_job`` takes longer.
    """

    name: str
    ratio: int
    ramp: timedelta | None = None
    duration: timedelta | None = None
    until: datetime | None = None
    until_file: PurePosixPath | None = None
    until_job: str | None = None
    limit: timedelta | None = None


class JobKind(enum.StrEnum):
    """When a job runs."""

    SETUP = "setup"
    """Before the first phase, at ratio 1, one after the other; a failure ends the scenario."""
    SERVICE = "service"
    """All the time; when it ends, ``restart`` says what is done."""
    ONCE = "once"
    """Once, ``after`` the first phase has begun."""
    REPEAT = "repeat"
    """By ``every`` or ``cron``; a run that is due while the last one goes on is skipped."""
    FINISH = "finish"
    """After the last phase, at ratio 1, one after the other, while the services still run."""


class Restart(enum.StrEnum):
    """Whether a service that ended is started again, as systemd has the words."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command in the guest.

    Attributes:
        name: Unique among jobs.
        kind: When it runs.
        command: Program and arguments; a string in the file stands for ``/bin/sh -c STRING``.
        environment: Variables beside PATH, HOME, LANG=C.UTF-8.
        directory: Its working directory.
        user: Name or number of the guest's user that runs it.
        after: Virtual time from the begin of the first phase to its (first) start.
        every: Virtual time from one start to the next, of a ``repeat``.
        cron: The same as five fields of cron(8), in the guest's UTC.
        restart: Of a service.
        restart_delay: Virtual time from its end to the restart.
        timeout: Virtual time after which a run is ended and counts as failed.
        stop_signal: Number of the signal that ends it; SIGKILL follows 10 real seconds later.
    """

    name: str
    kind: JobKind
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    directory: PurePosixPath = _SLASH
    user: str = "root"
    after: timedelta = timedelta(0)
    every: timedelta | None = None
    cron: str | None = None
    restart: Restart = Restart.NO
    restart_delay: timedelta = timedelta(seconds=1)
    timeout: timedelta | None = None
    stop_signal: int = 15


class SampleKind(enum.StrEnum):
    """What is measured."""

    SYSTEM = "system"
    """/proc/meminfo, loadavg, slab, context switches, processes, sockets, file handles."""
    PROCESS = "process"
    """Memory, file descriptors, threads and CPU time of processes."""
    DISK = "disk"
    """Bytes and inodes used of the file systems at ``paths``."""
    FILE = "file"
    """Sizes of the files at ``paths``; of a directory, of all that is in it, and their number."""
    COMMAND = "command"
    """What a command prints: lines of ``NAME NUMBER``."""
    CLOCKS = "clocks"
    """A burst of readings of all clocks and times(2): whether any goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measurement that is taken again and again.

    Attributes:
        name: Unique among samples.
        kind: What is measured.
        every: Virtual time from one to the next.
        job: Whose processes (with all their children); of ``process``.
        process: The name (``comm``) of processes instead of a job; of ``process``.
        paths: Of ``disk`` and ``file``.
        command: Of ``command``.
        timeout_real: Real time that a command may take.
        pss: Whether memory shared with others is measured, too; of ``process``, and costly.
    """

    name: str
    kind: SampleKind
    every: timedelta
    job: str | None = None
    process: str | None = None
    paths: tuple[PurePosixPath, ...] = ()
    command: tuple[str, ...] = ()
    timeout_real: timedelta = timedelta(seconds=30)
    pss: bool = False


class LogKind(enum.StrEnum):
    """Where lines come from. The output of jobs is always recorded, under the job's name."""

    KERNEL = "kernel"
    """/dev/kmsg"""
    JOURNAL = "journal"
    """``journalctl --follow``"""
    FILE = "file"
    """A file that grows, also across rotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Lines that are recorded as they are written.

    Attributes:
        name: Unique among logs and jobs.
        kind: Where they come from.
        path: Of ``file``.
        match: Only lines with this regular expression (POSIX extended) are kept; empty: all.
        limit_bytes: Of the recording; beyond it the oldest lines of the middle are dropped, the
            first and the newest kept, and the number dropped told.
    """

    name: str
    kind: LogKind
    path: PurePosixPath | None = None
    match: str = ""
    limit_bytes: int = 4 << 20


class FaultKind(enum.StrEnum):
    """What goes wrong on purpose."""

    DATE_STEP = "date-step"
    """REALTIME jumps by ``step``."""
    LEAP_SECOND = "leap-second"
    """A second is inserted (``step`` 1 s) or left out (-1 s) at the next UTC midnight."""
    MEMORY_PRESSURE = "memory-pressure"
    """``size_bytes`` of memory are taken and held in use for ``duration``."""
    DISK_FULL = "disk-full"
    """The file system of ``path`` is filled up to ``size_bytes`` free for ``duration``."""
    KILL = "kill"
    """``signal`` to a job's processes, or to all with the name ``process``."""
    NETWORK_CUT = "network-cut"
    """The interface goes down for ``duration``."""
    PAUSE = "pause"
    """The whole guest stands still for ``duration_real``; its clocks too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong on purpose.

    Attributes:
        name: Unique among faults.
        kind: What.
        after: Virtual time from the begin of the first phase; or
        at: a date of the guest.
        every: Again each such virtual time; None: once.
        step, duration, duration_real, size_bytes, path, signal, job, process, interface: See
            :class:`FaultKind`.
    """

    name: str
    kind: FaultKind
    after: timedelta | None = None
    at: datetime | None = None
    every: timedelta | None = None
    step: timedelta = timedelta(0)
    duration: timedelta = timedelta(0)
    duration_real: timedelta = timedelta(0)
    size_bytes: int = 0
    path: PurePosixPath = _SLASH
    signal: int = 9
    job: str | None = None
    process: str | None = None
    interface: str = "eth0"


class CheckKind(enum.StrEnum):
    """What must hold."""

    FINISHED = "finished"
    """All phases came to their end within the budget, and the guest never panicked or got lost."""
    EXIT_STATUS = "exit-status"
    """Each run of ``job`` (of all jobs, when none is named) ended with one of ``statuses``."""
    RUNS = "runs"
    """``job`` ran at least ``share`` of the times that its ``every`` or ``cron`` asks for."""
    RESTARTS = "restarts"
    """The service ``job`` ended by itself at most ``limit`` times."""
    LOG_ABSENT = "log-absent"
    """No line of ``log`` (all when none is named) matches ``pattern`` (Python's re)."""
    LOG_PRESENT = "log-present"
    """At least ``minimum`` lines of ``log`` match ``pattern``."""
    GROWTH = "growth"
    """``series`` grows less than ``limit`` per ``per``: a trend that stands out of the noise and is
    steeper fails, one that cannot be told from none passes."""
    VALUE = "value"
    """``series`` stays within ``minimum`` and ``limit``."""
    CLOCKS = "clocks"
    """No clock ever goes back but by a fault that steps the date."""
    RATIO = "ratio"
    """Virtual over real time is within ``share`` of the ratio in each phase of at least 10 real
    seconds, but for ramps."""
    KERNEL_LOG = "kernel-log"
    """The kernel writes no warning, oops, lockup or stall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that must hold.

    Attributes:
        name: Unique among checks.
        kind: What.
        job: A job's name.
        log: A log's or a job's name.
        pattern: Regular expression of Python's re.
        statuses: Exit statuses that are right; a death by signal N counts as 128 + N.
        series: ``SAMPLE.METRIC`` or ``SAMPLE.SUBJECT.METRIC`` (docs/scenarios.md lists metrics);
            ``*`` as the subject stands for each.
        limit: Upper bound; bytes, seconds or a plain number, as the series has it.
        minimum: Lower bound.
        share: A share, such as 0.01.
        per: The virtual time that ``limit`` of a growth refers to.
        settle: Virtual time at the start that a growth or value leaves out.
        phase: Only this phase is looked at; None: all.
    """

    name: str
    kind: CheckKind
    job: str | None = None
    log: str | None = None
    pattern: str = ""
    statuses: tuple[int, ...] = (0,)
    series: str = ""
    limit: float | None = None
    minimum: float | None = None
    share: float = 0.01
    per: timedelta = timedelta(days=30)
    settle: timedelta = timedelta(0)
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """How often the whole guest is saved.

    Attributes:
        every_real: Real time from one to the next; None: never (also when the root allows none).
        keep: How many are kept.
    """

    every_real: timedelta | None = timedelta(minutes=10)
    keep: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario.

    Attributes:
        name: Lower-case words with hyphens.
        description: One line or more.
        start: The guest's date as the first phase begins; None: now.
        budget_real: Real time after which the run is ended, and has failed.
        machine: The guest.
        checkpoints: How often it is saved.
        phases: In order; at least one.
        jobs: What runs in it.
        samples: What is measured.
        logs: What is recorded as it is written.
        faults: What goes wrong.
        checks: What must hold.
        text: The file's own text, kept with the recording.
    """

    name: str
    description: str = ""
    start: datetime | None = None
    budget_real: timedelta | None = None
    machine: Machine = field(default_factory=Machine)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    phases: tuple[Phase, ...] = ()
    jobs: tuple[Job, ...] = ()
    samples: tuple[Sample, ...] = ()
    logs: tuple[Log, ...] = ()
    faults: tuple[Fault, ...] = ()
    checks: tuple[Check, ...] = ()
    text: str = ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""The shape of a scenario file: its tables and their keys, with defaults as one would write them.

All keys may be left out here; :mod:`dynaccel.scenario.files.kinds` says which are needed when.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from dynaccel.scenario.files import values  # noqa: TC001  (pydantic reads the annotations)
from dynaccel.scenario.files.findings import did_you_mean
from dynaccel.scenario.model import CheckKind, FaultKind, JobKind, LogKind, Restart, SampleKind
from dynaccel.vm.accelerator import AcceleratorChoice

E = TypeVar("E", JobKind, SampleKind, LogKind, FaultKind, CheckKind, Restart, AcceleratorChoice)

CPUS_MAX = 64


def _one_of(kind: type[E]) -> Any:
    """Return what pydantic needs to know of words from an enumeration."""
    words = [one.value for one in kind]

    def read(value: Any) -> E:
        if value not in words:
            raise ValueError(f"{value!r} is not known here; {did_you_mean(str(value), words)}")
        return kind(value)

    return PlainValidator(read)


def _choice(kind: type[E]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [one.value for one in kind], "title": "word"})


def _key_name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _cpus(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= CPUS_MAX:
        raise ValueError(f"{value!r} is not a number of CPUs: write one from 1 to {CPUS_MAX}")
    return value


_CPUS_SCHEMA = {"type": "integer", "minimum": 1, "maximum": CPUS_MAX, "title": "number"}
Cpus = Annotated[int, PlainValidator(_cpus), WithJsonSchema(_CPUS_SCHEMA)]


class Table(BaseModel):
    """A table of a scenario file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, alias_generator=_key_name
    )


def _key(about: str, default: Any = None, *, example: str | None = None) -> Any:
    """Return a key's description.

    Args:
        about: What it means.
        default: As it would stand in a file, read when a file is read; None: it is just not there.
        example: As it would stand in a file, in TOML.
    """
    return Field(
        default,
        description=about,
        validate_default=default is not None,
        json_schema_extra={"x-toml": example} if example else None,
    )


class MachineTable(Table):
    """The guest."""

    root: values.Word = _key(
        'Its root file system: `"debian"`, a disk image of a whole Debian which the tool makes;'
        ' `"host"`, this machine\'s own; or the path of a disk image or directory. What is written'
        " to it is thrown away in the end. Only images can be checkpointed.",
        "debian",
        example='root = "images/web.qcow2"',
    )
    suite: values.Word = _key("Debian's suite, of `debian`.", "bookworm")
    packages: values.Words = _key(
        "Debian packages that it has beside the base system, of `debian`.",
        [],
        example='packages = ["nginx", "openssl"]',
    )
    disk: values.Size = _key("Size of its disk, of `debian`.", "4G")
    tune: values.Flag = _key(
        "Whether the settings of `dynaccel tune` are in it, of `debian`.", default=True
    )
    system: values.Flag = _key(
        "Whether the root's own process 1 is booted, with its services (systemd). Without it the"
        " scenario's jobs are all that runs.",
        default=False,
    )
    kernel: values.Word | None = _key(
        "The kernel, as `dynaccel run --kernel` takes it. Without it: the newest.",
        example='kernel = "3f9a"',
    )
    accelerator: Annotated[
        AcceleratorChoice, _one_of(AcceleratorChoice), _choice(AcceleratorChoice)
    ] = _key("What QEMU runs it with.", "auto")
    cpus: Cpus = _key("Number of its CPUs.", 2)
    memory: values.Size = _key("Its memory.", "512M")
    network: values.Flag = _key("Whether it has a way out to the network (`eth0`).", default=False)
    vmcore: values.Flag = _key(
        "Whether its memory is kept, for crash(8), when its kernel panics.", default=False
    )
    uptime: values.Duration | None = _key(
        "How long it has been up as it boots, for counters that wrap.", example='uptime = "497d"'
    )
    append: values.Text = _key(
        "More for its kernel's command line.", "", example='append = "systemd.service_watchdogs=no"'
    )
    files: values.Files = _key(
        "Files and directories of this machine that it finds at places of its own, owned by root:"
        " its path on the left; on the right this machine's, from where the scenario file is.",
        {},
        example='files = { "/opt/probe.pl" = "probe.pl" }',
    )


class CheckpointsTable(Table):
    """How often the whole guest is saved, so that `resume` has something to go on from."""

    every_real: values.DurationOrNever = _key(
        'Real time from one to the next; `"never"`, also where the root allows none.', "10m"
    )
    keep: values.Count = _key("How many are kept.", 2)


class PhaseTable(Table):
    """A part of the run at one ratio. It has one end: `for`, `until`, `until-file`, `until-job`."""

    name: values.Word | None = _key(
        "What reports call it. Without it: `phase-1`, `phase-2` ...", example='name = "roll-over"'
    )
    ratio: values.Ratio | None = _key(
        "How many times faster time flows, 1 to 1000.", example="ratio = 500"
    )
    ramp: values.Duration | None = _key(
        "The ratio goes there from the phase's before in steps of equal factor, over this time,"
        " which is part of the phase. Without it: at once.",
        example='ramp = "1h"',
    )
    for_: values.Duration | None = _key("It ends after this time.", example='for = "30d"')
    until: values.Date | None = _key(
        "It ends at this date of the guest.", example="until = 2038-01-19T03:14:00Z"
    )
    until_file: values.GuestPath | None = _key(
        "It ends when this file is there in the guest.", example='until-file = "/run/ready"'
    )
    until_job: values.Word | None = _key(
        "It ends when this job has ended for good.", example='until-job = "load"'
    )
    limit: values.Duration | None = _key(
        "The scenario fails when a phase with `until-file` or `until-job` takes longer.",
        example='limit = "1d"',
    )


class JobTable(Table):
    """A command in the guest."""

    kind: Annotated[JobKind | None, _one_of(JobKind), _choice(JobKind)] = _key(
        "When it runs, see below. Without it: `repeat` when there is `every` or `cron`, else"
        " `service`.",
        example='kind = "once"',
    )
    command: values.Command | None = _key(
        "A program and its arguments; or a line for `/bin/sh -c`. A service stays in the"
        " foreground; in a line, `exec` saves a process.",
        example='command = ["/usr/sbin/nginx", "-g", "daemon off;"]',
    )
    environment: values.Variables = _key(
        "Variables beside PATH, HOME and LANG=C.UTF-8.",
        {},
        example='environment = { TZ = "Europe/Berlin" }',
    )
    directory: values.GuestPath = _key("Its working directory.", "/")
    user: values.Word = _key("The guest's user that runs it, by name or number.", "root")
    after: values.Duration | None = _key(
        "Time from the begin of the first phase to its (first) start. Without it: at the begin.",
        example='after = "10m"',
    )
    every: values.Duration | None = _key(
        "Time from one start to the next. A run that is due while the last one goes on is skipped.",
        example='every = "1h"',
    )
    cron: values.Word | None = _key(
        "The same by the guest's date in UTC, in the five fields of crontab(5).",
        example='cron = "30 3 * * *"',
    )
    restart: Annotated[Restart, _one_of(Restart), _choice(Restart)] = _key(
        "Whether a service that ended is started again.", "no"
    )
    restart_delay: values.Duration = _key("Time from its end to the restart.", "1s")
    timeout: values.Duration | None = _key(
        "A run that takes longer is ended, and has failed.", example='timeout = "2h"'
    )
    stop_signal: values.Signal = _key(
        "The signal that ends it; SIGKILL follows 10 real seconds later.", "SIGTERM"
    )


class SampleTable(Table):
    """A measurement that is taken again and again."""

    kind: Annotated[SampleKind | None, _one_of(SampleKind), _choice(SampleKind)] = _key(
        "What is measured, see below.", example='kind = "process"'
    )
    every: values.Duration | None = _key(
        "Time from one to the next. Without it: `sample-every`.", example='every = "1h"'
    )
    job: values.Word | None = _key(
        "The job whose processes, with all their children, are measured.", example='job = "nginx"'
    )
    process: values.Word | None = _key(
        "Instead of a job: the name of processes, as `ps -o comm` shows it.",
        example='process = "cron"',
    )
    pss: values.Flag = _key(
        "Whether memory shared with others is measured, too, by its share; that is costly.",
        default=False,
    )
    paths: values.GuestPaths | None = _key(
        "The file systems, files or directories that are measured.",
        example='paths = ["/var/log", "/var/lib"]',
    )
    command: values.Command | None = _key(
        "What prints the measurements, lines of `NAME NUMBER`.",
        example='command = "echo queue $(ls /var/spool/q | wc -l)"',
    )
    timeout_real: values.Duration = _key("Real time that the command may take.", "30s")


class LogTable(Table):
    """Lines that are recorded as they are written. What jobs write is recorded anyway."""

    kind: Annotated[LogKind | None, _one_of(LogKind), _choice(LogKind)] = _key(
        "Where they come from, see below.", example='kind = "file"'
    )
    path: values.GuestPath | None = _key(
        "The file; it is followed when it is rotated.", example='path = "/var/log/syslog"'
    )
    match: values.PosixPattern = _key(
        "Only lines that this fits are kept. Without it: all.", "", example="match = 'error|crit'"
    )
    limit: values.Size = _key(
        "Size in the recording; beyond it the first and the newest lines are kept.", "4M"
    )


class FaultTable(Table):
    """Something that goes wrong on purpose: once, `after` a time or `at` a date, or again each."""

    kind: Annotated[FaultKind | None, _one_of(FaultKind), _choice(FaultKind)] = _key(
        "What goes wrong, see below.", example='kind = "date-step"'
    )
    after: values.Duration | None = _key(
        "Time from the begin of the first phase.", example='after = "10d"'
    )
    at: values.Date | None = _key("A date of the guest.", example="at = 2030-06-30T12:00:00Z")
    every: values.Duration | None = _key(
        "Again each such time. Without it: once.", example='every = "7d"'
    )
    step: values.SignedDuration | None = _key(
        'How far the date jumps, back with a minus; of a leap second, `"1s"` or `"-1s"`.',
        example='step = "-1h"',
    )
    for_: values.Duration | None = _key("How long it lasts.", example='for = "10m"')
    for_real: values.Duration | None = _key(
        "How long the whole guest stands still, in real time.", example='for-real = "30s"'
    )
    size: values.Size | None = _key("The memory that is taken.", example='size = "256M"')
    leave: values.Size | None = _key(
        "What is left free on the disk. Without it: nothing.", example='leave = "1M"'
    )
    path: values.GuestPath = _key("A path on the file system that is filled.", "/")
    signal: values.Signal = _key("The signal that is sent.", "SIGKILL")
    job: values.Word | None = _key(
        "The job whose processes get the signal.", example='job = "nginx"'
    )
    process: values.Word | None = _key(
        "Instead of a job: the name of the processes.", example='process = "cron"'
    )
    interface: values.Word = _key("The interface that goes down.", "eth0")


class CheckTable(Table):
    """Something that must hold."""

    kind: Annotated[CheckKind | None, _one_of(CheckKind), _choice(CheckKind)] = _key(
        "What must hold, see below.", example='kind = "growth"'
    )
    job: values.Word | None = _key(
        "The job; of `exit-status`, without it all.", example='job = "backup"'
    )
    log: values.Word | None = _key(
        "A log, or a job for its output. Without it: all.", example='log = "syslog"'
    )
    pattern: values.Pattern | None = _key(
        "What lines are searched for.", example="pattern = 'out of memory'"
    )
    statuses: values.Statuses = _key(
        "The exit statuses that are right; a death by signal N counts as 128 + N.", 0
    )
    series: values.Word | None = _key(
        "What was measured: `SAMPLE.METRIC`, or `SAMPLE.SUBJECT.METRIC` for one of several"
        " processes or paths.",
        example='series = "nginx.rss"',
    )
    limit: values.Bound | None = _key(
        "The upper bound: a number, a size or a duration, as the metric asks for; of `growth` per"
        " time; of `restarts`, without it 0.",
        example='limit = "1M per 30d"',
    )
    per: values.Duration = _key(
        "The time that the limit of a `growth` refers to, when it does not say itself.", "30d"
    )
    minimum: values.Bound | None = _key(
        "The lower bound; of `log-present` the number of lines, without it 1.",
        example="minimum = 10",
    )
    share: values.Share | None = _key(
        'Of `ratio`, how far it may be off, without it `"1%"`; of `runs`, how many of the runs must'
        ' have come about, without it `"99%"`.',
        example='share = "2%"',
    )
    settle: values.Duration | None = _key(
        "Time at the start that is left out. Without it: none.", example='settle = "1d"'
    )
    phase: values.Word | None = _key(
        "Only this phase is looked at. Without it: all.", example='phase = "roll-over"'
    )


class ScenarioTable(Table):
    """A scenario. Durations and dates are virtual, the guest's own, but for keys with `real`."""

    name: values.Word | None = _key(
        "Its name: lower-case words with hyphens.", example='name = "nginx-year"'
    )
    description: values.Text = _key(
        "What it is for; the first line is shown in lists.", "", example='description = "..."'
    )
    start: values.Start = _key(
        "The guest's date as it boots, and again as the first phase begins;"
        ' `"now"`: this machine\'s.',
        "now",
        example="start = 2026-01-01",
    )
    budget_real: values.Duration | None = _key(
        "Real time after which the run is ended, and has failed. Without it: none.",
        example='budget-real = "6h"',
    )
    default_samples: values.Flag = _key(
        "Whether the default samples are taken, see below.", default=True
    )
    default_checks: values.Flag = _key(
        "Whether the default checks are made, see below.", default=True
    )
    sample_every: values.Duration = _key(
        "Time from one sample to the next, of samples that do not say.", "10m"
    )
    machine: MachineTable = Field(default_factory=MachineTable, description="The guest.")
    checkpoints: CheckpointsTable = Field(
        default_factory=CheckpointsTable, description="How often the whole guest is saved."
    )
    phase: tuple[PhaseTable, ...] = Field(
        (), description="The parts of the run, in order; at least one."
    )
    job: dict[str, JobTable] = Field({}, description="What runs in the guest, by name.")
    sample: dict[str, SampleTable] = Field({}, description="What is measured, by name.")
    log: dict[str, LogTable] = Field({}, description="Logs that are recorded, by name.")
    fault: dict[str, FaultTable] = Field({}, description="What goes wrong on purpose, by name.")
    check: dict[str, CheckTable] = Field({}, description="What must hold, by name.")


NAMED: dict[str, type[Table]] = {
    "job": JobTable,
    "sample": SampleTable,
    "log": LogTable,
    "fault": FaultTable,
    "check": CheckTable,
}
"""The tables of tables by name."""

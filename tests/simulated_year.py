# SPDX-License-Identifier: GPL-2.0-or-later
"""A run that never was: a server's year, written by the recorder, for the report to show.

Two services (one leaks), cron's jobs, logs, faults, and an attempt that was killed on the way. The
numbers come from a generator with a fixed seed: the same year each time.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from dynaccel.recording.records import NS, Stamp
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.model import (
    Check,
    CheckKind,
    Fault,
    FaultKind,
    Job,
    JobKind,
    Log,
    LogKind,
    Machine,
    Phase,
    Restart,
    Root,
    Sample,
    SampleKind,
    Scenario,
)
from dynaccel.scenario.verdict import watches

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_NS = 3600 * NS
MIB = 1 << 20
HOSTILE = "</script><img src=x onerror=alert(1)> & \"quoted\" \x1b[31mred\x07 'too'"
META = {
    "kernel": "6.1.174-dynaccel (6.1.174-x86_64-3fc09a61)",
    "accelerator": "tcg",
    "cpus": "2",
    "host": "AMD EPYC, 2 CPUs",
    "qemu": "QEMU emulator version 7.2.22",
    "dynaccel": "0.1.0",
}
TEXT = """\
#:schema https://example.org/scenario.schema.json
name = "mail-year"
description = "A mail server's year: cron, log rotation, a leap second, and a helper that leaks"
start = 2026-01-01T00:00:00Z
budget = "12h"

[machine]
root = "debian"
packages = ["postfix", "cron", "logrotate"]
system = true

[[phase]]
name = "settle"
ratio = 10
for = "2h"

[[phase]]
name = "year"
ratio = 1000
ramp = "1h"
for = "363d"

[[phase]]
name = "last-day"
ratio = 200
for = "1d"

[check.no-leak]
kind = "growth"
series = "helper.rss"
limit = "1MiB per 30d"
"""


def scenario() -> Scenario:
    """Return the scenario of the year."""
    every = timedelta(hours=1)
    return Scenario(
        name="mail-year",
        description="A mail server's year: cron, log rotation, a leap second,"
        " and a helper that leaks.",
        start=START,
        budget_real=timedelta(hours=12),
        machine=Machine(root=Root(packages=("postfix", "cron", "logrotate")), system=True, cpus=2),
        phases=(
            Phase(name="settle", ratio=10, duration=timedelta(hours=2)),
            Phase(name="year", ratio=1000, ramp=timedelta(hours=1), duration=timedelta(days=363)),
            Phase(name="last-day", ratio=200, duration=timedelta(days=1)),
        ),
        jobs=(
            Job(name="prepare", kind=JobKind.SETUP, command=("/bin/sh", "-c", "useradd mail1")),
            Job(
                name="postfix",
                kind=JobKind.SERVICE,
                command=("postfix", "start-fg"),
                restart=Restart.ON_FAILURE,
            ),
            Job(name="helper", kind=JobKind.SERVICE, command=("/opt/helper", "--queue", "/var/q")),
            Job(
                name="send",
                kind=JobKind.REPEAT,
                command=("/bin/sh", "-c", "echo hello | sendmail mail1"),
                every=every,
            ),
            Job(
                name="logrotate",
                kind=JobKind.REPEAT,
                command=("logrotate", "/etc/logrotate.conf"),
                cron="0 0 * * *",
            ),
        ),
        samples=(
            Sample(name="system", kind=SampleKind.SYSTEM, every=every),
            Sample(name="helper", kind=SampleKind.PROCESS, every=every, job="helper"),
            Sample(name="postfix", kind=SampleKind.PROCESS, every=every, job="postfix"),
            Sample(name="disk", kind=SampleKind.DISK, every=every, paths=(PurePosixPath("/"),)),
            Sample(
                name="queue", kind=SampleKind.COMMAND, every=every, command=("/opt/queue-length",)
            ),
        ),
        logs=(
            Log(name="kernel", kind=LogKind.KERNEL),
            Log(name="journal", kind=LogKind.JOURNAL),
        ),
        faults=(
            Fault(name="kill-postfix", kind=FaultKind.KILL, every=timedelta(days=60)),
            Fault(name="leap", kind=FaultKind.LEAP_SECOND, step=timedelta(seconds=1)),
            Fault(name="pressure", kind=FaultKind.MEMORY_PRESSURE, size_bytes=200 * MIB),
        ),
        checks=(
            Check(name="finished", kind=CheckKind.FINISHED),
            Check(name="exit-status", kind=CheckKind.EXIT_STATUS, job="send"),
            Check(
                name="no-leak",
                kind=CheckKind.GROWTH,
                series="helper.rss",
                limit=float(MIB),
                settle=timedelta(days=2),
            ),
            Check(name="disk", kind=CheckKind.VALUE, series="disk.used", limit=float(3 << 30)),
            Check(
                name="files",
                kind=CheckKind.GROWTH,
                series="postfix.descriptors",
                limit=5.0,
            ),
            Check(name="no-fatal", kind=CheckKind.LOG_ABSENT, log="journal", pattern="fatal|panic"),
            Check(name="clocks", kind=CheckKind.CLOCKS),
            Check(name="ratio", kind=CheckKind.RATIO),
            Check(name="kernel-log", kind=CheckKind.KERNEL_LOG),
        ),
        text=TEXT,
    )


@dataclass
class Year:
    """Writes the year, hour by hour.

    Attributes:
        writer: The recording.
        days: How many of its days are written.
        chance: Where all that varies comes from.
        real: Real time so far.
        ratio: The ratio.
    """

    writer: RecordingWriter
    days: int
    chance: random.Random = field(default_factory=lambda: random.Random(20260101))  # noqa: S311
    real: float = 0.0
    ratio: int = 10
    virtual: int = 0
    postfix: int = 812
    restarts: int = 0
    forks: int = 3000

    def stamp(self, ahead_ns: int = 0) -> Stamp:
        """Return a moment, so long after the hour's begin."""
        virtual = self.virtual + ahead_ns
        epoch = round(START.timestamp()) * NS
        return Stamp(virtual, epoch + virtual, round(self.real + ahead_ns / self.ratio))

    def write(self) -> None:
        """Write all of it; the attempt that was killed comes back to its last checkpoint."""
        writer = self.writer
        before = Stamp(-20 * NS, round(START.timestamp()) * NS - 20 * NS, -20 * NS)
        writer.add_job(before, job="prepare", run=1, state="started", pid=300)
        writer.add_log(before, "prepare", "out", ["mail1: made"])
        writer.add_job(
            Stamp(-18 * NS, before.realtime_ns + 2 * NS, -18 * NS),
            job="prepare", run=1, state="ended", status=0, runtime_ns=2 * NS,
        )  # fmt: skip
        writer.add_phase_begin(self.stamp(), index=0, name="settle", ratio=10)
        writer.add_job(self.stamp(), job="postfix", run=1, state="started", pid=812)
        writer.add_job(self.stamp(), job="helper", run=1, state="started", pid=815)
        killed = False
        hours = self.days * 24
        hour = 0
        saved: tuple[int, float, int, object, int, int] | None = None
        while hour < hours:
            self._phases(hour, hours)
            self._hour(hour)
            if hour and hour % 504 == 0:
                writer.mark_checkpoint(
                    self.stamp(), f"c{hour}", seq=hour, size=900 * MIB, seconds_stopped=1.4
                )
                saved = (
                    hour, self.real, self.virtual, self.chance.getstate(), self.postfix, self.forks
                )  # fmt: skip
            if not killed and saved is not None and hour == int(hours * 0.617):
                killed = True
                writer.flush()
                writer.rewind(f"c{saved[0]}", why="QEMU was killed (SIGKILL)")
                hour, self.real, self.virtual, state, self.postfix, self.forks = saved
                self.chance.setstate(state)  # type: ignore[arg-type]
                self.ratio = 1000
            hour += 1
            noise = 1 + 0.004 * self.chance.random() ** 6
            self.virtual += HOUR_NS
            self.real += HOUR_NS / self.ratio * noise
            writer.add_clock(self.stamp(), self.ratio)
        writer.add_phase_end(self.stamp(), index=2, ended_by="time")

    def end(self) -> None:
        """Say that the run came to its end, and that the services were told to end."""
        run = 1 + sum(hour % 1440 == 700 for hour in range(self.days * 24))
        for job, number in (("postfix", run), ("helper", 1)):
            self.writer.add_job(self.stamp(), job=job, run=number, state="stopped", status=0)
        self.writer.end_attempt("finished")

    def _phases(self, hour: int, hours: int) -> None:
        writer, stamp = self.writer, self.stamp()
        last = hours - 24
        begins = {2: (1, "year", 1000), last: (2, "last-day", 200)}
        if hour in begins:
            index, name, ratio = begins[hour]
            writer.add_phase_end(stamp, index=index - 1, ended_by="time")
            writer.add_phase_begin(stamp, index=index, name=name, ratio=ratio)
            writer.add_ratio_change(stamp, before=self.ratio, after=ratio, why="phase")
            self.ratio = ratio
        writer.add_clock(stamp, self.ratio)

    def _hour(self, hour: int) -> None:
        chance, writer = self.chance, self.writer
        day, of_day = divmod(hour, 24)
        busy = 1 + 0.6 * math.sin((of_day - 8) / 24 * math.tau) + 0.15 * chance.random()
        self._faults(hour)
        self.forks += round(180 * busy) + 40
        helper = 14.2 * MIB + 46e3 * day + chance.gauss(0, 90e3) + (hour % 9) * 60e3
        sawtooth = 31 * MIB + (hour % 37) / 37 * 6 * MIB + chance.gauss(0, 150e3)
        writer.add_sample(
            self.stamp(), "system", "system",
            {
                "memory_used": 171 * MIB + busy * 9 * MIB + 46e3 * day + chance.gauss(0, 7e5),
                "memory_free": 210 * MIB - busy * 11 * MIB - 46e3 * day,
                "memory_available": 318 * MIB - busy * 9 * MIB - 46e3 * day,
                "memory_cached": 96 * MIB + (hour % 168) * 9e4,
                "slab": 21 * MIB + 1.2 * MIB * math.log1p(hour) + chance.gauss(0, 8e4),
                "load_1": max(0.0, 0.21 * busy + chance.gauss(0, 0.05)),
                "processes": 74 + round(6 * busy) + chance.randint(0, 3),
                "file_handles": 1180 + round(90 * busy) + chance.randint(-12, 12),
                "sockets": 142 + round(20 * busy),
                "context_switches": 90_000 + hour * 7400 + of_day * 120,
                "forks": self.forks,
                "disk_written_bytes": 3e8 + hour * 6.5e6 + of_day * 2e5,
            },
        )  # fmt: skip
        writer.add_sample(
            self.stamp(), "helper", "helper[815]",
            {"rss": helper, "descriptors": 11 + hour % 2, "threads": 3,
             "cpu_seconds": hour * 2.4 + busy, "children": 1},
        )  # fmt: skip
        for name, size, offset in (("master", 0.18, 0), ("qmgr", 0.12, 4)):
            writer.add_sample(
                self.stamp(), "postfix", f"{name}[{self.postfix + offset}]",
                {"rss": sawtooth * size * (1 + 0.02 * busy),
                 "descriptors": 96 + offset + chance.randint(0, 4), "threads": 1,
                 "cpu_seconds": (hour % 1440) * 0.4},
            )  # fmt: skip
        if hour % 50 == 7:
            pid = 20_000 + hour
            writer.add_sample(
                self.stamp(), "postfix", f"smtpd[{pid}]",
                {"rss": 5.1 * MIB, "descriptors": 40, "threads": 1, "cpu_seconds": 0.02},
            )  # fmt: skip
        writer.add_sample(
            self.stamp(), "disk", "/",
            {"used": 1.21e9 + (hour % 168) * 1.1e6 + day * 4e5,
             "inodes_used": 48_120 + day * 2 + hour % 168},
        )  # fmt: skip
        queue = max(0, round(3 * busy + chance.gauss(0, 1)) + (140 if hour % 1440 == 3 else 0))
        writer.add_sample(self.stamp(), "queue", "/opt/queue-length", {"waiting_mails": queue})
        self._jobs(hour)

    def _jobs(self, hour: int) -> None:
        chance, writer = self.chance, self.writer
        run = hour + 1
        took = round((2.1 + 8 * chance.random() ** 4) * 60 * NS)
        writer.add_job(self.stamp(), job="send", run=run, state="started", pid=9000 + hour)
        if hour % 2100 == 1333:
            writer.add_log(
                self.stamp(took), "send", "err",
                ["sendmail: fatal: chdir /var/spool/postfix: No space left on device"],
            )  # fmt: skip
            writer.add_job(
                self.stamp(took), job="send", run=run, state="ended", status=75, runtime_ns=took
            )
        else:
            writer.add_job(
                self.stamp(took), job="send", run=run, state="ended", status=0, runtime_ns=took
            )
        ident = f"{hour:06X}"
        writer.add_log(
            self.stamp(took), "journal", "line",
            [f"postfix/qmgr[{self.postfix + 4}]: {ident}: from=<root@mail>, size=312, nrcpt=1",
             f"postfix/local[{9100 + hour}]: {ident}: to=<mail1@mail>, relay=local, status=sent",
             f"postfix/qmgr[{self.postfix + 4}]: {ident}: removed"],
        )  # fmt: skip
        if hour == 3:
            writer.add_log(self.stamp(took), "journal", "line", [HOSTILE, "x" * 9000])
        if hour % 24 == 0:
            stamp = self.stamp(took + NS)
            day = hour // 24 + 1
            writer.add_job(stamp, job="logrotate", run=day, state="started", pid=7000 + day)
            writer.add_job(
                self.stamp(took + 40 * NS), job="logrotate", run=day, state="ended", status=0,
                runtime_ns=39 * NS,
            )  # fmt: skip
            writer.add_log(stamp, "journal", "line", ["systemd[1]: logrotate.service: Succeeded."])

    def _faults(self, hour: int) -> None:
        writer = self.writer
        if hour == 0:
            for second, line in enumerate(
                ("6: Linux version 6.1.174-dynaccel", "6: tsc: Detected 2596.102 MHz processor",
                 "6: EXT4-fs (vda): mounted filesystem with ordered data mode.")
            ):  # fmt: skip
                writer.add_log(self.stamp(second * NS), "kernel", "line", [line])
        if hour % 1440 == 700:
            stamp = self.stamp(10 * NS)
            writer.add_event(
                stamp, "fault", "kill-postfix", "SIGKILL to 3 processes", {"state": "begun"}
            )
            run = hour // 1440 + 1
            writer.add_job(
                stamp, job="postfix", run=run, state="ended", signal=9, runtime_ns=700 * HOUR_NS
            )
            writer.add_log(
                stamp, "journal", "line", [f"postfix/master[{self.postfix}]: fatal: killed"]
            )
            writer.add_job(stamp, job="postfix", run=run, state="restarting")
            self.postfix += 1311
            later = self.stamp(12 * NS)
            writer.add_job(later, job="postfix", run=run + 1, state="started", pid=self.postfix)
        if hour == 24 * 181:
            writer.add_event(
                self.stamp(), "fault", "leap", "a second is inserted", {"state": "begun"}
            )
        if hour % 2000 == 1500:
            writer.add_event(self.stamp(), "fault", "pressure", "200 MiB taken", {"state": "begun"})
        if hour % 2000 == 1590:
            writer.add_event(self.stamp(), "fault", "pressure", "given back", {"state": "ended"})


def record(path: Path, *, days: int = 365, ended: bool = True) -> None:
    """Write a recording of so many days (3 at least); one that has not ended goes on."""
    looked_for = watches(scenario())
    with RecordingWriter.create(path, META, budget=2000, watches=looked_for) as writer:
        year = Year(writer=writer, days=days)
        year.write()
        if ended:
            year.end()

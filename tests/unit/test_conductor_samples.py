# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's samples, against what Python reads of the same things."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from conductor_lab import (
    Conductor,
    Lab,
    conductor_program,
    lab,
    phase,
    scenario,
    seconds,
    shell,
)

from dynaccel.scenario.conductor import orders
from dynaccel.scenario.conductor.reports import ClockReport, LogReport, SampleReport
from dynaccel.scenario.model import Job, JobKind, Sample, SampleKind

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)
MEMORY = """
import sys, time
data = bytearray(64 << 20)
data[::4096] = b"x" * len(data[::4096])
files = [open("/dev/null") for _ in range(20)]
print("ready", flush=True)
time.sleep(1000)
"""


def sample(kind: SampleKind, every: float = 0.2, **more: object) -> Sample:
    return Sample(name="it", kind=kind, every=seconds(every), **more)  # type: ignore[arg-type]


def after(conductor: Conductor, subject: str, count: int = 1) -> dict[str, float]:
    """Values that are taken after this moment."""
    have = len(conductor.values("it", subject))
    # One may be on its way already.
    conductor.wait_for(lambda: len(conductor.values("it", subject)) > have + count)
    return conductor.values("it", subject)[-1]


def meminfo() -> dict[str, int]:
    pairs = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {pair[0].rstrip(":"): int(pair[1]) * 1024 for pair in pairs}


def test_the_system_is_as_proc_says(lab: Lab) -> None:
    conductor = lab.start()
    before = [int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines()
              if line.startswith(("ctxt", "processes"))]  # fmt: skip
    conductor.begin(scenario(phase(duration=FOREVER), samples=(sample(SampleKind.SYSTEM, 0.1),)))
    values = after(conductor, "system")
    now = [int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines()
           if line.startswith(("ctxt", "processes"))]  # fmt: skip
    memory = meminfo()
    near = 0.5 * memory["MemTotal"]
    assert values["memory_available"] == pytest.approx(memory["MemAvailable"], abs=near)
    assert values["memory_used"] + values["memory_available"] == memory["MemTotal"]
    assert values["slab_unreclaimable"] <= values["slab"] <= memory["MemTotal"]
    assert before[0] <= values["context_switches"] <= now[0]
    assert before[1] <= values["forks"] <= now[1]
    assert values["processes"] >= 2
    assert values["threads"] >= 2
    assert set(values) == {
        "memory_used", "memory_free", "memory_available", "memory_cached", "slab",
        "slab_unreclaimable", "kernel_stack", "page_tables", "swap_used", "load_1", "processes",
        "threads", "file_handles", "sockets", "tcp_sockets", "tcp_time_wait", "context_switches",
        "forks", "interrupts", "cpu_seconds", "disk_read_bytes", "disk_written_bytes",
    }  # fmt: skip
    later = after(conductor, "system", 5)
    for total in ("context_switches", "forks", "interrupts", "cpu_seconds", "disk_written_bytes"):
        assert later[total] >= values[total]


def test_a_process_is_as_proc_says(lab: Lab) -> None:
    job = Job(name="big", kind=JobKind.SERVICE, command=("/usr/bin/env", "python3", "-c", MEMORY))
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            jobs=(job,),
            samples=(sample(SampleKind.PROCESS, job="big", pss=True),),
        )
    )
    conductor.wait_for(lambda: bool(conductor.lines("big")))
    total = after(conductor, "big")
    [pid] = [
        name.partition("[")[2].rstrip("]")
        for name in {report.subject for report in conductor.find(SampleReport)}
        if name.startswith("python3[")
    ]
    one = conductor.values("it", f"python3[{pid}]")[-1]
    rollup = Path("/proc", pid, "smaps_rollup").read_text()
    rss = int(rollup.split("Rss:")[1].split()[0]) * 1024
    assert one["rss"] == pytest.approx(rss, rel=0.02)
    assert 64 << 20 <= one["anonymous"] <= one["rss"] <= one["virtual"]
    assert one["pss"] <= one["rss"]
    assert one["descriptors"] == len(list(Path("/proc", pid, "fd").iterdir()))
    assert one["threads"] == 1
    assert one["age_seconds"] > 0
    assert total["children"] == 1
    assert total["rss"] == pytest.approx(one["rss"], rel=0.02)


def test_children_are_found_and_forgotten(lab: Lab) -> None:
    script = "sleep 1000 & sleep 1000 & first=$!; (sleep 1000 & wait) & sleep 2; kill $first; wait"
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            jobs=(shell("family", script, JobKind.SERVICE),),
            samples=(sample(SampleKind.PROCESS, job="family"),),
        )
    )
    conductor.wait_for(
        lambda: any(value["children"] >= 6 for value in conductor.values("it", "family"))
    )
    before = len(conductor.values("it", "family"))
    conductor.wait_for(
        lambda: any(value["children"] == 4 for value in conductor.values("it", "family")[before:])
    )
    assert "pss" not in conductor.values("it", "family")[-1]


def test_processes_are_found_by_name(lab: Lab, tmp_path: Path) -> None:
    odd = tmp_path / "odd) (name"
    odd.symlink_to("/bin/sleep")
    job = Job(name="job", kind=JobKind.SERVICE, command=(str(odd), "1000"))
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            jobs=(job,),
            samples=(sample(SampleKind.PROCESS, process="odd) (name"),),
        )
    )
    conductor.wait_for(
        lambda: any(value["children"] == 1 for value in conductor.values("it", "odd) (name"))
    )
    subjects = {report.subject for report in conductor.find(SampleReport)}
    [single] = subjects - {"odd) (name"}
    assert single.startswith("odd) (name[")


def test_a_job_that_does_not_run_has_no_children_and_nothing_else(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase(duration=seconds(0.3)),
            jobs=(shell("late", ":", after=FOREVER),),
            samples=(sample(SampleKind.PROCESS, 0.1, job="late"),),
        )
    )
    assert conductor.values("it", "late")[0] == {"children": 0}


def test_a_job_that_is_not_there_is_told(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase(duration=seconds(0.1)), samples=(sample(SampleKind.PROCESS, 0.1, job="nobody"),)
        )
    )
    assert conductor.errors() == ["the sample it: there is no job nobody"]


def test_disks_are_as_statvfs_says(lab: Lab) -> None:
    conductor = lab.run(
        scenario(
            phase(duration=seconds(0.3)),
            samples=(
                sample(
                    SampleKind.DISK,
                    0.1,
                    paths=(PurePosixPath("/dev/shm"), PurePosixPath("/none")),  # noqa: S108
                ),
            ),
        )
    )
    disk = os.statvfs("/dev/shm")  # noqa: S108
    value = conductor.values("it", "/dev/shm")[0]  # noqa: S108
    size = disk.f_blocks * disk.f_frsize
    assert value["used"] + value["free"] == pytest.approx(size, rel=0.1)
    assert value["inodes_used"] == pytest.approx(disk.f_files - disk.f_ffree, abs=1000)
    # Once, however often it was looked for.
    assert conductor.errors() == ["the sample it: cannot look at /none: No such file or directory"]


def test_files_and_directories_are_counted(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "two").write_bytes(b"x" * 200)
    (tmp_path / "a" / "b" / "three").write_bytes(b"x" * 30)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    paths = tuple(PurePosixPath(tmp_path / name) for name in (".", "one", "none"))
    conductor = lab.start()
    conductor.begin(
        scenario(phase(duration=FOREVER), samples=(sample(SampleKind.FILE, paths=paths),))
    )
    whole = after(conductor, str(paths[0]), 0)
    link = len(str(tmp_path))
    assert whole == {"size": 1230 + link, "count": 4}
    assert conductor.values("it", str(paths[1]))[0] == {"size": 1000, "count": 1}
    assert conductor.values("it", str(paths[2]))[0] == {"size": 0, "count": 0}


def test_a_command_gives_numbers(lab: Lab) -> None:
    script = "echo 'a 1'; echo; echo 'two words -2.5e-3'; echo 'big 12345678901234'; echo oh >&2"
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            samples=(sample(SampleKind.COMMAND, command=("sh", "-c", script)),),
        )
    )
    values = after(conductor, "it", 2)
    assert values == {"a": 1, "two words": -0.0025, "big": 12345678901234}
    conductor.wait_for(lambda: bool(conductor.lines("it")))
    assert conductor.find(LogReport)[0].lines[0].stream == "err"
    assert set(conductor.lines("it")) == {"oh"}
    assert conductor.errors() == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "the command ended with status 3"),
        ("kill -9 $$", "the command was ended by signal 9"),
        (":", "the command printed nothing"),
        ("echo nonsense", "the command printed no NAME NUMBER: nonsense"),
        ("echo a nan", "the command printed no NAME NUMBER: a nan"),
        ("sleep 1000", "the command did not end within 100 ms"),
    ],
)
def test_a_command_that_gives_none_is_told_once(lab: Lab, script: str, message: str) -> None:
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            samples=(
                sample(
                    SampleKind.COMMAND, 0.1, command=("sh", "-c", script), timeout_real=seconds(0.1)
                )
                if "within" in message
                else sample(SampleKind.COMMAND, 0.1, command=("sh", "-c", script)),
                Sample(name="clock", kind=SampleKind.SYSTEM, every=seconds(0.1)),
            ),
        )
    )
    conductor.wait_for(lambda: bool(conductor.errors()))
    seen = len(conductor.values("clock", "system"))
    conductor.wait_for(lambda: len(conductor.values("clock", "system")) > seen + 5)
    conductor.tell(orders.end())
    conductor.finish()
    assert conductor.errors() == [f"the sample it: {message}"]
    assert conductor.find(SampleReport, name="it") == []


def test_no_clock_of_this_machine_goes_back(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), samples=(sample(SampleKind.CLOCKS, 0.05),)))
    values = after(conductor, "clocks", 5)
    cpus = min(len(os.sched_getaffinity(0)), 8)
    assert values["readings"] % (9 * 32 * cpus) == 0
    assert values["readings"] >= 6 * 9 * 32 * cpus
    assert values["back_steps"] == 0
    assert conductor.find(ClockReport, clock="monotonic") == []


def test_samples_come_at_their_own_times(lab: Lab) -> None:
    conductor = lab.run(
        scenario(phase(duration=seconds(1)), samples=(sample(SampleKind.SYSTEM, 0.1),))
    )
    stamps = [report.virtual_ns for report in conductor.find(SampleReport)]
    turns = [stamp // 100_000_000 for stamp in stamps]
    assert stamps[0] < 10**9
    assert turns == sorted(set(turns))  # never two for one time, however late

# SPDX-License-Identifier: GPL-2.0-or-later
"""The conductor's faults, as far as this machine may have them; the date's are in tests/qemu."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from conductor_lab import (
    Conductor,
    Lab,
    conductor_program,
    is_running,
    lab,
    phase,
    scenario,
    seconds,
    shell,
)

from dynaccel.scenario.conductor import orders
from dynaccel.scenario.conductor.reports import FaultReport, JobReport
from dynaccel.scenario.model import Fault, FaultKind, JobKind, Restart

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)
MIB = 1 << 20


def fault(kind: FaultKind, after: float = 0, **more: object) -> Fault:
    return Fault(name="it", kind=kind, after=seconds(after), **more)  # type: ignore[arg-type]


def states(conductor: Conductor) -> list[str]:
    return [report.state.value for report in conductor.find(FaultReport)]


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in found.split()]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(argv, check=False).returncode:
        pytest.skip("a file system of its own can be mounted by root alone")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def free_bytes(place: Path) -> int:
    disk = os.statvfs(place)
    return disk.f_bfree * disk.f_frsize


def test_memory_is_taken_and_given_back(lab: Lab) -> None:
    conductor = lab.start()
    pressure = fault(FaultKind.MEMORY_PRESSURE, size_bytes=64 * MIB, duration=FOREVER)
    conductor.begin(scenario(phase(duration=FOREVER), faults=(pressure,)))
    conductor.wait_for_any(FaultReport, state="begun")
    [holder] = children(conductor.child.pid)
    status = Path(f"/proc/{holder}/status").read_text()
    assert int(status.split("RssAnon:")[1].split()[0]) >= 64 << 10
    conductor.tell(orders.end())
    conductor.finish()
    assert states(conductor) == ["begun", "ended"]
    assert not is_running(holder)


def test_what_lasts_ends_after_its_time_and_comes_again(lab: Lab) -> None:
    pressure = fault(
        FaultKind.MEMORY_PRESSURE, 0.1, size_bytes=MIB, duration=seconds(0.05), every=seconds(0.5)
    )
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER), faults=(pressure,)))
    conductor.wait_for(lambda: states(conductor).count("ended") >= 3)
    assert states(conductor)[:6] == ["begun", "ended"] * 3
    for begun, ended in zip(
        conductor.find(FaultReport, state="begun"),
        conductor.find(FaultReport, state="ended"),
        strict=False,
    ):
        assert ended.virtual_ns - begun.virtual_ns >= 50_000_000


def test_memory_that_cannot_be_had_is_told(lab: Lab) -> None:
    pressure = fault(FaultKind.MEMORY_PRESSURE, size_bytes=1 << 60, duration=seconds(1))
    conductor = lab.run(scenario(phase(duration=seconds(1)), faults=(pressure,)))
    assert states(conductor) == ["failed"]
    assert "cannot take" in (conductor.one(FaultReport).message or "")


def test_a_disk_is_filled_and_freed(lab: Lab, disk: Path) -> None:
    conductor = lab.start()
    full = fault(
        FaultKind.DISK_FULL, size_bytes=MIB, path=PurePosixPath(disk), duration=seconds(0.2)
    )
    conductor.begin(scenario(phase(duration=FOREVER), faults=(full,)))
    begun = conductor.wait_for_any(FaultReport, state="begun")
    assert begun.message == f"{MIB} bytes are free"
    conductor.wait_for_any(FaultReport, state="ended")
    assert list(disk.iterdir()) == []
    assert free_bytes(disk) == 16 * MIB


@pytest.mark.parametrize("how", ["end", "eof", "kill"])
def test_a_full_disk_is_freed_however_the_conductor_ends(lab: Lab, disk: Path, how: str) -> None:
    conductor = lab.start()
    full = fault(FaultKind.DISK_FULL, path=PurePosixPath(disk), duration=FOREVER)
    conductor.begin(scenario(phase(duration=FOREVER), faults=(full,)))
    conductor.wait_for_any(FaultReport, state="begun")
    [holder] = children(conductor.child.pid)
    assert free_bytes(disk) < MIB
    if how == "end":
        conductor.tell(orders.end())
    elif how == "eof":
        conductor.leave()
    else:
        conductor.child.send_signal(signal.SIGKILL)
    conductor.child.wait(60)
    while is_running(holder):
        os.sched_yield()
    assert list(disk.iterdir()) == []


def test_a_disk_is_mended_before_the_finish_jobs(lab: Lab, disk: Path) -> None:
    full = fault(FaultKind.DISK_FULL, path=PurePosixPath(disk), duration=FOREVER)
    conductor = lab.start()
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            faults=(full,),
            jobs=(shell("look", f"ls -A {disk} | wc -l", JobKind.FINISH),),
        )
    )
    conductor.wait_for_any(FaultReport, state="begun")
    conductor.tell(orders.end())
    conductor.finish()
    assert conductor.lines("look") == ["0"]


def test_a_disk_that_is_not_there_is_told(lab: Lab) -> None:
    full = fault(FaultKind.DISK_FULL, path=PurePosixPath("/nonesuch"), duration=seconds(1))
    conductor = lab.run(scenario(phase(duration=seconds(0.5)), faults=(full,)))
    assert conductor.one(FaultReport).message == (
        "cannot make /nonesuch/.dynaccel-full: No such file or directory"
    )


def test_a_job_is_killed_and_started_again(lab: Lab) -> None:
    conductor = lab.start()
    service = shell(
        "service", "echo up; exec sleep 1000", JobKind.SERVICE, restart=Restart.ON_FAILURE,
        restart_delay=seconds(0),
    )  # fmt: skip
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            jobs=(service,),
            faults=(fault(FaultKind.KILL, 0.5, job="service", signal=11),),
        )
    )
    conductor.wait_for_any(JobReport, name="service", run=2, state="started")
    assert conductor.find(JobReport, name="service", run=1, state="ended")[0].signal == 11
    assert conductor.find(FaultReport)[0].message == "signal 11 to 1 process"
    assert states(conductor) == ["begun", "ended"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"process": "nobody-at-all"}, "there is no such process"),
        ({"job": "late"}, "there is no such process"),
        ({"job": "nobody"}, "there is no such job"),
    ],
)
def test_nobody_to_kill_is_told(lab: Lab, more: dict[str, Any], message: str) -> None:
    conductor = lab.run(
        scenario(
            phase(duration=seconds(0.5)),
            jobs=(shell("late", ":", after=FOREVER),),
            faults=(fault(FaultKind.KILL, **more),),
        )
    )
    assert conductor.one(FaultReport).message == message
    assert states(conductor) == ["failed"]


def test_a_pause_is_the_hosts(lab: Lab) -> None:
    conductor = lab.run(
        scenario(phase(duration=seconds(0.5)), faults=(fault(FaultKind.PAUSE, 0.1),))
    )
    assert states(conductor) == ["wanted"]
    assert conductor.one(FaultReport).virtual_ns >= 100_000_000


@pytest.mark.parametrize("kind", [FaultKind.DATE_STEP, FaultKind.LEAP_SECOND])
def test_a_clock_that_is_not_ours_is_left_alone(lab: Lab, kind: FaultKind) -> None:
    conductor = lab.run(
        scenario(phase(duration=seconds(0.5)), faults=(fault(kind, step=seconds(1)),))
    )
    assert states(conductor) == ["failed"]
    assert "Operation not permitted" in (conductor.one(FaultReport).message or "")


NETWORK = """
ip link add net1 type bridge && ip address add 192.0.2.1/24 dev net1 &&
ip address add 2001:db8::1/64 dev net1 nodad && ip link set net1 up &&
ip route add default via 192.0.2.254 metric 50 && ip route add 198.51.100.0/24 dev net1 &&
exec "$@"
"""
SHOW = "ip -o address show dev net1 scope global | tr -s ' ' | cut -d' ' -f3,4; ip route"


def test_a_cut_network_comes_back_with_its_routes(lab: Lab) -> None:
    probe = ["unshare", "--net", "ip", "link", "add", "net1", "type", "bridge"]
    if not shutil.which("ip") or subprocess.run(probe, check=False, stderr=-3).returncode:
        pytest.skip("no network of its own can be made here (root, iproute2, bridge)")
    wrapper = ("unshare", "--net", "sh", "-c", NETWORK, "sh")
    conductor = lab.start(wrapper=wrapper)
    cut = fault(FaultKind.NETWORK_CUT, 1, interface="net1", duration=seconds(1.5))
    conductor.begin(
        scenario(
            phase(duration=FOREVER),
            jobs=(
                shell("before", SHOW, JobKind.SETUP),
                shell("meanwhile", SHOW, after=seconds(1.75)),
                shell("last", SHOW, JobKind.FINISH),
            ),
            faults=(cut,),
        )
    )
    conductor.wait_for(lambda: "ended" in states(conductor) or "failed" in states(conductor))
    conductor.wait_for_any(JobReport, name="meanwhile", state="ended")
    conductor.tell(orders.end())
    conductor.finish()
    assert states(conductor) == ["begun", "ended"]
    before = conductor.lines("before")
    assert len(before) == 5
    assert sorted(conductor.lines("last")) == sorted(before)


def test_an_interface_that_is_not_there_is_told(lab: Lab) -> None:
    cut = fault(FaultKind.NETWORK_CUT, interface="none7", duration=seconds(1))
    conductor = lab.run(scenario(phase(duration=seconds(0.5)), faults=(cut,)))
    assert conductor.one(FaultReport).message == "cannot take none7 down: No such device"

# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian that lives on accelerated time: with what "dynaccel tune" sets, and without.

How much a guest computes in a virtual hour depends on how busy this machine is: on a busy one jobs
are late, or merged. So the guest goes on until enough of each has been done, which takes a night or
two more there; no service may have died by then, and nothing may have been done too often.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from debian_boot import boot, system_with_kernel

if TYPE_CHECKING:
    from pathlib import Path

    from debian_boot import Boot

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

SERVICES = ("systemd-journald", "systemd-udevd", "systemd-logind", "dbus", "cron")
AT_BOOT, LIVE, FAST = 200, 50, 1000
SLOW_MINUTES = 150
DAY_SECONDS = 86400
LIMIT_SECONDS = 1500
"""Real time; two minutes are enough on a machine that does nothing else."""
START = 1893538200
"""2030-01-01 22:50:00: when the guest's RTC begins."""

ENOUGH = {"hourly": 8, "active": 4, "cron-hourly": 8, "cron-daily": 2}
"""Runs that are waited for."""
EVERY_SECONDS = {"hourly": 3600, "active": 10800, "cron-hourly": 3600, "cron-daily": DAY_SECONDS}
NIGHTS = 2

TIMERS = {"hourly": "OnCalendar=hourly", "active": "OnActiveSec=30min\nOnUnitActiveSec=3h"}
FILES = {
    "etc/sysctl.d/70-test.conf": f"kernel.accel = {AT_BOOT}\n",
    "etc/cron.d/test": (
        "0 * * * * root date +\\%s | tee -a /var/log/rotated >>/var/log/cron-hourly\n"
        "30 0 * * * root date +\\%s >>/var/log/cron-daily\n"
    ),
    "etc/logrotate.d/test": "/var/log/rotated {\n\tdaily\n\trotate 9\n\tdateext\n}\n",
    # Debian's own state is empty: a file that logrotate has never seen is not rotated at first.
    "var/lib/logrotate/status": (
        'logrotate state -- version 2\n"/var/log/rotated" 2030-1-1-12:0:0\n'
    ),
    **{
        f"etc/systemd/system/{name}.timer": f"[Timer]\n{when}\n[Install]\nWantedBy=timers.target\n"
        for name, when in TIMERS.items()
    },
    **{
        f"etc/systemd/system/{name}.service": (
            f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'date +%%s >>/var/log/{name}'\n"
        )
        for name in TIMERS
    },
    # A watchdog that nobody has heard of, and a service that does not feed it in time.
    "etc/systemd/system/watched.service": (
        "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=5min\n"
        "ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'\n"
    ),
}
ASK = f"""
until [ "$(cat /proc/sys/kernel/accel)" = {AT_BOOT} ]; do sleep 10; done
say() {{ echo "$@"; }}
pids() {{ for unit in {" ".join(SERVICES)}; do
    say "$1" $unit $(systemctl show --value -p MainPID -p NRestarts -p ActiveState $unit); done; }}
set_ratio() {{ sysctl --quiet --write kernel.accel=$1; }}
say boot_ratio $(cat /proc/sys/kernel/accel)
say initrd $(ls /run/initramfs >/dev/null 2>&1 && echo used)
set_ratio 1
say state_at_boot $(systemctl is-system-running --wait)
say time_synchronisation $(systemctl is-active systemd-timesyncd)
pids pid_before
systemctl start watched hourly.timer active.timer
set_ratio {AT_BOOT}
sleep {SLOW_MINUTES}m
say live $(sysctl --write kernel.accel={LIVE}) $(cat /proc/sys/kernel/accel)
set_ratio {FAST}
lines() {{ cat /var/log/$1 2>/dev/null | wc -l; }}
until {" && ".join(f"[ $(lines {name}) -ge {count} ]" for name, count in ENOUGH.items())} &&
    [ $(ls -d /var/log/rotated-* 2>/dev/null | wc -l) -ge {NIGHTS} ]; do sleep 1h; done
set_ratio 1
sleep 2
say state_at_end $(systemctl is-system-running)
say failed $(systemctl --failed --no-legend --plain | wc -l)
pids pid_after
say watched $(systemctl show --value -p ActiveState watched)
for name in {" ".join(ENOUGH)}; do say runs $name $(lines $name); done
say rotations $(cd /var/log; ls rotated-* | sort)
say suspicious $(journalctl -b -o cat _PID=1 | grep -ciE 'timed out|watchdog|too quickly')
say end $(date +%s)
set_ratio {FAST}
# Process 1 may be slow to answer; see docs/tuning.md.
until systemctl poweroff; do sleep 10m; done
"""


@pytest.fixture(scope="module")
def root(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return system_with_kernel(kernel, tmp_path_factory.mktemp("system"))


@pytest.fixture(scope="module")
def untuned(kernel: Kernel, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """What comes of a boot at 1000 in a system that is as Debian made it."""
    return boot(
        kernel, root, tmp_path_factory.mktemp("untuned"),
        ask=ASK, files={**FILES, "etc/sysctl.d/70-test.conf": f"kernel.accel = {FAST}\n"},
        limit_seconds=LIMIT_SECONDS, until="Failed to start",
    )  # fmt: skip


@pytest.fixture(scope="module")
def tuned(
    kernel: Kernel, root: Path, untuned: Boot, tmp_path_factory: pytest.TempPathFactory
) -> Boot:
    """What comes of a boot and some nights in a system with the package dynaccel-tune."""
    del untuned  # It needs the system as it was.
    package = make_package(tmp_path_factory.mktemp("package"))
    (root / package.name).write_bytes(package.read_bytes())
    done = subprocess.run(
        ["chroot", root, "dpkg", "--install", f"/{package.name}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return boot(
        kernel, root, tmp_path_factory.mktemp("tuned"),
        ask=ASK, files=FILES, limit_seconds=LIMIT_SECONDS,
    )  # fmt: skip


def make_package(directory: Path) -> Path:
    words = ["-q", "tune", "--package", "deb", "--output", str(directory)]
    made = subprocess.run(
        [sys.executable, "-m", "dynaccel.cli.main", *words], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (package,) = directory.glob("*.deb")
    return package


def test_untuned_it_does_not_get_through_the_boot(untuned: Boot) -> None:
    assert "Failed to start" in untuned.console, untuned
    assert "end" not in untuned.answers, untuned


def test_tuned_it_boots_from_its_initrd_and_takes_the_ratio_of_sysctl_d(tuned: Boot) -> None:
    assert tuned.one("boot_ratio") == str(AT_BOOT)
    assert tuned.one("initrd") == "used"
    assert tuned.one("state_at_boot") == "running"


def test_the_ratio_changes_while_it_runs(tuned: Boot) -> None:
    assert tuned.one("live") == f"kernel.accel = {LIVE} {LIVE}"


def test_nothing_breaks(tuned: Boot) -> None:
    assert tuned.ended, tuned
    assert tuned.one("state_at_end") == "running", tuned
    assert tuned.one("failed") == "0", tuned
    assert tuned.one("suspicious") == "0", tuned
    assert tuned.one("watched") == "active", tuned


def test_it_goes_down_in_order_at_1000(tuned: Boot) -> None:
    _, began, shutdown = tuned.console.partition("systemd-shutdown[1]: ")
    assert began, tuned
    assert "Powering off" in shutdown, shutdown
    assert "timed out" not in shutdown, shutdown


def test_the_services_are_the_same_processes_as_before(tuned: Boot) -> None:
    before = tuned.answers["pid_before"]
    assert len(before) == len(SERVICES)
    assert tuned.answers["pid_after"] == before
    for line in before:
        _, pid, restarts, state = line.split()
        assert (int(pid) > 1, restarts, state) == (True, "0", "active"), line


def test_cron_and_timers_do_what_is_due_and_no_more(tuned: Boot) -> None:
    runs = {name: int(count) for name, count in map(str.split, tuned.answers["runs"])}
    seconds = int(tuned.one("end")) - START
    for name, every in EVERY_SECONDS.items():
        assert ENOUGH[name] <= runs[name] <= seconds / every + 1, (runs, seconds)


def test_logs_are_rotated_once_a_night(tuned: Boot) -> None:
    names = tuned.one("rotations").split()
    nights = midnights(int(tuned.one("end")))
    assert NIGHTS <= len(names) <= len(nights), names
    assert set(names) <= {f"rotated-{night}" for night in nights}, names


def midnights(end: int) -> list[str]:
    first = START - START % DAY_SECONDS + DAY_SECONDS
    days = range(first, end + 1, DAY_SECONDS)
    return [datetime.fromtimestamp(day, UTC).strftime("%Y%m%d") for day in days]


def test_nobody_pulls_the_clock_back(tuned: Boot) -> None:
    assert tuned.one("time_synchronisation") == "inactive"
    assert int(tuned.one("end")) >= START + (NIGHTS - 1) * DAY_SECONDS

# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks after suspend-to-idle, at every ratio.

In a guest of "dynaccel run" nothing is left after a suspend: Linux cannot suspend the virtio
transport of 9p, which its root file system is on. So this is a bare guest with a script. The power
button wakes it. There is no USB disk: QEMU's xHCI forgets its state, and Linux takes the disk for
another one, at ratio 1 too.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from bare_guest import argv, initramfs
from device_case import COMPLAINT
from qemu.qmp.legacy import QEMUMonitorProtocol

from dynaccel.host.probes import probe

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

RATIOS = (1, 200, 1000)
MEBIBYTES = 2
LIMIT_SECONDS = 400.0
PRESS_SECONDS = 3.0
"""Real time between two presses of the power button; the first comes that long after the script
goes to sleep, which takes a moment."""

DISKS = {
    "nvme0n1": "-device nvme,drive={0},serial={0}",
    "sda": "-device ide-hd,bus=ide.0,drive={0}",
    "vda": "-device virtio-blk-pci,drive={0}",
}

SCRIPT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc; $b mount -t sysfs none /sys; $b mkdir /m
$b mkdir -p /dev; $b mount -t devtmpfs none /dev
until [ -b /dev/vda ] && [ -b /dev/nvme0n1 ] && [ -b /dev/sda ]; do $b usleep 100000; done
for disk in nvme0n1 sda vda; do
	$b mkdir /m/$disk; $b mount -t ext4 /dev/$disk /m/$disk || echo "NO $disk"
done
$b dmesg -n 1; $b dmesg -c >/dev/null
for ratio in %(ratios)s; do
	echo $ratio >/proc/sys/kernel/accel
	for disk in nvme0n1 sda vda; do
		/m/$disk/devices disk write /m/$disk/file %(size)d $ratio direct >/dev/null
	done
	echo "ASLEEP $ratio"
	if echo freeze >/sys/power/state; then echo "AWAKE $ratio"; else echo "REFUSED $ratio"; fi
	echo 3 >/proc/sys/vm/drop_caches
	for disk in nvme0n1 sda vda; do
		echo "READ $ratio $disk $(/m/$disk/devices disk check /m/$disk/file \\
			%(size)d $ratio direct)"
	done
	$b dmesg -c | $b sed "s/^/LOG $ratio /"
done
echo DONE
$b poweroff -f
"""

EXPECTED = (
    r"SATA link down \(SStatus 0 ",
    r"Freezing|suspend|debug",
)


def image(scratch: Path, name: str) -> Path:
    """Return a disk that has the probe on it."""
    place = scratch / f"{name}.d"
    place.mkdir()
    shutil.copy(probe("devices"), place / "devices")
    path = scratch / f"{name}.img"
    mke2fs = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin")
    assert mke2fs, "e2fsprogs is among the packages that make test installs"
    subprocess.run([mke2fs, "-q", "-t", "ext4", "-d", place, path, "32M"], check=True)
    return path


class Sleeper:
    """The guest, and who presses its power button while it sleeps."""

    def __init__(self, kernel: Kernel, scratch: Path) -> None:
        script = SCRIPT % {"ratios": " ".join(map(str, RATIOS)), "size": MEBIBYTES}
        socket = scratch / "qmp"
        words = argv(kernel, initramfs(scratch, script), "accel=1")
        words += ["-qmp", f"unix:{socket},server=on,wait=off"]
        for name, device in DISKS.items():
            node = f"driver=raw,node-name={name},file.driver=file"
            words += ["-blockdev", f"{node},file.filename={image(scratch, name)}"]
            words += device.format(name).split()
        self._socket = socket
        self._child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._asleep = threading.Event()
        self._over = threading.Event()

    def lines(self) -> list[str]:
        """Let it sleep and wake until it is done, and return what it said."""
        limit = threading.Timer(LIMIT_SECONDS, self._child.kill)
        limit.start()
        presser = threading.Thread(target=self._press)
        presser.start()
        said = []
        assert self._child.stdout is not None
        try:
            for raw in self._child.stdout:
                line = raw.decode(errors="replace").strip()
                said.append(line)
                if line.startswith("ASLEEP"):
                    self._asleep.set()
                elif line.startswith(("AWAKE", "REFUSED")):
                    self._asleep.clear()
                elif line == "DONE":
                    break
        finally:
            self._over.set()
            limit.cancel()
            presser.join()
            self._child.kill()
            self._child.wait()
        return said

    def _press(self) -> None:
        while not self._over.is_set():
            if not self._asleep.wait(0.2):
                continue
            if self._over.wait(PRESS_SECONDS):
                return
            if self._asleep.is_set():
                monitor = QEMUMonitorProtocol(str(self._socket))
                monitor.connect()
                monitor.cmd("system_powerdown")
                monitor.close()


@pytest.fixture(scope="module")
def said(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    began = time.monotonic()
    lines = Sleeper(kernel, tmp_path_factory.mktemp("asleep")).lines()
    assert "DONE" in lines, f"not done within {time.monotonic() - began:.0f} s: {lines}"
    return lines


@pytest.mark.parametrize("ratio", RATIOS)
def test_disks_after_suspend_to_idle(said: list[str], ratio: int) -> None:
    assert f"AWAKE {ratio}" in said, said
    for disk in DISKS:
        prefix = f"READ {ratio} {disk} "
        (told,) = (line.removeprefix(prefix) for line in said if line.startswith(prefix))
        assert json.loads(told)["wrong"] == 0, f"{disk}: {told}"
    log = [line for line in said if line.startswith(f"LOG {ratio} ")]
    assert any("suspend exit" in line for line in log), log
    complaints = [
        line
        for line in log
        if COMPLAINT.search(line) and not any(re.search(each, line) for each in EXPECTED)
    ]
    assert complaints == []

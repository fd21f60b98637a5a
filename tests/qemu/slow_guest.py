# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose disks can be told to keep it waiting, and what its kernel does then.

When a request was given up the guest's kernel tells itself: the trace point of the SCSI layer with
the hardware's counter as its clock, or, where there is none (NVMe), the line in the log.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slow_disk import Monitor, slow_disk

from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench
from dynaccel.verify.probes import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from slow_disk import SlowDisk

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

FIRST_SLOT = 0x10
APPEAR_SECONDS = 30.0
LOOK_SECONDS = 0.25
ROOM_SECONDS = 30.0
"""What a probe may take beyond its limit, with recovery under way on a busy host."""
TRACING = "/sys/kernel/tracing"
OUT = "/dev/shm/request.out"  # noqa: S108  (in the guest)
PROGRAM = "/dev/shm/request"  # noqa: S108


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A disk of QEMU and the driver of Linux that it tries.

    Attributes:
        name: Its name here.
        about: The driver.
        qemu: QEMU's words; ``{d}`` stands for the name of its disk, ``{a}`` for its PCI slot.
        gives_up: Whether its driver gives up a request that does not end.
        sign: The line in the log that says so; None where the SCSI layer's trace point does.
        append: Words for the guest's kernel.
    """

    name: str
    about: str
    qemu: str
    gives_up: bool = True
    sign: str | None = None
    append: str = ""


def _scsi(name: str, about: str, model: str, *, gives_up: bool = True, append: str = "") -> Device:
    qemu = f"-device {model},id={{d}}-bus,addr={{a}} -device scsi-hd,bus={{d}}-bus.0,drive={{d}}"
    return Device(name=name, about=about, qemu=qemu, gives_up=gives_up, append=append)


DEVICES = (
    Device(
        name="virtio-blk", about="virtio_blk", gives_up=False,
        qemu="-device virtio-blk-pci,drive={d},addr={a}",
    ),
    _scsi("virtio-scsi", "virtio_scsi", "virtio-scsi-pci", gives_up=False),
    Device(
        name="ahci", about="libata, ahci",
        qemu="-device ich9-ahci,id={d}-bus,addr={a} -device ide-hd,bus={d}-bus.0,drive={d}",
    ),
    Device(
        name="ide", about="libata, ata_piix",
        qemu="-device piix3-ide,id={d}-bus,addr={a} -device ide-hd,bus={d}-bus.0,drive={d}",
    ),
    Device(
        name="nvme", about="nvme", sign="I/O .* timeout, ",
        qemu="-device nvme,serial=slow,addr={a},drive={d}",
    ),
    _scsi("lsi", "sym53c8xx", "lsi53c895a"),
    _scsi("pvscsi", "vmw_pvscsi", "pvscsi"),
    Device(
        name="usb-storage", about="usb-storage, xhci",
        qemu="-device qemu-xhci,id={d}-bus,addr={a} -device usb-storage,bus={d}-bus.0,drive={d}",
    ),
    Device(
        name="usb-uas", about="uas, xhci",
        qemu="-device qemu-xhci,id={d}-bus,addr={a} -device usb-uas,id={d}-uas,bus={d}-bus.0"
        " -device scsi-hd,bus={d}-uas.0,scsi-id=0,lun=0,drive={d}",
    ),
)  # fmt: skip

# It gives a request twice this many seconds, ten of which are the least.
MEGASAS = _scsi("megasas", "megaraid_sas", "megasas", append="megaraid_sas.scmd_timeout=10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request, in real seconds since it began.

    Attributes:
        ended: When it ended; None if it did not.
        error: Its errno, 0 when it succeeded; None if it did not end.
        given_up: When the kernel's time-outs for it ran out, one after the other.
        log: What the kernel said meanwhile, of whatever device.
    """

    ended: float | None
    error: int | None
    given_up: tuple[float, ...]
    log: tuple[tuple[float, str], ...]


class SlowGuest:
    """The guest.

    Attributes:
        bench: Its shell.
        disks: Its disks by the name of their device.
        monitor: Where QEMU answers.
        blocks: By the name of the device, its name in the guest; without those that are missing.
    """

    def __init__(self, bench: Bench, disks: dict[str, SlowDisk], monitor: Monitor) -> None:
        self.bench, self.disks, self.monitor = bench, disks, monitor
        bench.shell(
            f"cp {shlex.quote(str(probe('request')))} {PROGRAM}"
            f" && {{ mount -t tracefs none {TRACING} 2>/dev/null || :; }} && cd {TRACING}"
            " && echo x86-tsc >trace_clock && echo 1 >events/scsi/scsi_dispatch_cmd_timeout/enable"
        )
        self._hosts: dict[str, str] = {}
        self.blocks: dict[str, str] = {}
        deadline = time.monotonic() + APPEAR_SECONDS
        while len(self.blocks) < len(disks) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            self._find_blocks()

    def time_out(self, name: str, seconds: float | None = None) -> float:
        """Set how long the kernel gives a request, if asked to, and return it in seconds."""
        block = f"/sys/block/{self.blocks[name]}"
        ms = "" if seconds is None else f"{round(seconds * 1000)}"
        said = self.bench.shell(
            # That of SCSI is in seconds and is passed on to the queue.
            f"cd {block}; if [ -n '{ms}' ] && [ -e device/timeout ]"
            f"; then echo $(({ms or 0} / 1000)) >device/timeout"
            f"; elif [ -n '{ms}' ]; then echo {ms} >queue/io_timeout; fi; cat queue/io_timeout"
        )
        return int(said) / 1000

    def begin(self, names: Sequence[str], *, limit_seconds: float) -> None:
        """Read a page of each device, all at the same moment; watch them for so long at most."""
        devices = " ".join(f"/dev/{self.blocks[name]}" for name in names)
        counts = self.bench.counts(limit_seconds)
        sign = "began" if names else "watching"
        self.bench.shell(
            f"rm -f {OUT}; echo >{TRACING}/trace; {PROGRAM} {counts} {devices} >{OUT} 2>&1 &"
            f" until grep -q {sign} {OUT} 2>/dev/null; do sleep 0.01; done"
        )

    def over(self) -> bool:
        """Whether nothing is under way any more."""
        return '"over"' in self.bench.shell(f"cat {OUT}")

    def log(self) -> list[tuple[int, str]]:
        """Return what the kernel has logged since the last beginning, by the counter."""
        lines = self.bench.shell(f"cat {OUT}").splitlines()
        records = [json.loads(line) for line in lines]
        return [(record["counter"], record["log"]) for record in records if "log" in record]

    def finish(self, names: Sequence[str], *, limit_seconds: float) -> dict[str, Outcome]:
        """Wait for the end of what was begun."""
        deadline = time.monotonic() + limit_seconds + ROOM_SECONDS
        while not self.over():
            assert time.monotonic() < deadline, self.bench.shell(f"cat {OUT}")
            time.sleep(LOOK_SECONDS)
        records = [json.loads(line) for line in self.bench.shell(f"cat {OUT}").splitlines()]
        trace = self.bench.shell(f"cat {TRACING}/trace")
        return {name: self._outcome(name, records, trace) for name in names}

    def works(self, name: str) -> bool:
        """Whether a read of the device succeeds."""
        self.begin([name], limit_seconds=ROOM_SECONDS)
        return self.finish([name], limit_seconds=ROOM_SECONDS)[name].error == 0

    def state(self, name: str) -> str:
        """Return what the kernel holds of the device: running, offline, live ..."""
        return self.bench.shell(
            f"cat /sys/block/{self.blocks[name]}/device/state 2>/dev/null || echo gone"
        ).strip()

    def _outcome(self, name: str, records: Sequence[dict[str, Any]], trace: str) -> Outcome:
        path = f"/dev/{self.blocks[name]}"
        mine = [record for record in records if record.get("device") == path]
        began = next(record["began"] for record in mine if "began" in record)
        ended = next((record for record in mine if "ended" in record), None)

        def since(count: int) -> float:
            return self.bench.real_seconds(count - began)

        log = tuple((since(item["counter"]), item["log"]) for item in records if "log" in item)
        if name in self._hosts:
            found = re.findall(
                rf" (\d+): scsi_dispatch_cmd_timeout: host_no={self._hosts[name]} ", trace
            )
            given_up = tuple(since(int(count)) for count in found)
        else:
            sign = next(device.sign for device in (*DEVICES, MEGASAS) if device.name == name)
            given_up = tuple(at for at, text in log if sign and re.search(sign, text))
        return Outcome(
            ended=None if ended is None else since(ended["ended"]),
            error=None if ended is None else ended["error"],
            given_up=given_up,
            log=log,
        )

    def _find_blocks(self) -> None:
        links = self.bench.shell("for block in /sys/block/*; do readlink -f $block; done")
        lines = links.splitlines()
        for number, name in enumerate(self.disks):
            for line in lines:
                if f"/0000:00:{FIRST_SLOT + number:02x}.0/" in line:
                    self.blocks[name] = line.rsplit("/", 1)[1]
                    host = re.search(r"/host(\d+)/", line)
                    if host:
                        self._hosts[name] = host[1]


@contextmanager
def slow_guest(
    kernel: Kernel, devices: Sequence[Device], *, words: Sequence[str] = ()
) -> Iterator[SlowGuest]:
    """Boot a guest with these devices for the length of the block.

    Args:
        kernel: Its kernel.
        devices: Its disks.
        words: More for QEMU's command line.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        monitor = Monitor(path=scratch / "qmp")
        disks: dict[str, SlowDisk] = {}
        options = ["--kernel", str(kernel.image), "--accelerator", "tcg", "--cpus", "2"]
        options += ["--qemu", monitor.qemu]
        for number, device in enumerate(devices):
            disk = stack.enter_context(slow_disk(scratch, device.name))
            disks[device.name] = disk
            slot = f"{FIRST_SLOT + number:x}"
            options += ["--qemu", disk.qemu, "--qemu", device.qemu.format(d=disk.name, a=slot)]
        for more in words:
            options += ["--qemu", more]
        options += ["--append", " ".join(["loglevel=4", *(one.append for one in devices)])]
        bench = stack.enter_context(guest_bench(options, reporter=NullReporter()))
        yield SlowGuest(bench, disks, monitor)


def slow_requests(
    guest: SlowGuest, names: Sequence[str], *, ratio: int, seconds: float
) -> dict[str, Outcome]:
    """Let one request to each device take so many real seconds, all at once."""
    limit = seconds + ROOM_SECONDS
    release = _releasing(guest, names)
    guest.bench.set_ratio(ratio)
    for name in names:
        guest.disks[name].hold()
    with guest.monitor.when_stuck(release):
        guest.begin(names, limit_seconds=limit)
        time.sleep(seconds)
        release()
        found = guest.finish(names, limit_seconds=limit)
    guest.bench.set_ratio(1)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """What became of a request that did not end by itself.

    Attributes:
        outcome: The request.
        works: Whether the device serves the next one.
        state: What the kernel holds of the device afterwards.
    """

    outcome: Outcome
    works: bool
    state: str


def hung_request(
    guest: SlowGuest,
    name: str,
    *,
    ratios: Sequence[int],
    step_seconds: float,
    limit_seconds: float,
    settle_seconds: float = 0.0,
) -> Hang:
    """Let a request hang until QEMU waits for it, or the limit.

    Args:
        guest: The guest.
        name: The device.
        ratios: The ratio when it begins, and those that follow.
        step_seconds: Real time from one ratio to the next.
        limit_seconds: Real time after which it is served in any case.
        settle_seconds: Real time before, at ratio 1, in which the timer of earlier requests runs
            out: one that is pending is looked at again to the jiffy, a new one is rounded up.
    """
    time.sleep(settle_seconds)
    release = _releasing(guest, [name])
    guest.bench.set_ratio(ratios[0])
    guest.disks[name].hold()
    with guest.monitor.when_stuck(release):
        deadline = time.monotonic() + limit_seconds
        guest.begin([name], limit_seconds=limit_seconds + ROOM_SECONDS)
        for ratio in ratios[1:]:
            time.sleep(step_seconds)
            guest.bench.set_ratio(ratio)
        while not guest.over() and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        release()
        outcome = guest.finish([name], limit_seconds=limit_seconds)[name]
    works = guest.works(name)
    guest.bench.set_ratio(1)
    return Hang(outcome=outcome, works=works, state=guest.state(name))


def _releasing(guest: SlowGuest, names: Sequence[str]) -> Callable[[], None]:
    def release() -> None:
        for name in names:
            guest.disks[name].go_on()

    return release

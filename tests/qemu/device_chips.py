# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock, watchdog, TPM and entropy: chips that keep real time, or answer in theirs."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from device_case import Case
from device_disks import function, probe_again

from dynaccel.core.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device_case import Place
    from device_lab import Lab, Report

ALARM_SECONDS = 3
ROOM_SECONDS = 4.0
"""By which anything may be late on a busy host."""
EARLY_SECONDS = 0.05
"""QEMU's RTC is read to be past a second a moment before or after it is."""
WATCHDOG_SECONDS = 8
FEEDING_SECONDS = 12.0
RTC_LAG_SECONDS = 5.0


def use_rtc(lab: Lab, place: Place, report: Report) -> None:
    """Read the RTC; wait for its alarm and for its updates."""
    del place
    (told,) = lab.devices("rtc", "/dev/rtc0", "read")
    lag = abs(time.time() - told["seconds"])
    report.check(lag < RTC_LAG_SECONDS, f"the RTC is {lag:.1f} s off the host's clock")
    for _ in range(report.amount.rounds):
        (told,) = lab.devices("rtc", "/dev/rtc0", "alarm", ALARM_SECONDS)
        took = report.fact("alarm s", lab.seconds(told["counts"]))
        report.check(
            -EARLY_SECONDS < took - ALARM_SECONDS < ROOM_SECONDS,
            f"the alarm of {ALARM_SECONDS} s came after {took:.3f} real seconds",
        )
    for told in lab.devices("rtc", "/dev/rtc0", "update", 3):
        took = report.fact("update s", lab.seconds(told["counts"]))
        report.check(
            -0.5 < took - 1 < ROOM_SECONDS, f"an update came after {took:.3f} real seconds"
        )


def use_watchdog(lab: Lab, place: Place, report: Report) -> None:
    """Arm a watchdog and let it be; then feed it each virtual second."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    device = lab.until("ls /dev/watchdog0 2>/dev/null || :", "the watchdog")
    lab.forget_events()
    hold = lab.counts(WATCHDOG_SECONDS + ROOM_SECONDS)
    before = time.time()
    output = lab.start("watchdog", device, WATCHDOG_SECONDS, "hold", hold)
    lab.first_line(output)
    armed = time.time()
    fired = lab.event("WATCHDOG", limit_seconds=WATCHDOG_SECONDS + ROOM_SECONDS)
    lab.result(output)
    if fired is None:
        report.problems.append("the watchdog was not fed and did not fire")
    else:
        # It was armed at some moment between the two.
        report.fact("fired s", fired - before)
        report.check(fired - before >= WATCHDOG_SECONDS, f"fired after {fired - before:.3f} s")
        report.check(
            fired - armed <= WATCHDOG_SECONDS + ROOM_SECONDS, f"fired after {fired - armed:.3f} s"
        )
    lab.forget_events()
    output = lab.start("watchdog", device, WATCHDOG_SECONDS, "feed", lab.counts(FEEDING_SECONDS))
    fired = lab.event("WATCHDOG", limit_seconds=FEEDING_SECONDS)
    report.check(fired is None, "the watchdog was fed each virtual second, and fired")
    fed = json.loads(lab.result(output)[-1])["fed"]
    report.check(fed > 0, "the watchdog was never fed")
    report.fact("fed", fed)


def use_tpm(lab: Lab, place: Place, report: Report) -> None:
    """Probe a TPM anew, which tests itself then, and give it commands."""
    del place
    probe_again(lab, "/sys/class/tpm/tpm0/device")
    lab.until("ls /dev/tpm0 2>/dev/null || :", "/dev/tpm0")
    for told in lab.devices("tpm", "/dev/tpm0", 5 * report.amount.rounds):
        report.check(told["answer"] == 0, f"{told['command']}: answered {told['answer']:#x}")
        report.fact(f"{told['command']} ms", 1000 * lab.seconds(told["counts"]))


@contextmanager
def emulated_tpm(place: Place) -> Iterator[None]:
    """Run an emulator of a TPM that ends with its guest."""
    state = place.scratch / f"{place.id}-tpm"
    state.mkdir(exist_ok=True)
    socket = state / "socket"
    argv = ["swtpm", "socket", "--tpm2", "--terminate", "--tpmstate", f"dir={state}"]
    child = subprocess.Popen([*argv, "--ctrl", f"type=unixio,path={socket}"])
    try:
        limit = time.monotonic() + 10
        while not socket.exists():
            if time.monotonic() > limit or child.poll() is not None:
                raise StageError("swtpm does not start")
            time.sleep(0.05)
        yield
    finally:
        child.terminate()
        child.wait()


def use_entropy(lab: Lab, place: Place, report: Report) -> None:
    """Read random bytes from a device."""
    for _ in range(report.amount.rounds):
        told = lab.sh("dd if=/dev/hwrng bs=512 count=4 iflag=fullblock 2>/dev/null | wc -c")
        report.check(told == "2048", f"{told} of 2048 bytes")
    del place


def with_tpm(name: str, device: str, symbol: str) -> Case:
    """Return a TPM behind an interface."""
    return Case(
        name=name,
        use=use_tpm,
        words="-chardev socket,id={id}-t,path={scratch}/{id}-tpm/socket"
        f" -tpmdev emulator,id={{id}}-e,chardev={{id}}-t -device {device},tpmdev={{id}}-e",
        symbols=(symbol,),
        programs=("swtpm",),
        host=emulated_tpm,
        alone=True,
    )


CHIPS = (
    Case(
        name="RTC (CMOS)",
        use=use_rtc,
        symbols=("RTC_DRV_CMOS",),
        # The HPET stands in for its interrupts 64 times a second; a busy host misses some.
        expected=(r"hpet: Lost \d+ RTC interrupts",),
    ),
    Case(
        name="i6300esb watchdog",
        use=use_watchdog,
        words="-device i6300esb,id={id},addr={addr} -action watchdog=none",
        symbols=("I6300ESB_WDT",),
    ),
    with_tpm("TPM (TIS)", "tpm-tis", "TCG_TIS"),
    with_tpm("TPM (CRB)", "tpm-crb", "TCG_CRB"),
    Case(name="virtio-rng", use=use_entropy, symbols=("HW_RANDOM_VIRTIO",)),
)

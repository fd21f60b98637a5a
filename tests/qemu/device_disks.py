# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks: probed, written, read back, unplugged, and slept over."""

from __future__ import annotations

import hashlib
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from device_case import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device_case import Place
    from device_lab import Lab, Report

IMAGE_MEBIBYTES = 64
POWERED_ON = r"Power-on or device reset occurred"
"""A SCSI disk's first answer is that."""
EMPTY_PORT = r"SATA link down \(SStatus 0 "
CACHE_GONE = r"Synchronize Cache\(10\) failed: Result: hostbyte=DID_(BAD_TARGET|NO_CONNECT|ERROR)"
"""A disk that is unplugged cannot be told to write back what it holds."""
UNPLUG_NOISE_SECONDS = 2.0
MOUNT = "/mnt/device"

BACKING = (
    " -blockdev driver=raw,node-name={id}-d,discard=unmap,file.driver=file,file.filename={image}"
)


def function(lab: Lab, place: Place) -> str:
    """Return the PCI address of a device itself, which may be behind a port."""
    at = f"/sys/bus/pci/devices/{place.slot}"
    script = f"ls -d {at}/0000:* 2>/dev/null | grep -v pcie || ls -d {at}"
    return lab.until(script, "the device on its bus").splitlines()[0].rsplit("/", 1)[1]


def probe_again(lab: Lab, device: str) -> None:
    """Take a device from its driver and give it back; ``device`` is its directory in /sys."""
    lab.sh(
        f"driver=$(readlink -f {device}/driver) && name=$(basename $(readlink -f {device})) &&"
        " echo $name >$driver/unbind && echo $name >$driver/bind"
    )


def disk_of(lab: Lab, place: Place, pattern: str = "[snvm]*") -> str:
    """Wait for a disk and return its name."""
    return lab.until(
        f"for d in /sys/block/{pattern}; do case $(readlink -f $d) in *{place.slot}*)"
        " test -s $d/size && test $(cat $d/size) -gt 0 && basename $d;; esac; done",
        "its disk",
    ).splitlines()[0]


def write_and_read(lab: Lab, disk: str, report: Report, salt: int) -> None:
    """Make a file system, write files to it in both ways, and read them from the disk."""
    megabytes = report.amount.mebibytes
    lab.sh(f"mkdir -p {MOUNT} && mke2fs -q -F -t ext4 /dev/{disk} && mount /dev/{disk} {MOUNT}")
    try:
        for way in ("buffered", "direct"):
            lab.devices("disk", "write", f"{MOUNT}/{way}", megabytes, salt, way)
        read(lab, report, salt)
    finally:
        lab.sh(f"umount {MOUNT}")


def read(lab: Lab, report: Report, salt: int) -> None:
    """Read the files of :func:`write_and_read` back in both ways."""
    lab.sh("echo 3 >/proc/sys/vm/drop_caches")
    for way in ("buffered", "direct"):
        (told,) = lab.devices("disk", "check", f"{MOUNT}/{way}", report.amount.mebibytes, salt, way)
        report.check(told["wrong"] == 0, f"{told['wrong']} words read ({way}) are not as written")
        report.fact("read s", lab.seconds(told["counts"]))


def replug(lab: Lab, place: Place, report: Report) -> None:
    """Unplug a device and plug it in again."""
    plug = place.plug()
    assert plug is not None
    lab.forget_events()
    began = time.time()
    lab.qmp("device_del", id=place.id)
    gone = lab.event("DEVICE_DELETED", limit_seconds=60)
    report.check(gone is not None, "not unplugged within 60 real seconds")
    if gone is not None:
        took = report.fact("unplug s", gone - began)
        # A port waits for five seconds, so that who pressed its button can take it back.
        least = report.baseline.get("unplug s", 0.0) - UNPLUG_NOISE_SECONDS
        report.check(took >= least, f"unplugged after {took:.3f} real seconds")
        lab.qmp("device_add", **plug)


def use_disk(lab: Lab, place: Place, report: Report) -> None:
    """Probe a disk anew, write and read it; unplug it and read again where that can be."""
    salt = random.randrange(1 << 20)  # noqa: S311
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    write_and_read(lab, disk_of(lab, place), report, salt)
    if place.case.plug is not None:
        replug(lab, place, report)
        lab.sh(f"mount /dev/{disk_of(lab, place)} {MOUNT}")
        read(lab, report, salt)
        lab.sh(f"umount {MOUNT}")


def use_cdrom(lab: Lab, place: Place, report: Report) -> None:
    """Read a whole disc."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    disc = disk_of(lab, place, "sr*")
    lab.sh("echo 3 >/proc/sys/vm/drop_caches")
    told = lab.sh(f"sha256sum </dev/{disc}").split()[0]
    report.check(
        told == hashlib.sha256(place.image.read_bytes()).hexdigest(), "what was read is not on it"
    )


@contextmanager
def disc(place: Place) -> Iterator[None]:
    """Give a disc some content."""
    place.image.write_bytes(random.Random(place.number).randbytes(4 << 20))  # noqa: S311
    yield


def on_scsi(name: str, controller: str, *symbols: str, expected: tuple[str, ...] = ()) -> Case:
    """Return a disk on a SCSI controller that cannot be unplugged."""
    return Case(
        name=name,
        use=use_disk,
        words=f"-device {controller},id={{id}}-c,addr={{addr}}{BACKING}"
        " -device scsi-hd,bus={id}-c.0,id={id},drive={id}-d",
        symbols=("BLK_DEV_SD", *symbols),
        image_mebibytes=IMAGE_MEBIBYTES,
        expected=(POWERED_ON, *expected),
    )


def on_usb(name: str, controller: str, disk: str, *symbols: str) -> Case:
    """Return a disk on a USB controller."""
    bus = "{id}-c.0"
    if disk == "usb-storage":
        words = f" -device usb-storage,bus={bus},id={{id}},drive={{id}}-d"
        plug = {"driver": "usb-storage", "bus": bus, "drive": "{id}-d"}
    else:
        words = f" -device usb-uas,bus={bus},id={{id}}-u -device scsi-hd,bus={{id}}-u.0,id={{id}}"
        words += ",drive={id}-d"
        plug = {"driver": "scsi-hd", "bus": "{id}-u.0", "drive": "{id}-d"}
    return Case(
        name=name,
        use=use_disk,
        words=f"-device {controller},id={{id}}-c,addr={{addr}}{BACKING}{words}",
        symbols=("USB_STORAGE", "USB_UAS", *symbols),
        image_mebibytes=IMAGE_MEBIBYTES,
        plug=plug if disk == "usb-storage" else None,
        expected=(r"USB disconnect", POWERED_ON, CACHE_GONE),
    )


DISKS = (
    Case(
        name="virtio-blk",
        use=use_disk,
        words="-device virtio-blk-pci,id={id},addr={addr},drive={id}-d" + BACKING,
        symbols=("VIRTIO_BLK",),
        image_mebibytes=IMAGE_MEBIBYTES,
    ),
    Case(
        name="virtio-scsi",
        use=use_disk,
        words="-device virtio-scsi-pci,id={id}-c,addr={addr}" + BACKING
        + " -device scsi-hd,bus={id}-c.0,id={id},drive={id}-d",
        symbols=("SCSI_VIRTIO", "BLK_DEV_SD"),
        image_mebibytes=IMAGE_MEBIBYTES,
        plug={"driver": "scsi-hd", "bus": "{id}-c.0", "drive": "{id}-d"},
        expected=(POWERED_ON, CACHE_GONE),
    ),
    Case(
        name="NVMe",
        use=use_disk,
        words="-device pcie-root-port,id={id}-p,addr={addr},chassis={number},slot={number}"
        + BACKING + " -device nvme,bus={id}-p,id={id},drive={id}-d,serial={id}",
        symbols=("BLK_DEV_NVME", "HOTPLUG_PCI_ACPI"),
        image_mebibytes=IMAGE_MEBIBYTES,
        plug={"driver": "nvme", "bus": "{id}-p", "drive": "{id}-d", "serial": "{id}"},
    ),
    Case(
        name="AHCI",
        use=use_disk,
        words="-device ich9-ahci,id={id}-c,addr={addr}" + BACKING
        + " -device ide-hd,bus={id}-c.0,id={id},drive={id}-d",
        symbols=("SATA_AHCI", "BLK_DEV_SD"),
        image_mebibytes=IMAGE_MEBIBYTES,
        expected=(EMPTY_PORT,),
    ),
    Case(
        name="IDE",
        use=use_disk,
        words="-device piix3-ide,id={id}-c,addr={addr}" + BACKING
        + " -device ide-hd,bus={id}-c.0,id={id},drive={id}-d",
        symbols=("ATA_PIIX", "BLK_DEV_SD"),
        image_mebibytes=IMAGE_MEBIBYTES,
    ),
    on_scsi(
        "megasas", "megasas", "MEGARAID_SAS",
        expected=(
            r"Online Controller Reset\(OCR\)|TM TaskAbort/Reset timeout",
            # What QEMU's firmware answers while a disk is found a second time.
            r"Unit Not Ready|Hardware Error \[current\]|Internal target failure",
        ),
    ),
    on_scsi(
        "lsi53c895a", "lsi53c895a", "SCSI_SYM53C8XX_2",
        # The driver begins with a reset, and as it is taken away Linux 6.1 warns of how it frees.
        expected=(r"sym\d+: (resetting chip|SCSI BUS has been reset)", r"dma_free_attrs"),
    ),
    on_scsi(
        "pvscsi",
        "pvscsi",
        "VMWARE_PVSCSI",
        expected=("PVSCSI_CMD_CONFIG failed",),  # QEMU's does not know that question
    ),
    Case(
        name="SDHCI, SD card",
        use=use_disk,
        words="-device sdhci-pci,id={id}-c,addr={addr}" + BACKING + " -device sd-card,drive={id}-d",
        symbols=("MMC_SDHCI_PCI", "MMC_BLOCK"),
        image_mebibytes=IMAGE_MEBIBYTES,
    ),
    on_usb("xHCI, usb-storage", "qemu-xhci", "usb-storage", "USB_XHCI_HCD"),
    on_usb("xHCI, UAS", "qemu-xhci", "usb-uas", "USB_XHCI_HCD"),
    on_usb("EHCI, usb-storage", "usb-ehci", "usb-storage", "USB_EHCI_HCD"),
    on_usb("UHCI, usb-storage", "piix3-usb-uhci", "usb-storage", "USB_UHCI_HCD"),
    Case(
        name="AHCI, CD-ROM",
        use=use_cdrom,
        words="-device ich9-ahci,id={id}-c,addr={addr} -blockdev driver=raw,read-only=on"
        ",node-name={id}-d,file.driver=file,file.filename={image}"
        " -device ide-cd,bus={id}-c.0,id={id},drive={id}-d",
        symbols=("SATA_AHCI", "BLK_DEV_SR"),
        host=disc,
        expected=(EMPTY_PORT,),
    ),
)  # fmt: skip

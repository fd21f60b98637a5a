# SPDX-License-Identifier: GPL-2.0-or-later
"""Network links: probed, used, lost and found again, unplugged."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from device_case import Case, judge_log
from device_disks import function, probe_again, replug

from dynaccel.core.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device_case import Place
    from device_lab import Lab, Report

BYTES = 1400
PATIENCE_SECONDS = 2.0
"""Real time until a datagram counts as lost; the host may be busy."""
LOST_PART = 0.02
"""Of the datagrams, which a user-mode network may lose."""
LINK_DOWN = "[Ll]ink (is )?[Dd]own"
LINK_SECONDS = 20.0
"""Real time within which a link that QEMU takes away is missed, where the device tells."""


@contextmanager
def echo_server() -> Iterator[int]:
    """Send back each datagram that comes to a port of this host, for the length of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.5)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    data, peer = server.recvfrom(2048)
                    server.sendto(data, peer)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def interface_of(lab: Lab, place: Place) -> str:
    """Wait for a link's interface and return its name."""
    return lab.until(
        f"for d in /sys/class/net/*; do case $(readlink -f $d) in *{place.slot}*)"
        " basename $d;; esac; done",
        "its interface",
    )


def carrier(lab: Lab, link: str, wanted: int, limit_seconds: float) -> float:
    """Wait until a link is up or down and return the real seconds that it took."""
    began = time.monotonic()
    condition = f'test "$(cat /sys/class/net/{link}/carrier)" = {wanted}'
    lab.until(f"if {condition}; then echo so; fi", f"carrier {wanted}", limit_seconds=limit_seconds)
    return time.monotonic() - began


def configure(lab: Lab, place: Place, report: Report) -> str:
    """Bring an interface up with an address, wait for the link and return its name."""
    link, net = interface_of(lab, place), f"10.{place.number}.0"
    # Who looks for a neighbour gives up after seconds of virtual time: no matter of the device.
    host = f"52:55:0a:{place.number:02x}:00:02"
    lab.sh(
        f"ip link set {link} up && ip addr replace {net}.15/24 dev {link} &&"
        f" ip neigh replace {net}.2 lladdr {host} dev {link} nud permanent"
    )
    report.fact("link up s", carrier(lab, link, 1, 60))
    return link


def transfer(lab: Lab, place: Place, report: Report) -> None:
    """Send datagrams to this host, which sends them back."""
    with echo_server() as port:
        (told,) = lab.devices(
            "echo", f"10.{place.number}.0.2", port, report.amount.datagrams, BYTES,
            lab.counts(PATIENCE_SECONDS),
        )  # fmt: skip
    report.check(told["wrong"] == 0, f"{told['wrong']} words came back changed")
    lost = report.fact("lost", told["again"])
    report.check(lost <= 1 + LOST_PART * told["sent"], f"{lost} of {told['sent']} datagrams lost")
    report.fact("datagram ms", 1000 * lab.seconds(told["counts"]) / told["sent"])
    report.fact("slowest ms", 1000 * lab.seconds(told["slowest_counts"]))


def use_link(lab: Lab, place: Place, report: Report) -> None:
    """Probe a link anew and use it; lose it and find it again; unplug it."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    link = configure(lab, place, report)
    changes = f"cat /sys/class/net/{link}/carrier_changes"
    before = lab.sh(changes)
    transfer(lab, place, report)
    # Watchdogs of links look every two seconds.
    time.sleep(3)
    transfer(lab, place, report)
    after = lab.sh(changes)
    report.check(
        before == after, f"the link was lost: {before} changes of the carrier, then {after}"
    )
    judge_log(lab, report, place.case.expected)
    lose_and_find(lab, place, link, report)
    if place.case.plug is not None:
        judge_log(lab, report, (*place.case.expected, LINK_DOWN))
        replug(lab, place, report)
        configure(lab, place, report)
        transfer(lab, place, report)
    lab.sh(f"ip link set {interface_of(lab, place)} down")
    judge_log(lab, report, (*place.case.expected, LINK_DOWN))


def lose_and_find(lab: Lab, place: Place, link: str, report: Report) -> None:
    """Take the cable out and plug it in again."""
    if report.baseline and "link lost s" not in report.baseline:
        return  # this device never tells
    lab.qmp("set_link", name=place.id, up=False)
    try:
        report.fact("link lost s", carrier(lab, link, 0, LINK_SECONDS))
    except StageError:
        report.check(not report.baseline, "a lost link was not noticed")
    lab.qmp("set_link", name=place.id, up=True)
    report.fact("link found s", carrier(lab, link, 1, 3 * LINK_SECONDS))
    transfer(lab, place, report)


def on_pci(name: str, device: str, *symbols: str, expected: tuple[str, ...] = ()) -> Case:
    """Return a network device that cannot be unplugged."""
    return Case(
        name=name,
        use=use_link,
        words="-netdev user,id={id}-n,net=10.{number}.0.0/24,ipv6=off"
        f" -device {device},id={{id}},addr={{addr}},netdev={{id}}-n,romfile=",
        symbols=symbols,
        expected=expected,
    )


LINKS = (
    on_pci("virtio-net", "virtio-net-pci", "VIRTIO_NET"),
    on_pci("e1000", "e1000", "E1000"),
    Case(
        name="e1000e",
        use=use_link,
        # Hot-plugged by the port itself, not by ACPI: the one driver waits, the other does not.
        words="-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"
        " -device pcie-root-port,id={id}-p,addr={addr},chassis={number},slot={number}"
        " -netdev user,id={id}-n,net=10.{number}.0.0/24,ipv6=off"
        " -device e1000e,id={id},bus={id}-p,netdev={id}-n,romfile=",
        symbols=("E1000E", "HOTPLUG_PCI_PCIE"),
        plug={"driver": "e1000e", "bus": "{id}-p", "netdev": "{id}-n", "romfile": ""},
        alone=True,
    ),
    on_pci("rtl8139 (8139cp)", "rtl8139", "8139CP"),
    on_pci("vmxnet3", "vmxnet3", "VMXNET3"),
)

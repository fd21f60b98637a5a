# SPDX-License-Identifier: GPL-2.0-or-later
"""Keyboards, mice and serial ports: what people and peers do in real time."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from device_case import Case
from device_disks import function, probe_again

if TYPE_CHECKING:
    from device_case import Place
    from device_lab import Lab, Report

HELD_SECONDS = 0.6
REPEAT_DELAY_SECONDS, REPEAT_SECONDS = 0.25, 0.033
"""As Linux sets up a keyboard: REP_DELAY, REP_PERIOD."""
KEY_TRIES = 3
QUIET_SECONDS = 1.0
INPUT_LIMIT_SECONDS = 60.0
MOVES = 100
BREAK_SECONDS = 0.25
"""How long tcsendbreak() makes a break."""
ROOM_SECONDS = 4.0
PEER_PAUSE_SECONDS = 1.5
"""How long the other end of a serial line reads nothing."""
SENT_BYTES = 32768
VTIME_DECISECONDS = 100


def events_of(lab: Lab, pattern: str) -> str:
    """Wait for an input device whose name matches and return its event file."""
    return lab.until(
        f"for d in /sys/class/input/event*; do grep -qE '{pattern}' $d/device/name 2>/dev/null"
        " && echo /dev/input/$(basename $d); done; :",
        "an input device",
    ).splitlines()[0]


def listened(lab: Lab, event: str) -> str:
    """Listen to an input device in the background and return where it is told."""
    output = lab.start("input", event, lab.counts(QUIET_SECONDS), lab.counts(INPUT_LIMIT_SECONDS))
    lab.first_line(output)
    return output


def told(lab: Lab, output: str) -> dict[str, int]:
    """Return what was heard of an input device."""
    heard: dict[str, int] = json.loads(lab.result(output)[-1])
    return heard


def key(lab: Lab, *, down: bool) -> None:
    """Press or release a key."""
    code = {"type": "qcode", "data": "a"}
    lab.qmp("input-send-event", events=[{"type": "key", "data": {"down": down, "key": code}}])


def hold_a_key(lab: Lab, event: str, report: Report) -> None:
    """Hold a key for a while; it repeats as often as it would at ratio 1.

    How long it was held host and guest see from either end of a queue; the more on a busy host the
    less alike, so one try of several has to fit.
    """
    said = ""
    for _ in range(KEY_TRIES):
        output = listened(lab, event)
        began = time.monotonic()
        key(lab, down=True)
        time.sleep(HELD_SECONDS)
        key(lab, down=False)
        times = [time.monotonic() - began]
        heard = told(lab, output)
        report.check(
            (heard["presses"], heard["releases"], heard["dropped"]) == (1, 1, 0),
            f"pressed once, and heard {heard}",
        )
        times.append(lab.seconds(heard["held_counts"]))
        least, most = (
            max(0.0, held - REPEAT_DELAY_SECONDS) / REPEAT_SECONDS
            for held in (min(times), max(times))
        )
        repeats = report.facts["repeats"] = heard["repeats"]
        report.facts["held s"] = max(times)
        if 0.5 * least - 2 <= repeats <= 1.2 * most + 2:
            return
        said = f"{repeats} repeats in {max(times):.3f} s, where {most:.0f} are due"
    report.problems.append(said)


def move_a_mouse(lab: Lab, event: str, report: Report) -> None:
    """Move a mouse in many small steps; all of them arrive."""
    output = listened(lab, event)
    for _ in range(MOVES):
        step = [{"type": "rel", "data": {"axis": axis, "value": 2}} for axis in ("x", "y")]
        lab.qmp("input-send-event", events=step)
        time.sleep(0.01)
    heard = told(lab, output)
    report.fact("moved", heard["dx"])
    report.check(
        (heard["dx"], heard["dy"], heard["dropped"]) == (2 * MOVES, 2 * MOVES, 0),
        f"moved by {2 * MOVES}, and heard {heard}",
    )


def use_usb_keyboard(lab: Lab, place: Place, report: Report) -> None:
    """Probe the controller and its keyboard anew; hold a key."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    hold_a_key(lab, events_of(lab, "USB Keyboard"), report)


def use_usb_mouse(lab: Lab, place: Place, report: Report) -> None:
    """Probe the controller and its mouse anew; move it."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    move_a_mouse(lab, events_of(lab, "USB Mouse"), report)


def use_virtio_keyboard(lab: Lab, place: Place, report: Report) -> None:
    """Hold a key of a virtio keyboard."""
    probe_again(lab, f"/sys/bus/pci/devices/{function(lab, place)}")
    hold_a_key(lab, events_of(lab, "Virtio Keyboard"), report)


def reconnect(lab: Lab, port: str, pattern: str) -> str:
    """Probe what is at a PS/2 port anew and return its event file."""
    lab.sh(f"echo -n reconnect >/sys/bus/serio/devices/{port}/drvctl")
    return events_of(lab, pattern)


def use_ps2_keyboard(lab: Lab, place: Place, report: Report) -> None:
    """Probe a PS/2 keyboard anew; hold a key, which the kernel is to repeat; switch its lights."""
    del place
    event = reconnect(lab, "serio0", "AT .*keyboard")
    lab.sh("echo 1 >/sys/bus/serio/devices/serio0/softrepeat")
    hold_a_key(lab, events_of(lab, "AT .*keyboard"), report)
    del event
    lights = "/sys/class/leds/*capslock/brightness"
    for i in range(10 * report.amount.rounds):
        lab.sh(f"for light in {lights}; do test ! -e $light || echo {i % 2} >$light; done")


def use_ps2_mouse(lab: Lab, place: Place, report: Report) -> None:
    """Probe a PS/2 mouse anew and move it."""
    del place
    move_a_mouse(lab, reconnect(lab, "serio1", "Mouse"), report)


class Peer:
    """Whoever is at the other end of a serial line.

    Attributes:
        data: What came so far.
    """

    def __init__(self, lab: Lab, place: Place, pause_seconds: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(lab.scratch / f"{place.id}.sock"))
        self._socket.settimeout(1.0)
        self.data = b""
        self._pause = pause_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        time.sleep(self._pause)
        while len(self.data) < SENT_BYTES:
            try:
                data = self._socket.recv(4096)
            except TimeoutError:
                if self._over.is_set():
                    return
                continue
            if not data:
                return
            self.data += data

    def finish(self) -> bytes:
        """Wait for what still comes and return all of it."""
        self._over.set()
        self._thread.join()
        self._socket.close()
        return self.data


def pattern(size: int) -> bytes:
    """Return what the probe sends: the words of fill() in devices.h, with salt 0."""
    words, mask = [], (1 << 64) - 1
    for offset in range(0, size, 8):
        mixed = offset * 0x9E3779B97F4A7C15 & mask
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
        words.append(mixed ^ mixed >> 27)
    return struct.pack(f"<{len(words)}Q", *words)


def use_serial(lab: Lab, place: Place, report: Report) -> None:
    """Send to a peer that pauses, drain or just close; send a break; wait for nothing (VTIME)."""
    where = f"/sys/bus/pci/devices/{function(lab, place)}"
    probe_again(lab, where)
    line = "/dev/" + lab.until(f"ls {where}/tty 2>/dev/null || :", "the serial line")
    for ending in ("drain", "close"):
        peer = Peer(lab, place, PEER_PAUSE_SECONDS)
        (seen,) = lab.devices("serial", line, ending, SENT_BYTES, 9600)
        data = peer.finish()
        report.check(
            hashlib.sha256(data).digest() == hashlib.sha256(pattern(SENT_BYTES)).digest(),
            f"{ending}: {len(data)} of {SENT_BYTES} bytes came, or others than were sent",
        )
        report.fact(f"{ending} s", lab.seconds(seen["counts"]))
    for _ in range(report.amount.rounds):
        (seen,) = lab.devices("serial", line, "break")
        took = report.fact("break s", lab.seconds(seen["counts"]))
        report.check(
            BREAK_SECONDS <= took < BREAK_SECONDS + ROOM_SECONDS,
            f"a break of {BREAK_SECONDS} s took {took:.4f} real seconds",
        )
    peer = Peer(lab, place, 0)
    (seen,) = lab.devices("serial", line, "vtime", VTIME_DECISECONDS)
    peer.finish()
    report.fact("VTIME virtual s", seen["virtual_ns"] / 1e9)
    report.fact("VTIME real s", lab.seconds(seen["counts"]))
    report.check(
        seen["virtual_ns"] >= VTIME_DECISECONDS * 10**8,
        f"VTIME of {VTIME_DECISECONDS / 10} s ended after {seen['virtual_ns'] / 1e9} virtual s",
    )
    if report.baseline:
        # At any setting here it is a fraction of what it is at ratio 1.
        report.check(
            report.facts["VTIME real s"] < report.baseline["VTIME real s"] / 2,
            f"VTIME took {report.facts['VTIME real s']:.3f} real seconds",
        )


def on_usb(name: str, controller: str, device: str, symbol: str) -> Case:
    """Return a USB input device on a controller."""
    return Case(
        name=name,
        use=use_usb_keyboard if device == "usb-kbd" else use_usb_mouse,
        words=f"-device {controller},id={{id}}-c,addr={{addr}}"
        f" -device {device},id={{id}},bus={{id}}-c.0",
        symbols=("USB_HID", "INPUT_EVDEV", symbol),
        expected=("USB disconnect",),
        alone=True,
    )


PORTS = (
    on_usb("xHCI, keyboard", "qemu-xhci", "usb-kbd", "USB_XHCI_HCD"),
    on_usb("UHCI, keyboard", "piix3-usb-uhci", "usb-kbd", "USB_UHCI_HCD"),
    on_usb("UHCI, mouse", "piix3-usb-uhci", "usb-mouse", "USB_UHCI_HCD"),
    Case(
        name="virtio keyboard",
        use=use_virtio_keyboard,
        words="-device virtio-keyboard-pci,id={id},addr={addr}",
        symbols=("VIRTIO_INPUT", "INPUT_EVDEV"),
        alone=True,
    ),
    Case(
        name="PS/2 keyboard",
        use=use_ps2_keyboard,
        words="-machine i8042=on",
        symbols=("KEYBOARD_ATKBD", "INPUT_EVDEV"),
        alone=True,
    ),
    Case(
        name="PS/2 mouse",
        use=use_ps2_mouse,
        words="-machine i8042=on",
        symbols=("MOUSE_PS2", "INPUT_EVDEV"),
        alone=True,
    ),
    Case(
        name="16550 (PCI)",
        use=use_serial,
        words="-chardev socket,id={id}-s,path={scratch}/{id}.sock,server=on,wait=off"
        " -device pci-serial,id={id},addr={addr},chardev={id}-s",
        symbols=("SERIAL_8250_PCI",),
    ),
)

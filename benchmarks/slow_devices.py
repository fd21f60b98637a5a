# SPDX-License-Identifier: GPL-2.0-or-later
"""How long drivers wait for slow and for broken devices at each ratio, in real seconds.

Prints tables in Markdown and, with ``--json``, writes all that was seen into a file. What is tried
and how stands in docs/slow-devices.md; tests/qemu/test_slow_devices.py is the short form.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "qemu"))

from full_wire import full_wire
from silent_usb import SilentUsb
from slow_guest import DEVICES, MEGASAS, hung_request, slow_guest, slow_requests
from slow_interrupts import unheard_request
from slow_links import USB_SLOT, WIRE_SLOT, plugged_in, stalled_queue

from common import machine
from dynaccel.core.errors import StageError
from dynaccel.host import kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynaccel.core.kernels import Kernel

    Part = Callable[[Kernel, argparse.Namespace], Iterator["Row"]]

SCHEDULES = ((1,), (200,), (1000,), (1, 1000), (1000, 1))
LOG_LINES = 4
DEAF = ("ahci", "nvme")
"""One that needs its interrupts to recover, and one that looks by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        kind: What was tried: slow, hang, stall, plug.
        name: The device.
        ratios: The ratio, and those that followed.
        seen: What became of it, in words.
        data: All of it.
    """

    kind: str
    name: str
    ratios: tuple[int, ...]
    seen: str
    data: dict[str, Any]


def slow(kernel: Kernel, args: argparse.Namespace) -> Iterator[Row]:
    """Slow requests, of all disks at once."""
    with slow_guest(kernel, DEVICES) as guest:
        names = list(guest.blocks)
        tried = [(ratio, args.slow) for ratio in (1, 200, 1000)] + [(1000, args.slower)]
        for ratio, seconds in tried:
            found = slow_requests(guest, names, ratio=ratio, seconds=seconds)
            for name, outcome in found.items():
                how = "served" if outcome.error == 0 else f"error {outcome.error}"
                tries = f", {len(outcome.given_up)} time-outs" if outcome.given_up else ""
                after = "never" if outcome.ended is None else f"after {outcome.ended:.2f} s"
                yield Row(
                    kind=f"slow, {seconds:.0f} s", name=name, ratios=(ratio,),
                    seen=f"{how} {after}{tries}", data=asdict(outcome),
                )  # fmt: skip


def hangs(kernel: Kernel, args: argparse.Namespace) -> Iterator[Row]:
    """Requests that hang, of one disk after the other."""
    with slow_guest(kernel, DEVICES) as guest:
        for device in DEVICES:
            if device.gives_up and device.name in guest.blocks:
                guest.time_out(device.name, args.time_out)
                for ratios in SCHEDULES:
                    hang = hung_request(
                        guest, device.name, ratios=ratios, step_seconds=args.time_out / 2,
                        limit_seconds=6 * args.time_out, settle_seconds=1.5 * args.time_out,
                    )  # fmt: skip
                    yield Row(
                        kind=f"hang, {args.time_out:.0f} s", name=device.name, ratios=ratios,
                        seen=_words(hang.outcome.given_up) + f"; {hang.state}, "
                        + ("works" if hang.works else "does not work"),
                        data=asdict(hang),
                    )  # fmt: skip


def megasas(kernel: Kernel, args: argparse.Namespace) -> Iterator[Row]:
    """The driver with waits of its own: 20 s for a request, then counts of seconds."""
    del args  # it has no shorter time-outs
    with slow_guest(kernel, [MEGASAS]) as guest:
        if MEGASAS.name not in guest.blocks:
            return
        for ratios in ((1,), (1000,)):
            hang = hung_request(
                guest, MEGASAS.name, ratios=ratios, step_seconds=0.0, limit_seconds=34.0
            )
            waits = [(at, text) for at, text in hang.outcome.log if "waiting for 1" in text]
            counted = "; ".join(f"{at:.1f} s: {text.split(': ')[-1]}" for at, text in waits)
            yield Row(
                kind="hang, 20 s", name=MEGASAS.name, ratios=ratios,
                seen=_words(hang.outcome.given_up) + f"; {counted}; {hang.state}, "
                + ("works" if hang.works else "does not work"),
                data=asdict(hang),
            )  # fmt: skip


def interrupts(kernel: Kernel, args: argparse.Namespace) -> Iterator[Row]:
    """Devices whose interrupts do not arrive, each in a guest of its own: some do not recover."""
    for device in DEVICES:
        if device.name not in DEAF:
            continue
        for ratios in ((1,), (1000,), (1, 1000), (1000, 1)):
            with slow_guest(kernel, [device]) as guest:
                if device.name not in guest.blocks:
                    break
                guest.time_out(device.name, args.time_out)
                hang = unheard_request(
                    guest, device.name, ratios=ratios, step_seconds=3 * args.time_out,
                    limit_seconds=90.0,
                )  # fmt: skip
            own = [f"{at:.2f}" for at, text in hang.outcome.log if "qc timeout" in text]
            end = "never" if hang.outcome.ended is None else f"{hang.outcome.ended:.2f} s"
            more = f", of IDENTIFY {', '.join(own)} s" if own else ""
            yield Row(
                kind="no interrupt", name=device.name, ratios=ratios,
                seen=f"{_words(hang.outcome.given_up)}{more}; end {end}, "
                + ("works" if hang.works else "does not work"),
                data=asdict(hang),
            )  # fmt: skip


def links(kernel: Kernel, args: argparse.Namespace) -> Iterator[Row]:
    """What is no disk."""
    del args  # the kernel has no other time-outs here
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        usb = SilentUsb(path=scratch / "usb")
        wire = stack.enter_context(full_wire(scratch))
        words = [usb.qemu(USB_SLOT), wire.qemu(WIRE_SLOT)]
        guest = stack.enter_context(slow_guest(kernel, (), words=words))
        for ratios in SCHEDULES:
            stall = stalled_queue(guest, wire, ratios=ratios, step_seconds=2.5, seconds=8.0)
            yield Row(
                kind="stall, 5 s", name="virtio-net", ratios=ratios,
                seen=_words(stall.since_first) + (", works" if stall.works else ", does not work"),
                data=asdict(stall),
            )  # fmt: skip
        for delay in (2.0, None):
            for ratio in (1, 200, 1000):
                plug = plugged_in(guest, usb, ratio=ratio, delay_seconds=delay, seconds=40.0)
                asked = "never answers" if delay is None else f"answers take {delay:.0f} s"
                gone = "" if plug.given_up is None else f"given up after {plug.given_up:.2f} s"
                yield Row(
                    kind="plug, 5 s", name=f"USB device, {asked}", ratios=(ratio,),
                    seen="found" if plug.found else gone or "nothing", data=asdict(plug),
                )  # fmt: skip


def _words(moments: tuple[float, ...]) -> str:
    if not moments:
        return "never given up"
    first = ", ".join(f"{at:.2f}" for at in moments[:LOG_LINES])
    more = f" and {len(moments) - LOG_LINES} times more" if len(moments) > LOG_LINES else ""
    return f"given up after {first} s{more}"


PARTS: tuple[Part, ...] = (slow, hangs, megasas, interrupts, links)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", help="as for dynaccel run")
    parser.add_argument(
        "--part", action="append", choices=[part.__name__ for part in PARTS], help="this part alone"
    )
    parser.add_argument("--slow", type=float, default=5.0, help="real seconds of a slow request")
    parser.add_argument("--slower", type=float, default=20.0, help="and of one at 1000 alone")
    parser.add_argument("--time-out", type=float, default=4.0, help="seconds that a request has")
    parser.add_argument("--json", type=Path, help="write all that was seen to this file")
    args = parser.parse_args()
    kernel = kernels.resolve(args.kernel)
    where = machine()
    print(f"{kernel.manifest.release}, {where}\n")
    print("| device | tried | ratio | seen |\n|---|---|---|---|")
    rows = []
    for part in PARTS:
        if args.part and part.__name__ not in args.part:
            continue
        try:
            for row in part(kernel, args):
                ratios = " → ".join(map(str, row.ratios))
                print(f"| {row.name} | {row.kind} | {ratios} | {row.seen} |", flush=True)
                rows.append(asdict(row))
        except (StageError, AssertionError) as error:
            # A kernel that fails may take its guest with it; the others are tried all the same.
            print(f"| {part.__name__} | | | ended: {error} |", flush=True)
            print(error.detail if isinstance(error, StageError) else "", file=sys.stderr)
    if args.json is not None:
        args.json.write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Every device that QEMU has and the guest's kernel drives, at each ratio and while it changes.

Prints a table in Markdown and what was complained of below it; --json writes all that was measured.
The exit status is 1 when a device did not work as at ratio 1. tests/qemu/test_devices.py runs the
same with less of everything.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from common import machine
from dynaccel.host import kernels

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "qemu"))

from device_case import missing, outcomes
from device_lab import SETTINGS, Amount
from device_table import guests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device_case import Case, Outcome

    from dynaccel.core.kernels import Kernel


def measured(kernel: Kernel, chosen: re.Pattern[str], amount: Amount) -> Iterator[Outcome]:
    """Use all devices whose names match."""
    for cases in guests().values():
        wanted = [case for case in cases if chosen.search(case.name)]
        for case in wanted:
            reason = missing(case, kernel)
            if reason is not None:
                print(f"{case.name}: left out, {reason}", file=sys.stderr, flush=True)
        usable = [case for case in wanted if missing(case, kernel) is None]
        if not usable:
            continue
        with tempfile.TemporaryDirectory(prefix="devices-") as scratch:
            sized = [_sized(case, amount) for case in usable]
            yield from outcomes(kernel, sized, Path(scratch), amount=amount)


def _sized(case: Case, amount: Amount) -> Case:
    """Return the case with a disk that two files of that size fit on, twice over."""
    if not case.image_mebibytes:
        return case
    size = case.image_mebibytes
    while size < 4 * amount.mebibytes:
        size *= 2  # an SD card's size is a power of two
    return replace(case, image_mebibytes=size)


def table(found: list[Outcome]) -> str:
    """Return what came of each device as Markdown."""
    settings = [setting.name for setting in SETTINGS]
    lines = [f"| device | {' | '.join(settings)} | seen |", f"|---{'|---' * len(settings)}|---|"]
    for name in dict.fromkeys(each.case for each in found):
        by_setting = {each.setting: each for each in found if each.case == name}
        cells = [_cell(by_setting.get(setting)) for setting in settings]
        lines.append(f"| {name} | {' | '.join(cells)} | {_facts(list(by_setting.values()))} |")
    return "\n".join(lines)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    if not outcome.problems:
        return "works"
    return "complaints" if outcome.whole else "**fails**"


def _facts(found: list[Outcome]) -> str:
    names = dict.fromkeys(name for each in found for name in each.facts)
    shown = []
    for name in names:
        values = (f"{each.facts[name]:.3g}" if name in each.facts else "-" for each in found)
        shown.append(f"{name}: {' / '.join(values)}")
    return "; ".join(shown)


def main() -> int:
    """Take the options, use the devices, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", help="as dynaccel run takes it")
    parser.add_argument("--only", default="", metavar="REGEX", help="of the devices' names")
    parser.add_argument("--mebibytes", type=int, default=32, help="a file on a disk")
    parser.add_argument("--datagrams", type=int, default=2000, help="through a link")
    parser.add_argument("--rounds", type=int, default=3, help="of whatever else is repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it there")
    options = parser.parse_args()
    kernel = kernels.resolve(options.kernel)
    amount = Amount(mebibytes=options.mebibytes, datagrams=options.datagrams, rounds=options.rounds)
    found: list[Outcome] = []
    began = time.monotonic()
    for outcome in measured(kernel, re.compile(options.only), amount):
        found.append(outcome)
        said = "; ".join(outcome.problems) or "works"
        seconds = time.monotonic() - began
        print(
            f"{seconds:6.0f} s {outcome.case}, {outcome.setting}: {said}",
            file=sys.stderr,
            flush=True,
        )
    print(f"{machine()}, kernel {kernel.manifest.id[:12]}\n\n{table(found)}\n")
    for outcome in found:
        for problem in outcome.problems:
            print(f"    {outcome.case}, {outcome.setting}: {problem}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    return 1 if any(each.problems for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the report of a long run costs: to write, to keep, to open.

    .venv/bin/python benchmarks/report.py

Prints a table for simulated runs. The bars: a page below 2 MiB that a headless Chromium has opened
and laid out within 2 s of real time. A busy machine makes figures worse, not wrong.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import chromium
import simulated_year
from dynaccel.recording.reader import Recording
from dynaccel.scenario.report import write_report
from simulated_verdict import verdict

RUNS = 5
SECONDS_MAX = 2.0
BYTES_MAX = 2 << 20
LENGTHS = {"60 days": 60, "a year": 365, "ten years": 3650}


def main() -> None:
    """Measure, print, and end with status 1 when a bar is missed."""
    path = chromium.program()
    if path is None:
        raise SystemExit("there is no chromium on PATH; sudo apt-get install chromium")
    missed = False
    print("| run, an hour between samples | recording | written in | page | opened in |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, chromium.browser(path) as browser:
        for words, days in LENGTHS.items():
            recording, page = Path(name) / f"{days}.sqlite", Path(name) / f"{days}.html"
            simulated_year.record(recording, days=days)
            scenario = simulated_year.scenario()
            before = time.monotonic()
            with Recording.open(recording) as run:
                write_report(scenario, run, verdict(scenario, run), page)
            took = time.monotonic() - before
            opened = []
            for _ in range(RUNS):
                with browser.page(page) as tab:
                    # From the begin of the navigation until all is laid out and the script ran.
                    tab.value("document.documentElement.getBoundingClientRect().height")
                    opened.append(int(tab.value("document.documentElement.dataset.ready")) / 1000)
            size = page.stat().st_size
            print(
                f"| {words} | {recording.stat().st_size / 1e6:.1f} MB | {took:.2f} s"
                f" | {size / 1024:.0f} KiB | {statistics.median(opened):.2f} s"
                f" ({min(opened):.2f} to {max(opened):.2f}) |"
            )
            missed |= statistics.median(opened) > SECONDS_MAX or size > BYTES_MAX
    sys.exit(missed)


if __name__ == "__main__":
    main()

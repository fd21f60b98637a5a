# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration: ten hours of a server's night, at 1000 times the speed, before your eyes."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).resolve().parent
NAME = f"demo-{os.getpid()}"
RATIO = 1000
EVENING = "2038-01-18T22:00:00Z"
"""The night in which 32-bit clocks end, at 03:14:07."""
DYNACCEL = [sys.executable, "-m", "dynaccel.cli.main"]
COLOURS = {"cron": "cyan", "python": "magenta", "date": "green"}
REFRESH_SECONDS = 0.1


@dataclass
class Night:
    """What is known of the guest, shared by the threads that learn it."""

    began: float = field(default_factory=time.monotonic)
    started: float | None = None
    realtime: tuple[float, float] | None = None
    """The guest's REALTIME in seconds, and the host's monotonic clock when it was read."""
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    finished: float | None = None
    ended: bool = False


def read_lines(guest: subprocess.Popen[str], night: Night) -> None:
    """Take up what the night says."""
    assert guest.stdout is not None
    for line in guest.stdout:
        night.started = night.started or time.monotonic()
        when, who, what = [*line.rstrip("\n").split("|", 2), "", ""][:3]
        night.lines.append((when, who, what))
    night.finished = time.monotonic()


def poll_clock(night: Night) -> None:
    """Ask the guest for its time now and then, as ``dynaccel status --vm`` does."""
    while not night.ended:
        done = subprocess.run(
            [*DYNACCEL, "status", "--vm", NAME, "--json"], capture_output=True, check=False
        )
        if done.returncode == 0:
            status = json.loads(done.stdout)
            if status.get("realtime_seconds"):
                night.realtime = (status["realtime_seconds"], time.monotonic())
        time.sleep(1)


def clocks(night: Night) -> Table:
    """Draw the two clocks side by side."""
    now = night.finished or time.monotonic()
    table = Table.grid(padding=(0, 2))
    real = now - (night.started or night.began)
    if night.started is None:
        table.add_row("booting an accelerated Linux", f"[bold]{now - night.began:4.1f} s[/bold]")
        return table
    table.add_row("real time", f"[bold]{real:8.1f} s[/bold]")
    if night.realtime is not None:
        seconds, read = night.realtime
        shown = datetime.fromtimestamp(seconds + (now - read) * RATIO, tz=UTC)
        table.add_row("the guest's clock", f"[bold green]{shown:%Y-%m-%d %H:%M:%S}[/bold green]")
    return table


def events(night: Night) -> Table:
    """Draw what has happened."""
    table = Table.grid(padding=(0, 2))
    for when, who, what in night.lines:
        table.add_row(when, Text(who, style=COLOURS.get(who, "")), what)
    return table


def picture(night: Night) -> Panel:
    """Draw all of it."""
    return Panel(
        Group(clocks(night), Text(), events(night)),
        title=f"one night, ratio {RATIO}",
        border_style="blue",
        width=78,
    )


def today(remark: str) -> Text:
    """Return what date(1) says here, as a terminal shows it."""
    return Text(f"$ date\n{datetime.now(tz=UTC):%a %b %e %H:%M:%S UTC %Y}      {remark}\n")


def run_night(night: Night, console: Console) -> tuple[int, str]:
    """Run the night and draw it; return its exit status and what dynaccel said of it."""
    command = [*DYNACCEL, "run", "--name", NAME, "--accel", f"{RATIO}", "--start", EVENING]
    command += ["--user", "root", "--", f"{HERE / 'night.sh'}"]
    with tempfile.TemporaryFile("w+") as said:
        guest = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
            env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        threads = [
            threading.Thread(target=read_lines, args=(guest, night)),
            threading.Thread(target=poll_clock, args=(night,)),
        ]
        for thread in threads:
            thread.start()
        try:
            with Live(picture(night), console=console, refresh_per_second=10) as live:
                while guest.poll() is None:
                    time.sleep(REFRESH_SECONDS)
                    if console.is_terminal:
                        live.update(picture(night))
                threads[0].join()
                live.update(picture(night))
        finally:
            night.ended = True
            guest.terminate()
            guest.wait()
            for thread in threads:
                thread.join()
        said.seek(0)
        return guest.returncode, said.read().rstrip()


def save_picture(path: Path, transcript: list[Text | Panel]) -> None:
    """Write what the terminal showed as an SVG."""
    recorder = Console(record=True, width=84, file=io.StringIO(), force_terminal=True)
    for part in transcript:
        recorder.print(part)
    picture_text = recorder.export_svg(title="make demo")
    # Without the web fonts that rich refers to: a picture in a repository loads nothing.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture_text, flags=re.DOTALL))


def main() -> int:
    """Show the demonstration; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svg", type=Path, help="also write the picture to this file")
    options = parser.parse_args()
    console = Console()
    night = Night()
    transcript: list[Text | Panel] = [
        today("(here, really)"),
        Text(f"$ dynaccel run --accel {RATIO} --start {EVENING} -- demo/night.sh"),
    ]
    for part in transcript:
        console.print(part)
    status, said = run_night(night, console)
    if not console.is_terminal:
        console.print()  # rich leaves the cursor behind the frame
    ending = [Text(said), Text(), today("(still today)")]
    for part in ending:
        console.print(part)
    if options.svg is not None:
        save_picture(options.svg, [*transcript, picture(night), *ending])
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Half an hour at 1000 under load, and what the kernel's log says of it.

CPU, memory, disk (ext4 on a loop device) and the loopback network are kept busy in a guest. Whoever
watches over progress there (RCU, lockup, hung task and workqueue detectors, the clocksource
watchdog) must not take fright. Prints a summary in Markdown; the exit status is 1 if it did.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

ALARM = re.compile(
    r"\bstall|lockup|hung|blocked for more than|unstable|WARNING|BUG|clock skew|Time went",
    re.IGNORECASE,
)
"""What a watchdog, or a kernel that lost its way, would have written."""

DYNACCEL = [sys.executable, "-m", "dynaccel.cli.main", "-qq"]
MIB = 1 << 20
PROGRESS_REAL_SECONDS = 60


class Load:
    """What keeps a guest busy; each kind counts the rounds that it has made."""

    def __init__(self) -> None:
        self.rounds = {"memory": 0, "disk": 0, "network": 0, "naps": 0}
        self.early = 0
        self.backward = 0
        self.over = threading.Event()

    def start(self) -> list[subprocess.Popen[bytes]]:
        """Start all kinds: a process for each CPU, threads for the rest."""
        # A process each: threads would share Python's lock and with it a single CPU.
        hogs = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(os.cpu_count() or 1)
        ]
        for work in (self.memory, self.disk, self.network, self.naps):
            threading.Thread(target=work, daemon=True).start()
        return hogs

    def memory(self) -> None:
        """Take and touch 128 MiB, and give it back."""
        while not self.over.is_set():
            block = bytearray(128 * MIB)
            block[:: 1 << 12] = b"x" * (len(block) >> 12)
            self.rounds["memory"] += 1

    def disk(self) -> None:
        """Write, sync and read back 8 MiB on ext4."""
        image, place = Path("/tmp/soak.ext4"), Path("/tmp/soak")  # noqa: S108  (the guest's own)
        with image.open("wb") as file:
            file.truncate(64 * MIB)
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", image], check=True)
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop,commit=5", image, place], check=True)
        content = os.urandom(8 * MIB)
        while not self.over.is_set():
            with (place / "file").open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if (place / "file").read_bytes() != content:
                raise SystemExit("ext4 gave back what was not written")
            self.rounds["disk"] += 1

    def network(self) -> None:
        """Send 1 MiB over a TCP connection of the loopback device, and back."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=_echo, args=(server,), daemon=True).start()
            with socket.create_connection(server.getsockname()) as connection:
                while not self.over.is_set():
                    sender = threading.Thread(target=connection.sendall, args=(bytes(MIB),))
                    sender.start()
                    left = MIB
                    while left:
                        left -= len(connection.recv(min(left, 1 << 16)))
                    sender.join()
                    self.rounds["network"] += 1

    def naps(self) -> None:
        """Sleep ten virtual minutes; no sleep may end early, no clock go back."""
        last = time.monotonic()
        while not self.over.is_set():
            before = time.monotonic()
            time.sleep(600)
            after = time.monotonic()
            self.early += after - before < 600
            self.backward += before < last or after < before
            last = after
            self.rounds["naps"] += 1


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def kernel_log() -> list[str]:
    """Return the kernel's log."""
    return subprocess.run(
        ["dmesg"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.splitlines()


def inside(virtual_seconds: float) -> None:
    """Run the load in the guest and print what came of it as JSON."""
    load = Load()
    began, log_began = time.monotonic(), len(kernel_log())
    hogs = load.start()
    ratio = int(Path("/proc/sys/kernel/accel").read_text())
    while time.monotonic() - began < virtual_seconds:
        time.sleep(min(PROGRESS_REAL_SECONDS * ratio, virtual_seconds))
        done = (time.monotonic() - began) / 86400
        print(f"{done:.1f} virtual days: {load.rounds}", file=sys.stderr, flush=True)
    load.over.set()
    cpu_seconds = 0.0
    for hog in hogs:
        fields = Path(f"/proc/{hog.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu_seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        hog.kill()
    lines = kernel_log()[log_began:]
    result = {
        "virtual_seconds": time.monotonic() - began,
        "rounds": load.rounds,
        "hog_cpu_seconds": cpu_seconds,
        "load_average": Path("/proc/loadavg").read_text().split()[:3],
        "naps_early": load.early,
        "clock_backward": load.backward,
        "log_lines": len(lines),
        "alarms": [line for line in lines if ALARM.search(line)],
        "other": [line for line in lines if not ALARM.search(line)][:20],
    }
    print(json.dumps(result))


def outside(minutes: float, ratio: int) -> int:
    """Run the guest and print the summary."""
    seconds = minutes * 60 * ratio
    argv = [*DYNACCEL, "run", "--accel", f"{ratio}", "--user", "root", "--", sys.executable]
    before = time.monotonic()
    done = subprocess.run(
        [*argv, __file__, "--inside", f"{seconds}"], stdout=subprocess.PIPE, check=False, text=True
    )
    real = time.monotonic() - before
    if done.returncode:
        print(f"the guest ended with status {done.returncode}", file=sys.stderr)
        return 1
    result = json.loads(done.stdout)
    held = not (result["alarms"] or result["naps_early"] or result["clock_backward"])
    rounds = ", ".join(f"{kind} {count}" for kind, count in result["rounds"].items() if count)
    days = result["virtual_seconds"] / 86400
    print(
        "| what | seen |\n|---|---|\n"
        f"| time | {real / 60:.1f} real minutes, {days:.2f} virtual days at {ratio} |\n"
        f"| rounds of load | {rounds} |\n"
        f"| CPU time of the two busy loops | {result['hog_cpu_seconds'] / 86400:.2f} days |\n"
        f"| load average | {' '.join(result['load_average'])} |\n"
        f"| naps of 10 minutes that ended early, clocks that went back |"
        f" {result['naps_early']}, {result['clock_backward']} |\n"
        f"| lines in the kernel's log | {result['log_lines']} |\n"
        f"| of them of a stall, lockup, hung task, unstable clock, warning |"
        f" {len(result['alarms'])} |"
    )
    for line in [*result["alarms"], *result["other"]]:
        print(f"    {line}")
    return 0 if held else 1


def main() -> int:
    """Take the options and run the half that they name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="real minutes")
    parser.add_argument("--accel", type=int, default=1000, help="the ratio")
    parser.add_argument("--inside", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        with suppress(KeyboardInterrupt):
            inside(options.inside)
        return 0
    return outside(options.minutes, options.accel)


if __name__ == "__main__":
    sys.exit(main())

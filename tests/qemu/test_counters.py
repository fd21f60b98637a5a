# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters run over their ends, and nobody notices.

Each guest has been up for so long at boot that a counter ends two virtual minutes later; then it is
accelerated over that moment. Two more start before the ends of 32-bit dates.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOSYS
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.host import paths, tools
from dynaccel.verify import probes
from dynaccel.verify.kernel_timers import measured
from dynaccel.verify.waits import wheel_grain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

HZ = 250
USER_HZ = 100
BEFORE_SECONDS = 120
"""Virtual time before the end of a counter at which a guest boots; time flows at 1 then."""
JIFFIES_BEGIN = 300
"""Jiffies begin that many seconds before the end of their low 32 bits (INITIAL_JIFFIES)."""
AFTER_SECONDS = JIFFIES_BEGIN + 60
RATIO = 200
LIMIT_SECONDS = 180
MARK = "over the end"
LATE_REAL_SECONDS = 2.5
"""For a busy host."""
TICK_NS = 1e9 / HZ

EDGES = {
    # Jiffies as 32 bits end 5 minutes after the boot: kernel timers at the highest ratio, too.
    "jiffies": (JIFFIES_BEGIN, 1000),
    # 49.7 days. 5 minutes later what times() returns ends as a signed number of 32 bits.
    "2^32 ms": ((1 << 32) // 1000, RATIO),
    # 198.8 days. 5 minutes later jiffies' low 32 bits end for the second time.
    "2^32 jiffies": ((1 << 32) // HZ, RATIO),
    # 208.5 days: where the scheduler's clock of x86 once overflowed.
    "2^54 ns": ((1 << 54) // 10**9, RATIO),
    # 248.6 days: the start of a process in /proc/PID/stat as a signed number.
    "2^31 user ticks": ((1 << 31) // USER_HZ, RATIO),
    # 298.3 days: what times() returns, as an unsigned number; it begins with jiffies.
    "times()": (
        ((1 << 32) - ((1 << 32) - JIFFIES_BEGIN * HZ) * USER_HZ // HZ) // USER_HZ,
        RATIO,
    ),
    # 497 days: the uptime in user ticks as an unsigned number.
    "2^32 user ticks": ((1 << 32) // USER_HZ, RATIO),
}
"""By name: seconds of uptime, and the ratio."""

DATES = {"2038": 1 << 31, "2106": 1 << 32}

CONNECT = ("tcp", "1", "syn=6")
"""Not at the highest ratio: TCP gives up connecting by the sum of the waits, too, so a busy host
that holds up a guest leaves out the last SYNs, for which the probe would wait in vain."""

OTHERS = (
    ("tcp", "1", "keepalive=60"),
    ("tcp", "1", "user-timeout=120"),
    ("fragments", "1", "130"),
    ("conntrack", "gone", "1", "130", "430"),
)
"""Kernel timers under way as the counter ends; the last as jiffies end 5 minutes after, too."""

TROUBLE = re.compile(
    r"WARNING|BUG|Oops|stall|lockup|blocked for more|unstable|backwards|Call Trace"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What was seen: records of the probe ``edge`` and of witnesses, log, output of a script."""

    ratio: int
    seen: list[dict[str, Any]]
    witnesses: list[dict[str, Any]]
    log: list[str]
    rest: list[str]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.seen if kind in record]


def run(kernel: Kernel, options: Sequence[str], script: str) -> str:
    """Run a script as root in a guest of its own and return what it wrote to standard output."""
    argv = [sys.executable, "-m", "dynaccel.cli.main", "-qq", "run", "--accelerator", "tcg"]
    argv += ["--kernel", str(kernel.image), "--cpus", "2", "--user", "root", "--workdir", "/"]
    done = subprocess.run(
        [*argv, *options, "--", "sh", "-c", script],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT_SECONDS,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def _waiting(variable: str, name: str = "") -> str:
    return f'wait ${variable} || {{ echo "failed: {name or variable}" >&2; exit 1; }}'


def cross(
    kernel: Kernel,
    options: Sequence[str],
    edge: Sequence[object],
    *,
    before: str = ":",
    after: str = ":",
) -> Crossing:
    """Start a guest and flow over a moment, with timers of the kernel under way.

    Args:
        kernel: The guest's.
        options: Further options of ``dynaccel run``.
        edge: Arguments of the probe ``edge``; the last is the ratio.
        before: A script that runs first.
        after: A script that runs at last, at ratio 1.
    """
    ratio = edge[-1]
    assert isinstance(ratio, int)
    others = OTHERS if ratio > RATIO else (CONNECT, *OTHERS)
    names = dict.fromkeys(["edge", *(other[0] for other in others)])
    files = " ".join(str(probes.probe(name)) for name in names)
    begin, wait = [f"./edge {' '.join(map(str, edge))} >edge.json & edge=$!"], [_waiting("edge")]
    # The others ask for the ratio as they begin.
    begin += [f"while read now </proc/sys/kernel/accel && [ $now != {ratio} ]; do sleep 0.02; done"]
    for number, other in enumerate(others):
        begin += [f"./{' '.join(other)} >other{number}.json & other{number}=$!"]
        wait += [_waiting(f"other{number}", " ".join(other))]
    script = (
        f"mkdir /dev/shm/crossing && cd /dev/shm/crossing && cp {files} . || exit\n"
        f"({before}\n) || exit\n"
        f"echo '{MARK}' >/dev/kmsg\n"
        + "\n".join([*begin, *wait])
        + "\necho 1 >/proc/sys/kernel/accel && cat *.json || exit\n"
        f"echo '{MARK}' && dmesg && echo '{MARK}'\n"
        f"{after}\n"
    )
    out = run(kernel, options, script)
    # The log itself has the mark, too: what was logged before it is the boot's.
    said, _, log, rest = out.split(f"{MARK}\n", 3)
    records = [json.loads(line) for line in said.splitlines()]
    return Crossing(
        ratio=ratio,
        seen=[record for record in records if "witness" not in record],
        witnesses=[record for record in records if "witness" in record],
        log=log.splitlines(),
        rest=rest.splitlines(),
    )


def judge_clocks(crossing: Crossing) -> None:
    """No clock went back, and all went on as CLOCK_MONOTONIC did."""
    late_tick_ns = crossing.ratio * (TICK_NS + LATE_REAL_SECONDS / 10 * 1e9)
    grain_ns = {
        # They stand still from tick to tick, and a host may delay a tick.
        "realtime_coarse": late_tick_ns,
        "monotonic_coarse": late_tick_ns,
        "times": late_tick_ns,
        "time": late_tick_ns + 1e9,
        "uptime": 1e9 / USER_HZ,
        # In microseconds.
        "gettimeofday": 1e3,
    }
    for clock in crossing.of("clock"):
        name, moved = clock["clock"], clock["moved_ns"]
        assert clock["back_ns"] == 0, clock
        assert clock["reads"] >= 5, clock
        if name in {"cpu", "rusage"}:
            # It ran all the time, on at most two CPUs; other programs had their share.
            room = crossing.ratio * TICK_NS
            assert 0.05 * clock["low_ns"] <= moved <= 2 * clock["high_ns"] + room, clock
            continue
        # Stamps of the log are the scheduler's clock, calibrated for itself.
        grain = grain_ns.get(name, 1e3) + (1e-3 if name == "log" else 1e-5) * clock["high_ns"]
        assert clock["low_ns"] - grain <= moved <= clock["high_ns"] + grain, clock


def judge_waits(crossing: Crossing) -> None:
    """What was armed before and due after came, never early, and not later than a host explains."""
    waits = crossing.of("wait")
    assert len(waits) == 15
    for wait in waits:
        assert "lost" not in wait, wait
        wheel = wait["wait"].startswith("receive")
        # Any Linux counts a time-out in jiffies from the last tick, which a host may delay.
        early = max(0.0, wait["stale_ns"] - TICK_NS) if wheel else 0.0
        assert wait["late_ns"] >= -early, wait
        jiffies = wheel_grain(int(wait["asked_ns"] / TICK_NS) + crossing.ratio) if wheel else 0
        bar = (jiffies + crossing.ratio) * TICK_NS + LATE_REAL_SECONDS * 1e9 * crossing.ratio
        assert wait["late_ns"] <= bar, wait
    (period,) = crossing.of("period")
    assert period["due"] <= period["came"] <= period["due_now"], period


def judge_kernel_timers(crossing: Crossing) -> None:
    """TCP, reassembly and connection tracking were not early, and not later than explained."""
    wanted = {"tcp-keepalive-2", "tcp-user-timeout", "reassembly", "conntrack"}
    if crossing.ratio <= RATIO:
        wanted |= {"tcp-syn-1", "tcp-syn-timeout"}
    assert wanted <= {record["witness"] for record in crossing.witnesses}
    for record in crossing.witnesses:
        one = measured(
            record,
            ratio=crossing.ratio,
            tick_seconds=1 / HZ,
            real_seconds=float,
        )
        assert not one.final, f"early: {one}"
        assert one.late_seconds <= one.bar_seconds + LATE_REAL_SECONDS * crossing.ratio, one


def judge_life(crossing: Crossing) -> None:
    """A connection and the processes live on, and the kernel has nothing to complain of."""
    (stream,) = crossing.of("stream")
    assert stream["wrong"] == 0
    assert min(stream["before"], stream["after"]) >= 1, stream
    assert stream["gap_ns"] <= LATE_REAL_SECONDS * 1e9 * crossing.ratio, stream
    tick_ns = 1e9 / USER_HZ
    for start in crossing.of("start"):
        assert start["low_ns"] - tick_ns < start["told_ns"] <= start["high_ns"], start
    assert [line for line in crossing.log if TROUBLE.search(line)] == []


def judge(crossing: Crossing) -> None:
    (passed,) = crossing.of("passed_ns")
    assert passed["passed_ns"] > 0, "the host was too busy: the moment had passed already"
    judge_clocks(crossing)
    judge_waits(crossing)
    judge_kernel_timers(crossing)
    judge_life(crossing)


@pytest.mark.parametrize("name", EDGES)
def test_a_guest_outlives_the_end_of_a_counter(kernel: Kernel, name: str) -> None:
    second, ratio = EDGES[name]
    # The first is five minutes after a boot as any other.
    options = [] if second <= JIFFIES_BEGIN else ["--uptime", f"{second - BEFORE_SECONDS}s"]
    judge(cross(kernel, options, ("monotonic", second, AFTER_SECONDS, ratio)))


FILES = """
cd /dev/shm && mkdir -p wide narrow memory && mount -t tmpfs none memory || exit
for kind in wide narrow; do
    size=256; [ $kind = narrow ] && size=128
    truncate -s 16M $kind.img && mkfs.ext4 -q -F -I $size $kind.img >/dev/null 2>&1 &&
    mount -o loop $kind.img $kind || exit
done
touch wide/before narrow/before memory/before
"""

FILES_AFTER = """
cd /dev/shm && touch wide/after narrow/after memory/after || exit
date -u '+%s %Y-%m-%dT%H:%M:%SZ'
for kind in wide narrow; do
    umount $kind && mount -o loop $kind.img $kind || exit
done
stat -c '%n %Y' */before */after
"""


@pytest.mark.parametrize("name", DATES)
def test_a_guest_outlives_a_date(kernel: Kernel, name: str) -> None:
    second = DATES[name]
    begin = datetime.fromtimestamp(second - BEFORE_SECONDS, UTC).isoformat()
    crossing = cross(
        kernel,
        ["--start", begin],
        ("realtime", second, AFTER_SECONDS, RATIO),
        before=FILES,
        after=FILES_AFTER,
    )
    judge(crossing)
    told, *listed = crossing.rest
    seconds, text = told.split()
    now = int(seconds)
    assert second + AFTER_SECONDS <= now
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(now, UTC)
    written = {path: int(stamp) for path, stamp in map(str.split, listed)}
    for kind in ("wide", "memory"):
        assert second - BEFORE_SECONDS <= written[f"{kind}/before"] < second
        assert second <= written[f"{kind}/after"] <= now
    # Inodes of 128 bytes have no room for later dates: ext4 writes the last that it can.
    assert written["narrow/after"] == (1 << 31) - 1
    assert written["narrow/before"] == min(written["wide/before"], (1 << 31) - 1) or (
        abs(written["narrow/before"] - written["wide/before"]) <= 1
    )


def compiled_narrow(directory: Path) -> Path:
    """Return a program of 32 bits; skips where the compiler makes none."""
    compiler = tools.find("gcc")
    if compiler is None:
        pytest.skip("there is no gcc")
    program = directory / "narrow"
    done = subprocess.run(
        [compiler, "-m32", "-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-ffreestanding",
         "-fno-pic", "-fno-stack-protector", "-nostdlib", "-o", program,
         paths.data_dir("guest") / "probes" / "narrow.c"],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip("gcc -m32 makes no program here")
    return program


def narrowed(seconds: int) -> int:
    """Return the seconds as a signed number of 32 bits tells them."""
    return (seconds + (1 << 31)) % (1 << 32) - (1 << 31)


@pytest.mark.parametrize("name", DATES)
def test_a_program_of_32_bits_outlives_a_date(kernel: Kernel, name: str, tmp_path: Path) -> None:
    """A time_t of 32 bits starts over, as in any Linux; 64 bits and relative waits do not care."""
    second = DATES[name]
    program = compiled_narrow(tmp_path)
    script = (
        f"echo 1 >/proc/sys/kernel/accel; cp {program} /dev/shm/narrow && /dev/shm/narrow &&\n"
        f"echo {RATIO} >/proc/sys/kernel/accel && sleep {BEFORE_SECONDS} && /dev/shm/narrow"
    )
    begin = datetime.fromtimestamp(second - BEFORE_SECONDS, UTC).isoformat()
    said = run(kernel, ["--start", begin], script)
    before, after = (json.loads(line) for line in said.splitlines())
    if before["time"] == -ENOSYS:
        pytest.skip("the guest's kernel has no CONFIG_COMPAT_32BIT_TIME")
    assert before["clock64"] < second <= after["clock64"]
    for one in (before, after):
        # They are read one after the other, and virtual time is quick.
        assert one["clock"] - one["time"] in range(2 * RATIO), one
        assert narrowed(one["clock64"]) - one["clock"] in range(2 * RATIO), one
        assert one["slept_ns"] >= 10_000_000, one

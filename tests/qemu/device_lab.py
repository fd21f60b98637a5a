# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with further devices, where each of them is used at every ratio and while it changes.

Devices know nothing of the ratio: QEMU runs them in real time. Whether a driver's waits are in real
time too shows in three ways: what it does still works, it takes as long as at ratio 1 (where that
is known), and the kernel's log complains of nothing.
"""

from __future__ import annotations

import os
import random
import shlex
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qemu.qmp import QMPError
from qemu.qmp.legacy import QEMUMonitorProtocol

from dynaccel.core.errors import DynaccelError, StageError
from dynaccel.core.events import NullReporter
from dynaccel.verify.bench import guest_bench
from dynaccel.vm import remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

RATIOS_TO_CHANGE_TO = (1, 2, 10, 50, 200, 500, 1000)
CHANGE_SECONDS = (0.05, 0.2)
"""Real time from one change to the next."""

CONSOLE = "console"
"""The file of the scratch directory for what the kernel writes at last."""
PATIENCE_SECONDS = 90.0
"""Real time for a device to appear; what ends sooner costs nothing, and the host may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """At what ratio a device is used.

    Attributes:
        name: As it stands in a table.
        ratio: The ratio; None changes it all the time.
    """

    name: str
    ratio: int | None


SETTINGS = (
    Setting(name="1", ratio=1),
    Setting(name="200", ratio=200),
    Setting(name="1000", ratio=1000),
    Setting(name="changing", ratio=None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is done with a device.

    Attributes:
        mebibytes: Written to a disk and read back, in either way.
        datagrams: Sent through a network link.
        rounds: Of whatever else is repeated.
    """

    mebibytes: int = 4
    datagrams: int = 200
    rounds: int = 2


@dataclass(slots=True)
class Report:
    """What was seen of a device at a setting.

    Attributes:
        amount: How much is to be done.
        baseline: What was measured at ratio 1 in the same run, by name.
        facts: What is measured here.
        problems: What ought not to be, a line each.
    """

    amount: Amount
    baseline: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, held: bool, problem: str) -> None:
        """Note the problem unless the condition held."""
        if not held:
            self.problems.append(problem)

    def fact(self, name: str, value: float) -> float:
        """Note what was measured; of several values the largest."""
        self.facts[name] = max(value, self.facts.get(name, value))
        return value


class Lab:
    """A running guest with devices; made by :func:`lab`.

    Attributes:
        bench: Its root shell.
        scratch: A directory of the host for what devices need there.
    """

    def __init__(self, name: str, bench: Bench, monitor: QEMUMonitorProtocol, at: Path) -> None:
        self.bench = bench
        self.scratch = at
        self._name = name
        self._monitor = monitor
        self._log_seen = 0
        self._random = random.Random(name)  # noqa: S311
        self._outputs = 0
        self.changes = 0

    def sh(self, script: str, *, limit_seconds: float = PATIENCE_SECONDS) -> str:
        """Run a script as root there and return what it said."""
        return self.bench.shell(script, limit_seconds=limit_seconds).strip()

    def holds(self, condition: str) -> bool:
        """Say whether a shell's condition holds there."""
        return self.sh(f"if {condition}; then echo yes; fi") == "yes"

    def until(self, script: str, what: str, *, limit_seconds: float = PATIENCE_SECONDS) -> str:
        """Run a script again and again until it says something, and return that.

        Raises:
            StageError: It did not within ``limit_seconds`` of real time.
        """
        limit = time.monotonic() + limit_seconds
        while True:
            said = self.sh(script)
            if said:
                return said
            if time.monotonic() > limit:
                raise StageError(f"{what}: not within {limit_seconds:.0f} real seconds")
            time.sleep(0.1)

    def devices(self, *words: object, limit_seconds: float = 600.0) -> list[dict[str, Any]]:
        """Run a deed of the probe ``devices``."""
        return self.bench.probe("devices", *words, limit_seconds=limit_seconds)

    def start(self, *words: object) -> str:
        """Start a deed of the probe ``devices`` in the background, and return its output's file."""
        self._outputs += 1
        output = f"/dev/shm/output{self._outputs}"  # noqa: S108  (the guest's own)
        # Where the probe lies the bench knows alone: it tells by its own directory.
        program = self.bench._program("devices")  # noqa: SLF001
        line = shlex.join([program, *map(str, words)])
        self.sh(f"({line}; echo ended $?) >{output} 2>&1 & :")
        return output

    def first_line(self, output: str) -> str:
        """Wait until a deed in the background has said something."""
        return self.until(f"head -n 1 {output}", "a probe's first word")

    def result(self, output: str) -> list[str]:
        """Wait for the end of a deed in the background, and return all its lines."""
        self.until(f"grep '^ended' {output} || :", "a probe's end")
        *lines, end = self.sh(f"cat {output}").splitlines()
        if end != "ended 0":
            raise StageError(f"a probe failed: {' '.join([*lines, end])}")
        return lines

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Give QEMU a command and return its answer."""
        try:
            return self._monitor.cmd(command, **arguments)
        except (QMPError, OSError, EOFError) as error:
            raise StageError(f"QEMU refused {command} {arguments}: {error}") from error

    def event(self, name: str, *, limit_seconds: float) -> float | None:
        """Wait for one of QEMU's events and return when it was sent, by the host's real-time clock.

        What else comes meanwhile is dropped.
        """
        limit = time.monotonic() + limit_seconds
        while (left := limit - time.monotonic()) > 0:
            with suppress(TimeoutError):
                for event in self._monitor.get_events(wait=left):
                    if event["event"] == name:
                        stamp = event["timestamp"]
                        return float(stamp["seconds"]) + float(stamp["microseconds"]) / 1e6
        return None

    def forget_events(self) -> None:
        """Drop the events that came so far."""
        self._monitor.get_events()

    def seconds(self, counts: float) -> float:
        """Return what a difference of the counter is in real seconds."""
        return self.bench.real_seconds(round(counts))

    def counts(self, seconds: float) -> int:
        """Return how many counts pass in real seconds."""
        return self.bench.counts(seconds)

    def new_log_lines(self) -> list[str]:
        """Return what the kernel has logged since the last call."""
        lines = self.bench.log_lines()
        new = lines[self._log_seen :]
        self._log_seen = len(lines)
        return new

    @contextmanager
    def at(self, setting: Setting) -> Iterator[None]:
        """Let time flow as the setting says for the length of the block, and at 1 afterwards."""
        if setting.ratio is not None:
            self.bench.set_ratio(setting.ratio)
            yield
        else:
            over = threading.Event()
            changer = threading.Thread(target=self._change, args=(over,), daemon=True)
            changer.start()
            try:
                yield
            finally:
                over.set()
                changer.join()
        self.bench.set_ratio(1)

    def _change(self, over: threading.Event) -> None:
        while not over.wait(self._random.uniform(*CHANGE_SECONDS)):
            ratio = self._random.choice(RATIOS_TO_CHANGE_TO)
            # A guest that is lost, or asleep, is noticed by whoever uses the device.
            with suppress(DynaccelError):
                remote.ask(self._name, {"op": "set", "ratio": ratio})
                self.changes += 1


@contextmanager
def lab(
    kernel: Kernel, words: Sequence[str], scratch: Path, options: Sequence[str] = ()
) -> Iterator[Lab]:
    """Start a guest with further words for QEMU for the length of the block.

    Args:
        kernel: The kernel to boot.
        words: For QEMU.
        scratch: A directory of the host, which outlives the guest.
        options: Further options of ``dynaccel run``.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as place:
        name = Path(place).name
        # A socket's path is short.
        socket = Path(place) / "qmp"
        more = [*words, "-qmp", f"unix:{socket},server=on,wait=off"]
        argv = ["--kernel", str(kernel.image), "--accelerator", "tcg", "--name", name, *options]
        argv += ["--console", str(scratch / CONSOLE)]
        argv += ["--qemu", shlex.join(more)]
        with guest_bench(argv, reporter=NullReporter()) as bench:
            monitor = QEMUMonitorProtocol(str(socket))
            monitor.connect()
            try:
                yield Lab(name, bench, monitor, scratch)
            finally:
                with suppress(QMPError, OSError, EOFError):
                    monitor.close()


def free_image(path: Path, mebibytes: int) -> Path:
    """Make an image of a disk that takes no room until it is written."""
    path.touch()
    os.truncate(path, mebibytes << 20)
    return path

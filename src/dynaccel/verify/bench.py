# SPDX-License-Identifier: GPL-2.0-or-later
"""The place of measurement: a root shell in a guest or on this very machine.

A probe tells real time by the hardware's counter, which no kernel scales. What a count is worth is
found by stamps against the monotonic clock of the host; each further stamp makes it finer. On this
machine itself the host's clock is MONOTONIC_RAW at ratio 1, so there it is found before all else.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, TimeoutExpired  # noqa: TID251  (the door is host.process)
from typing import IO, TYPE_CHECKING, Any

from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError, MissingError, StageError, UserError
from dynaccel.core.units import RATIO_MAX
from dynaccel.host import itself, process
from dynaccel.host import probes as programs
from dynaccel.verify.clocks import ClockProbe, Stamp, frequency
from dynaccel.verify.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from subprocess import Popen  # noqa: TID251  (a type)

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

CONTROL = "/proc/sys/kernel/accel"
COMMAND_SECONDS = 60.0
PROBE_SECONDS = 180.0
START_SECONDS = 120.0
_CPU_NAME = (
    "sed -n -e 's/^model name[^:]*: //p'"
    " -e 's/^CPU implementer[^:]*: \\(.*\\)/implementer \\1/p' /proc/cpuinfo | head -n 1"
)
"""x86 has a name for its processor, arm64 numbers."""
CANNOT_RUN = "126"
"""The status by which a shell says that a program is of no kind that the kernel knows."""
ENDING_SECONDS = 5.0
"""A guest that is told to end has that long, in real time."""
CALIBRATION_SECONDS = 2.0
CALIBRATION_TRIES = 5
CALIBRATION_BAR = 2e-4
"""Good enough to begin with; the later stamps make it finer."""


class Bench:
    """A root shell where the ratio can be changed, and the counter's frequency there.

    Attributes:
        cpus: Number of online CPUs.
        tick_seconds: Real time between two ticks.
        reporter: Learns what goes on.
        local: Whether this is the machine itself and no guest.

    Args:
        shell: The shell.
        arch: What its programs are for.
        local: Whether it runs on this machine itself.
        reporter: Learns what goes on.

    Raises:
        StageError: The shell ended.
        MissingError: The kernel cannot accelerate.
    """

    def __init__(self, shell: Shell, *, arch: Arch, local: bool, reporter: Reporter) -> None:
        self.reporter = reporter
        self._arch = arch
        self.local = local
        self._shell = shell
        self._programs: dict[tuple[str, bool], str] = {}
        self._narrow = False
        self._ratio = RATIO_MAX
        self._errors = "/dev/null"
        where = "mktemp -d /dev/shm/dynaccel.XXXXXX"
        self._directory = self._line(where, limit_seconds=START_SECONDS)
        self._errors = f"{self._directory}/stderr"
        self.cpus = int(self._line("getconf _NPROCESSORS_ONLN"))
        if shell.run(f"test -e {CONTROL}", limit_seconds=COMMAND_SECONDS).status != 0:
            release = self._line("uname -r")
            raise MissingError(
                f"the kernel {release} cannot accelerate: there is no {CONTROL}",
                hint="dynaccel kernel build",
            )
        self.set_ratio(1)
        self._log_start = self._newest_record()
        self._stamps = [self.stamp()]
        self.tick_seconds = self._stamps[0].tick_ns / 1e9
        for _ in range(CALIBRATION_TRIES):
            time.sleep(CALIBRATION_SECONDS)
            self._add_stamp()
            if self.real_uncertainty <= CALIBRATION_BAR:
                break

    def shell(self, script: str, *, limit_seconds: float = COMMAND_SECONDS) -> str:
        """Run a script as root and return what it wrote to standard output.

        Args:
            script: For ``sh -c``.
            limit_seconds: Real time that it may take.

        Raises:
            StageError: It failed, did not end in time, or the guest ended.
        """
        # On the machine itself this program's own time-outs run in virtual time.
        limit = limit_seconds * (self._ratio if self.local else 1)
        done = self._shell.run(f"exec 2>{self._errors}\n{script}", limit_seconds=limit)
        if done.status != 0:
            said = self._shell.run(f"cat {self._errors}", limit_seconds=COMMAND_SECONDS).output
            raise StageError(
                f"a command of the measurement failed with status {done.status}",
                hint=f"the command was: {script}",
                detail=process.tail(said or done.output),
            )
        return done.output

    def probe(
        self, name: str, *arguments: object, limit_seconds: float = PROBE_SECONDS
    ) -> list[dict[str, Any]]:
        """Run ``guest/probes/NAME`` as root and return its records.

        Args:
            name: The probe.
            arguments: Its arguments.
            limit_seconds: Real time that it may take.

        Raises:
            StageError: It failed, did not end in time, printed no JSON, or the guest ended.
            MissingError: There is no compiler.
        """
        words = [self._program(name), *map(str, arguments)]
        said = self.shell(f"exec {shlex.join(words)}", limit_seconds=limit_seconds)
        try:
            return [json.loads(line) for line in said.splitlines() if line]
        except ValueError as error:
            raise StageError(
                f"the probe {name} printed a line that is no JSON", detail=process.tail(said)
            ) from error

    @contextmanager
    def narrow(self) -> Iterator[None]:
        """Run probes as programs of 32 bits for the length of the block.

        Raises:
            MissingError: They cannot be compiled, or the kernel does not run them.
        """
        self._narrow = True
        try:
            if self._line(f"{self._program('clocks')} </dev/null || echo $?") == CANNOT_RUN:
                raise MissingError("the kernel does not run programs of 32 bits")
            yield
        finally:
            self._narrow = False

    def set_ratio(self, ratio: int) -> None:
        """Make time flow ``ratio`` times faster there from now on.

        Raises:
            StageError: The kernel refuses, or the guest ended.
        """
        self._ratio = max(self._ratio, ratio)
        told = self._line(f"echo {ratio} >{CONTROL} && cat {CONTROL}")
        self._ratio = ratio
        if told != f"{ratio}":
            raise StageError(f"the kernel was asked for the ratio {ratio} and says {told}")

    @property
    def counts_per_second(self) -> float:
        """Frequency of the counter, in counts a real second."""
        return self._frequency.counts_per_second

    @property
    def real_uncertainty(self) -> float:
        """How far off :meth:`real_seconds` may be, as a fraction."""
        return self._frequency.uncertainty

    def real_seconds(self, counts: int) -> float:
        """Return what a difference of the counter is in real seconds."""
        return counts / self.counts_per_second

    def counts(self, real_seconds: float) -> int:
        """Return how many counts pass in ``real_seconds``."""
        return round(real_seconds * self.counts_per_second)

    def calibrate(self) -> None:
        """Hold the counter against the host's clock again, over the longer time since the start.

        On the machine itself, whose own clock is what is measured, the first time counts.
        """
        if not self.local:
            self._add_stamp()

    def _add_stamp(self) -> None:
        self._stamps.append(self.stamp())
        self._frequency = frequency(self._stamps)

    def stamp(self) -> Stamp:
        """Ask for all clocks, by this program's own monotonic clock.

        Raises:
            StageError: The guest ended.
        """
        program = self._program("clocks")
        mark = "stamped"
        with self._shell.asked(f"echo ready; {program}", mark, COMMAND_SECONDS):
            # Only then has the shell read all that is meant for it.
            self._shell.stdout.readline()
            stamp = ClockProbe(self._shell.stdin, self._shell.stdout).stamp()
            self._shell.stdin.write(b"\n")
            self._shell.stdin.flush()
            for line in self._shell.stdout:
                if line.startswith(mark.encode()):
                    return stamp
        raise StageError("the guest ended as it was asked for its clocks")

    def log_lines(self) -> list[str]:
        """Return what the kernel has logged since the bench was made, oldest first.

        Raises:
            StageError: The log cannot be read, or the guest ended.
        """
        return [text for number, text in self._log() if number > self._log_start]

    def description(self) -> dict[str, Any]:
        """Return where this is: kernel, processor, clocksource, how finely time is measured.

        Raises:
            StageError: The guest ended.
        """
        source = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        return {
            "where": "this machine" if self.local else "a guest",
            "kernel": self._line("uname -r"),
            "build": self._line("uname -v"),
            "arch": self._arch.name,
            "cpu": self._line(_CPU_NAME),
            "cpus": self.cpus,
            "clocksource": self._line(f"cat {source}"),
            "tick_seconds": self.tick_seconds,
            "counts_per_second": self.counts_per_second,
            "real_time_uncertainty": self.real_uncertainty,
        }

    def close(self) -> None:
        """Remove what was copied; in a guest all is gone with it, the shell may be gone anyway."""
        if self.local:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _line(self, script: str, *, limit_seconds: float = COMMAND_SECONDS) -> str:
        return self.shell(script, limit_seconds=limit_seconds).strip()

    def _log(self) -> list[tuple[int, str]]:
        # Each read returns a record; the one after the newest fails, and dd with it.
        said = self.shell("dd if=/dev/kmsg iflag=nonblock bs=8192 || :")
        found = re.findall(r"^\d+,(\d+),[^;]*;(.*)$", said, re.MULTILINE)
        return [(int(number), text) for number, text in found]

    def _newest_record(self) -> int:
        return max((number for number, _ in self._log()), default=-1)

    def _program(self, name: str) -> str:
        # From the shared root the first execution of a program takes tens of milliseconds.
        key = (name, self._narrow)
        if key not in self._programs:
            copy = f"{self._directory}/{name}{'-32' if self._narrow else ''}"
            program = programs.probe(name, arch=self._arch, narrow=self._narrow)
            self.shell(f"cp {shlex.quote(str(program))} {copy}")
            self._programs[key] = copy
        return self._programs[key]


@contextmanager
def guest_bench(
    options: Sequence[str], *, arch: Arch | None = None, reporter: Reporter
) -> Iterator[Bench]:
    """Start a guest for the length of the block and measure in it.

    A guest of another architecture than this machine's gets a small root file system of its own.

    Args:
        options: Further options of ``dynaccel run``, such as ``--cpus``.
        arch: What its kernel is for; this machine's own when None.
        reporter: Learns what goes on.

    Raises:
        UserError: An option makes no sense, such as a kernel that there is not.
        MissingError: There is no QEMU or no kernel.
        StageError: The guest did not boot, panicked or was lost.
    """
    arch = arch or arches.native()
    if not arch.native:
        options = [*options, "--root", "debian", "--share", str(programs.made_directory())]
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as errors:
        result = Path(scratch) / "result.json"
        argv = [*itself.command(), "-qq", "run", *options]
        argv += ["--user", "root", "--accel", "1", "--workdir", "/"]
        argv += ["--result", str(result), "--", "sh"]
        with process.start(argv, stdin=PIPE, stdout=PIPE, stderr=errors) as child:
            try:
                bench = Bench(Shell(child), arch=arch, local=False, reporter=reporter)
                yield bench
                bench.calibrate()
            except StageError as error:
                # A guest that died is found out within moments, and that says more.
                _end(child, ENDING_SECONDS)
                raise _reason(result, errors) or error from error
            except BaseException:
                _end(child, 0)
                raise
            _end(child, ENDING_SECONDS)


def _end(child: Popen[bytes], patience_seconds: float) -> None:
    """End the shell, at first by the end of its input, then by a signal that the guest is sent."""
    with suppress(OSError):
        if child.stdin is not None:
            child.stdin.close()
    for seconds in (patience_seconds, ENDING_SECONDS):
        with suppress(TimeoutExpired):
            child.wait(seconds)
            return
        child.terminate()


def _reason(result: Path, errors: IO[bytes]) -> DynaccelError | None:
    """Return the error by which ``dynaccel run`` ended, if it left one."""
    try:
        told = json.loads(result.read_bytes())
    except (OSError, ValueError):
        return None
    if "error" not in told:
        return None
    errors.seek(0)
    said = process.tail(errors.read())
    kinds: dict[str, type[DynaccelError]] = {
        "usage": UserError, "missing": MissingError, "nothing_to_boot": MissingError,
    }  # fmt: skip
    kind = kinds.get(told["error"], StageError)
    return kind(told["message"], detail=told.get("console_tail") or said)


@contextmanager
def local_bench(*, reporter: Reporter) -> Iterator[Bench]:
    """Measure on this machine for the length of the block; its ratio is restored, come what may.

    Raises:
        MissingError: Its kernel cannot accelerate.
        UserError: We are not root.
        StageError: The shell ended.
    """
    control = Path(CONTROL)
    try:
        before = control.read_text()
    except OSError:
        raise MissingError(
            f"this machine's kernel cannot accelerate: there is no {CONTROL}",
            hint="without --here the measurement is made in a guest",
        ) from None
    try:
        control.write_text(before)
    except OSError as error:
        raise UserError(
            f"only root can measure this machine itself: {error.strerror}",
            hint="sudo dynaccel verify --here",
        ) from None
    try:
        with process.start(["sh"], stdin=PIPE, stdout=PIPE, stderr=None) as child:
            bench = Bench(Shell(child), arch=arches.native(), local=True, reporter=reporter)
            try:
                yield bench
            finally:
                bench.close()
    finally:
        control.write_text(before)

# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell behind two pipes that runs one command after the other, here or in a guest."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from dynaccel.core.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen  # noqa: TID251  (a type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command that ended in the shell.

    Attributes:
        status: Its exit status.
        output: What it wrote to standard output.
    """

    status: int
    output: str


class Shell:
    """Commands go in at one end, each with a mark that the shell prints when it is done.

    Args:
        child: A POSIX shell that reads commands from its standard input; the leader of a process
            group, as :func:`dynaccel.host.process.start` makes it.
    """

    def __init__(self, child: Popen[bytes]) -> None:
        assert child.stdin is not None  # noqa: S101  (the caller asked for pipes)
        assert child.stdout is not None  # noqa: S101
        self._child = child
        self.stdin: IO[bytes] = child.stdin
        self.stdout: IO[bytes] = child.stdout

    def run(self, script: str, *, limit_seconds: float) -> Outcome:
        """Run a script with no standard input and return how it ended.

        Args:
            script: For ``sh -c``.
            limit_seconds: Real time after which the shell is killed.

        Raises:
            StageError: The shell ended, or the time ran out.
        """
        mark = secrets.token_hex(8)
        lines: list[bytes] = []
        with self.asked(f"sh -c {shlex.quote(script)} </dev/null", mark, limit_seconds):
            for line in self.stdout:
                if line.startswith(mark.encode()):
                    status = int(line.split()[1])
                    # The mark stands on a line of its own whatever the script left behind.
                    text = b"".join(lines).removesuffix(b"\n").decode(errors="replace")
                    return Outcome(status=status, output=text)
                lines.append(line)
        raise StageError("the shell of the measurement ended before its command did")

    @contextmanager
    def asked(self, command: str, mark: str, limit_seconds: float) -> Iterator[None]:
        """Send a command whose end prints ``mark`` and its status; the block reads what it says.

        Raises:
            StageError: The time ran out before the block ended.
        """
        over = threading.Event()

        def give_up() -> None:
            over.set()
            # With all that it started: who holds its output open would be waited for.
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

        timer = threading.Timer(limit_seconds, give_up)
        timer.start()
        try:
            with suppress(BrokenPipeError):  # its output ends too, which says more
                self.stdin.write(f"{command}; printf '\\n%s %d\\n' {mark} $?\n".encode())
                self.stdin.flush()
            yield
        except StageError as error:
            if not over.is_set():
                raise
            raise _too_long(command, limit_seconds) from error
        finally:
            timer.cancel()
        if over.is_set():
            raise _too_long(command, limit_seconds)


def _too_long(command: str, limit_seconds: float) -> StageError:
    return StageError(
        f"a command of the measurement did not end within {limit_seconds:.0f} s",
        hint="the guest may have died, or the machine is very busy: try again",
        detail=command,
    )

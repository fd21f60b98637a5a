# SPDX-License-Identifier: GPL-2.0-or-later
"""The one door to other programs.

Every child gets a session of its own, so that a Ctrl-C at the terminal reaches dynaccel alone,
which then ends the child's whole process group: nothing is left running behind an exception.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, ProcessError, StageError
from dynaccel.host import tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 20
"""How many of a failed program's last lines go into the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended.

    Attributes:
        argv: The program and its arguments.
        returncode: Exit status; negative for a signal.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the white space around it."""
        return self.stdout.decode(errors="replace").strip()


def command_line(argv: Sequence[str]) -> str:
    """Return ``argv`` as a line that can be pasted into a shell."""
    return shlex.join(argv)


def tail(text: bytes | str, lines: int = TAIL_LINES) -> str:
    """Return the last ``lines`` lines of a program's output."""
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
    return "\n".join(decoded.rstrip().splitlines()[-lines:])


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    timeout_seconds: float | None = None,
) -> Completed:
    """Run a program to its end and return what it wrote.

    Args:
        argv: The program and its arguments; no shell is involved.
        cwd: Its working directory.
        env: Variables that are set on top of this process's environment.
        stdin: What it reads; nothing when None.
        check: Raise when the exit status is not 0.
        timeout_seconds: Real time after which it is killed.

    Raises:
        MissingError: The program is not on PATH.
        ProcessError: ``check`` and the status is not 0; carries the last lines.
        StageError: The time ran out.
    """
    words = tuple(str(word) for word in argv)
    with start(
        words, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        try:
            out, err = child.communicate(stdin or b"", timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise StageError(
                f"{words[0]} did not end within {timeout_seconds} s",
                hint=f"see what it does: {command_line(words)}",
            ) from error
    done = Completed(argv=words, returncode=child.returncode, stdout=out, stderr=err)
    if check and done.returncode != 0:
        raise failure(done)
    return done


def failure(done: Completed) -> ProcessError:
    """Return the error that says that ``done`` failed, with its command and last lines."""
    how = (
        f"was killed by {signal.Signals(-done.returncode).name}"
        if done.returncode < 0
        else f"failed with status {done.returncode}"
    )
    return ProcessError(
        f"{done.argv[0]} {how}",
        argv=done.argv,
        returncode=done.returncode,
        hint=f"the command was: {command_line(done.argv)}",
        detail=tail(done.stderr or done.stdout),
    )


def follow(
    argv: Sequence[str | Path],
    *,
    on_line: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    grace_seconds: float = 10.0,
) -> int:
    """Run a program to its end, hand on each line as it comes, and return the exit status.

    Standard output and standard error arrive as one stream, in the order they were written.

    Args:
        argv: The program and its arguments; no shell is involved.
        on_line: Called with each line, without its end.
        cwd: Its working directory.
        env: Variables that are set on top of this process's environment.
        pass_fds: Open files that it inherits.
        grace_seconds: When an exception (Ctrl-C among them) ends the wait, real time that the
            program has after SIGTERM to put its files in order before it is killed.

    Raises:
        MissingError: The program is not on PATH.
        InfrastructureError: The system could not start it.
    """
    with start(
        argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=pass_fds,
    ) as child:  # fmt: skip
        try:
            for line in child.stdout or ():
                on_line(line.decode(errors="replace").rstrip("\r\n"))
            return child.wait()
        except BaseException:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(child.pid, signal.SIGTERM)
                child.wait(grace_seconds)
            # A process that was just being forked has missed the first signal.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise


@contextmanager
def start(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program for the length of a ``with`` block; it is gone, with its children, after it.

    Arguments as :func:`run`; the streams as in the standard library (default: none).

    Raises:
        MissingError: The program is not on PATH.
        InfrastructureError: The system could not start it.
    """
    words = [str(word) for word in argv]
    if os.sep not in words[0]:
        words[0] = str(tools.require(words[0]))
    try:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env is not None else None,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(
            f"cannot start {words[0]}: {error.strerror}",
            hint=f"the command was: {command_line(words)}",
        ) from error
    try:
        yield child
    finally:
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

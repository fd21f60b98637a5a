# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors of dynaccel: each says what happened, why, and what to do next.

Only the command line turns them into text and an exit status.
"""

from __future__ import annotations

from typing import ClassVar


class DynaccelError(Exception):
    """Base of all errors that dynaccel raises on purpose.

    Args:
        message: What happened and why, in one or a few lines, without a final full stop.
        hint: What to do next; a command where one exists.
        detail: Further lines for the reader, such as the tail of a log.
    """

    exit_status: ClassVar[int] = 4

    def __init__(self, message: str, *, hint: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class UserError(DynaccelError):
    """The request cannot be served as it was made: bad usage or bad input."""

    exit_status: ClassVar[int] = 2


class MissingError(DynaccelError):
    """Something that the machine needs is not there: a program, a package, a kernel."""

    exit_status: ClassVar[int] = 3


class StageError(DynaccelError):
    """A stage ran and failed."""

    exit_status: ClassVar[int] = 4


class InfrastructureError(DynaccelError):
    """The surroundings failed (disk, memory, sockets); the same call may work later."""

    exit_status: ClassVar[int] = 5


class ProcessError(StageError):
    """A program ended with a status that the caller did not expect.

    Args:
        message: As in the base class.
        argv: The program and its arguments.
        returncode: Its exit status; negative for a signal, as in the standard library.
        detail: The last lines that it wrote.
    """

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...],
        returncode: int,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.argv = argv
        self.returncode = returncode


class TreeMismatchError(UserError):
    """A kernel tree does not fit the patch; nothing was written."""


class BuildError(StageError):
    """A kernel could not be configured or built."""


class GuestError(StageError):
    """A guest did not bring its command to an end."""

    kind: ClassVar[str] = "guest_error"


class GuestPanicError(GuestError):
    """The guest's kernel panicked."""

    kind: ClassVar[str] = "panic"


class GuestLostError(GuestError):
    """The guest ended or fell silent without a verdict."""

    kind: ClassVar[str] = "lost"


class GuestShutdownError(GuestError):
    """The guest was powered off from within."""

    kind: ClassVar[str] = "shutdown"


class GuestBootError(GuestError):
    """The guest's agent did not report after the start of QEMU."""

    kind: ClassVar[str] = "boot"

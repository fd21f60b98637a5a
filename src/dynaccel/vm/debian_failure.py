# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a Debian could not be made: told from what the programs say that make it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, StageError, UserError
from dynaccel.host import process

if TYPE_CHECKING:
    from dynaccel.core.errors import DynaccelError

_SHOWN_LINES = 12
_ABSENT = re.compile(
    r"E: Unable to locate package (\S+)|E: Package '([^']+)' has no installation candidate"
)
_NO_SUITE = re.compile(r"The repository '(.+?)(?: Release)?' does not have a Release")
_CONFLICT = "unmet dependencies"
_SILENT = re.compile(r"Failed to fetch|Could not (?:resolve|connect)|Temporary failure")
_ITS_OWN = re.compile(
    r"^(?:E: (?:setup failed: E: )?apt-get .* failed|E: mmdebstrap failed to run|I: .*"
    r"|W: Download is performed unsandboxed .*)\n?",
    re.MULTILINE,
)
_FULL = ("No space left on device", "Disk quota exceeded", "You don't have enough free space")
_TOO_LARGE = "Could not allocate"


def of_bootstrap(said: str, *, suite: str) -> DynaccelError:
    """Return the error for a Debian that could not be made.

    Args:
        said: What mmdebstrap wrote, the last lines of it.
        suite: The release.
    """
    # What mmdebstrap itself says tells little, and repeats the whole command of apt.
    detail = process.tail(_ITS_OWN.sub("", said), _SHOWN_LINES) or process.tail(said, 1)
    if _ran_out(said):
        return _full(detail)
    absent = _ABSENT.findall(said)
    if absent:
        names = ", ".join(sorted({first or second for first, second in absent}))
        return UserError(
            f"Debian {suite} has no package {names}", hint="apt-cache search WORD finds names"
        )
    if _CONFLICT in said:
        return UserError(
            "the packages cannot be installed together",
            detail=detail[detail.rfind("\n", 0, detail.find(_CONFLICT)) + 1 :],
            hint="leave one of them out",
        )
    repository = _NO_SUITE.search(said)
    if repository:
        return UserError(
            f"this machine's mirror of Debian has no {repository[1]}",
            hint="name a release that it has, such as bookworm",
        )
    if _SILENT.search(said):
        return InfrastructureError(
            f"the mirror of Debian {suite} does not answer",
            detail=detail,
            hint="see whether the machine's apt reaches it: sudo apt-get update",
        )
    return StageError(
        f"Debian {suite} could not be made: mmdebstrap failed",
        detail=detail,
        hint="fewer packages show which of them it is",
    )


def of_packing(done: process.Completed, *, size_bytes: int) -> DynaccelError:
    """Return the error for a disk image that could not be written.

    Args:
        done: The program that failed.
        size_bytes: How large the disk was to be.
    """
    said = process.tail(done.stderr or done.stdout, _SHOWN_LINES)
    if _TOO_LARGE in said:
        return UserError(
            f"the system does not fit on a disk of {size_bytes >> 20} MiB",
            detail=said,
            hint="ask for a larger one: what is not used takes no room",
        )
    return _full(said) if _ran_out(said) else process.failure(done)


def _ran_out(said: str) -> bool:
    return any(phrase in said for phrase in _FULL)


def _full(said: str) -> InfrastructureError:
    return InfrastructureError(
        "the disk ran full while a Debian was made",
        detail=said,
        hint="free some room, or point DYNACCEL_CACHE at a larger disk",
    )
